// SPDX-License-Identifier: MIT OR Apache-2.0
//! What stops a scan. A file that cannot be read does not: it gets a row with the error.

use std::io;
use std::path::{Path, PathBuf};

/// An error that stops the scan. What was finished before stays in the folder of parts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has a wrong value.
    #[error("{0}")]
    Option(String),
    /// GStreamer or an element does not start.
    #[error("{0}")]
    Elements(String),
    /// The page of `--report` cannot be made.
    #[error("--report: {0}")]
    Report(String),
    /// A file of the scan itself cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another process works on the same output.
    #[error("{}: another scan is writing to this folder; wait for it or choose another --output", .0.display())]
    Busy(PathBuf),
    /// The folder of parts belongs to a scan with other settings.
    #[error(
        "{}: expected the unfinished scan of {expected}, found one of {found}; repeat that command with its models, or remove the folder to start again",
        folder.display()
    )]
    OtherSettings {
        /// The folder.
        folder: PathBuf,
        /// The settings of this scan, as JSON.
        expected: String,
        /// The settings of the scan in the folder, as JSON.
        found: String,
    },
}

impl Error {
    /// Turns an I/O error into one that names the file.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
