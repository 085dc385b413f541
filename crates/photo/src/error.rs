// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a file is not read.

use std::io;

use crate::format::{Format, Unread};
use crate::limits::{MAX_BYTES, TooManyPixels};

/// Why there are no pictures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Error {
    #[error("{text}")]
    Io { kind: io::ErrorKind, text: String },
    #[error("expected a photo that can be read, found {}; convert it first, for example with {}", .0.found, .0.tool)]
    Unread(Unread),
    #[error(transparent)]
    TooManyPixels(#[from] TooManyPixels),
    #[error("expected a photo that takes at most {} GiB, found {width} x {height} pixels that take more", MAX_BYTES >> 30)]
    TooManyBytes { width: u32, height: u32 },
    #[error("found a photo in {0} format, which this program was built without; build it with --features heif")]
    BuiltWithout(Format),
    #[error("found a photo in {format} format, for which libheif has no decoder; install {package}")]
    NoDecoder { format: Format, package: &'static str },
    #[error("found a {format} photo of an unsupported kind: {reason}; convert it first, for example with ImageMagick")]
    Unsupported { format: Format, reason: String },
    #[error("found a damaged {format} photo: {reason}")]
    Damaged { format: Format, reason: String },
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io { kind: error.kind(), text: error.to_string() }
    }
}

impl Error {
    /// The error of a decoder for `format`, which has found a picture of this size if it got that far.
    pub(crate) fn of_decoder(format: Format, error: image::ImageError, (width, height): (u32, u32)) -> Self {
        match error {
            image::ImageError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => error.into(),
            image::ImageError::Unsupported(error) => Self::Unsupported { format, reason: error.to_string() },
            image::ImageError::Limits(_) => Self::TooManyBytes { width, height },
            error => Self::Damaged { format, reason: error.to_string() },
        }
    }
}
