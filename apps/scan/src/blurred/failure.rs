// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a file has no copy with hidden faces.

use std::path::{Path, PathBuf};

use crate::decode;
use crate::error::Error;
use crate::inputs::Unavailable;
use crate::upright::Unplayed;

/// Why a file has no copy with hidden faces.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Unreadable(#[from] decode::Failure),
    #[error(transparent)]
    Unplayed(#[from] Unplayed),
    /// A pipeline cannot be built.
    #[error(transparent)]
    Pipeline(#[from] Error),
    /// A frame cannot be searched or hidden.
    #[error(transparent)]
    Frame(#[from] emotion_core::error::Error),
    #[error("the decoder returned a buffer that is no picture")]
    NoPicture,
    #[error("expected {expected} frames as when the file was searched, found {found}")]
    Frames { expected: usize, found: usize },
    #[error("{}: expected no file or one of an earlier call, found another one; choose another folder, or move it away", .0.display())]
    NotOurs(PathBuf),
}

impl Failure {
    /// The failure of the file, unless nothing can be written any more.
    ///
    /// # Errors
    /// The error that ends the whole call.
    pub(super) fn unless_disk(self, output: &Path) -> Result<Self, Error> {
        let is_disk = |error: &gst::glib::Error| {
            [gst::ResourceError::NoSpaceLeft, gst::ResourceError::Write, gst::ResourceError::OpenWrite]
                .iter()
                .any(|kind| error.matches(*kind))
        };
        match self {
            Self::Unplayed(Unplayed::Element(error)) if is_disk(&error) => {
                Err(Error::Unwritten { path: output.to_owned(), text: error.message().to_owned() })
            }
            Self::Pipeline(error @ (Error::NoVideoEncoder(_) | Error::Io { .. })) => Err(error),
            other => Ok(other),
        }
    }
}
