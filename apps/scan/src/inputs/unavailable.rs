// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a file cannot be examined before it is opened.

use std::fmt;
use std::fs::FileType;
use std::io;
use std::time::Duration;

/// Why a file is not there, or not the one that was listed. Its text is the error in the table of files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Unavailable {
    #[error("expected a file or folder, found {0:?}")]
    Kind(FileType),
    #[error("{text}")]
    Io {
        kind: io::ErrorKind,
        /// What the system says.
        text: String,
    },
    #[error("expected a URL: {0}")]
    NotAUrl(String),
    /// An `s3://` URL has no bucket, or a user name in its place.
    #[error("expected s3://BUCKET/KEY; names and secrets belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")]
    Bucket,
    #[error("expected the key of an object: {0}")]
    Key(String),
    /// No object has a key with this prefix.
    #[error("expected objects below this prefix, found none")]
    EmptyPrefix,
    #[error("expected a file, found none ({0})")]
    Missing(Status),
    #[error("expected a file that may be read, found: {0}; check the credentials and their rights")]
    Refused(Status),
    #[error("expected a file, the server answered {0}")]
    Server(Status),
    #[error("expected data, found none within {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("expected a connection to the server, found: {0}")]
    Unreachable(String),
    #[error("expected the whole file, the connection broke: {0}")]
    Broken(String),
    #[error("expected {expected} bytes, found {found}")]
    Short { expected: u64, found: u64 },
    #[error("the file was changed while it was examined")]
    Changed,
    /// The client fails for another reason.
    #[error("expected a file, found: {0}")]
    Other(String),
}

impl From<io::Error> for Unavailable {
    fn from(error: io::Error) -> Self {
        Self::Io { kind: error.kind(), text: error.to_string() }
    }
}

/// Why there is no copy of a remote file.
#[derive(Debug)]
pub enum Failure {
    /// It cannot be fetched.
    Unavailable(Unavailable),
    /// The copy cannot be written.
    Disk(io::Error),
}

/// The status of a server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The number.
    pub code: u16,
    /// Its name, such as `Not Found`.
    pub name: String,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.name)
    }
}
