// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why there is no page.

use std::io;
use std::path::PathBuf;

/// An error that names the file, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Error {
    #[error("{}: {}", path.display(), reason(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: cannot be written: {}", path.display(), reason(source))]
    Write { path: PathBuf, source: io::Error },
    #[error("{}, line {line}: expected a record of emotionexport format=ndjson, found {found:?} ({reason})", path.display())]
    Record { path: PathBuf, line: usize, found: String, reason: String },
    #[error("{}: expected records of one kind, found faces and summaries", path.display())]
    Mixed { path: PathBuf },
    #[error("{}: expected a video, found no such file", path.display())]
    NoVideo { path: PathBuf },
    #[error("{}: expected a video, but it cannot be read: {reason}", path.display())]
    Video { path: PathBuf, reason: String },
    #[error("{}: expected a seekable video, found one of unknown length", path.display())]
    NotSeekable { path: PathBuf },
    #[error(
        "{}: expected the video of these records, which end at {records_s:.1} s; the video ends at {video_s:.1} s",
        path.display()
    )]
    OtherVideo { path: PathBuf, records_s: f64, video_s: f64 },
}

/// The reason of the system without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
