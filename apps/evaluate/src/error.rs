// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of an evaluation.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why a model was not measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Error {
    #[error(transparent)]
    Core(#[from] emotion_core::error::Error),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: {message}", path.display())]
    Data { path: PathBuf, message: String },
    #[error("JPEG of a picture: {0}")]
    Jpeg(#[from] image::ImageError),
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
