// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a file is not read.

use std::io;

use crate::format::{Format, Unread};
use crate::limits::{MAX_BYTES, TooManyPixels};

/// Why there are no pictures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{text}")]
    Io {
        /// The kind of error.
        kind: io::ErrorKind,
        /// What the system says.
        text: String,
    },
    /// A photo of a kind that has to be converted first.
    #[error("expected a photo that can be read, found {}; convert it first, for example with {}", .0.found, .0.tool)]
    Unread(Unread),
    /// The picture has too many pixels.
    #[error(transparent)]
    TooManyPixels(#[from] TooManyPixels),
    /// The decoded picture takes too much memory.
    #[error("expected a photo that takes at most {} GiB, found {width} x {height} pixels that take more", MAX_BYTES >> 30)]
    TooManyBytes {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// This build has no decoder for the format.
    #[error("found a photo in {0} format, which this program was built without; build it with --features heif")]
    BuiltWithout(Format),
    /// The library for the format has no decoder installed.
    #[error("found a photo in {format} format, for which libheif has no decoder; install {package}")]
    NoDecoder {
        /// The format.
        format: Format,
        /// Debian's package with the decoder.
        package: &'static str,
    },
    /// The decoder does not know this kind of the format.
    #[error("found a {format} photo of an unsupported kind: {reason}; convert it first, for example with ImageMagick")]
    Unsupported {
        /// The format.
        format: Format,
        /// What the decoder says.
        reason: String,
    },
    /// The contents are damaged or incomplete.
    #[error("found a damaged {format} photo: {reason}")]
    Damaged {
        /// The format.
        format: Format,
        /// What the decoder says.
        reason: String,
    },
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
