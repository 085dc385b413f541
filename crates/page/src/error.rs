// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why there is no page.

use std::io;
use std::path::PathBuf;

/// An error that names the file, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: {}", path.display(), reason(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The page cannot be written.
    #[error("{}: cannot be written: {}", path.display(), reason(source))]
    Write {
        /// The page.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A line is no record.
    #[error("{}, line {line}: expected a record of emotionexport format=ndjson, found {found:?} ({reason})", path.display())]
    Record {
        /// The file of records.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// The beginning of the line.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Faces and totals are mixed.
    #[error("{}: expected records of one kind, found faces and summaries", path.display())]
    Mixed {
        /// The file of records.
        path: PathBuf,
    },
    /// There is no such video.
    #[error("{}: expected a video, found no such file", path.display())]
    NoVideo {
        /// Where it was expected.
        path: PathBuf,
    },
    /// GStreamer cannot read the video.
    #[error("{}: expected a video, but it cannot be read: {reason}", path.display())]
    Video {
        /// The file.
        path: PathBuf,
        /// What GStreamer said.
        reason: String,
    },
    /// The video has no length, so its frames cannot be found by their times.
    #[error("{}: expected a seekable video, found one of unknown length", path.display())]
    NotSeekable {
        /// The file.
        path: PathBuf,
    },
    /// The video ends before the records.
    #[error(
        "{}: expected the video of these records, which end at {records_s:.1} s; the video ends at {video_s:.1} s",
        path.display()
    )]
    OtherVideo {
        /// The file.
        path: PathBuf,
        /// End of the records, in seconds.
        records_s: f64,
        /// End of the video, in seconds.
        video_s: f64,
    },
}

/// The reason of the system without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
