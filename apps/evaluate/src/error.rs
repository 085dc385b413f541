// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of an evaluation.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why a model was not measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The plugin's core cannot load a model or run it.
    #[error(transparent)]
    Core(#[from] emotion_core::error::Error),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Labelled data are not in the expected form, or have none of the model's classes.
    #[error("{}: {message}", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What was expected there, and what was found.
        message: String,
    },
    /// A picture could not be compressed as a JPEG.
    #[error("JPEG of a picture: {0}")]
    Jpeg(#[from] image::ImageError),
    /// A report could not be written as JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    pub(crate) fn data(path: &Path, message: impl Display) -> Self {
        Self::Data { path: path.into(), message: message.to_string() }
    }
}

/// [`std::result::Result`] with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
