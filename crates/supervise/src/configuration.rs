// SPDX-License-Identifier: MIT OR Apache-2.0
//! Configuration files, in TOML.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a file is not used.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
pub struct ConfigurationError {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub reason: Reason,
}

/// What is wrong with a file.
#[derive(Debug, Error)]
pub enum Reason {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It has a syntax error, an unknown key or a wrong value.
    #[error("{}", .0.to_string().trim_end())]
    Invalid(#[from] toml::de::Error),
}

/// The content of the file at `path`, or of standard input if `path` is `-`.
///
/// # Errors
/// If it cannot be read, or has an error.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigurationError> {
    let text = || if path == Path::new("-") { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) };
    let read = || Ok(toml::from_str(&text()?)?);
    read().map_err(|reason| ConfigurationError { path: path.to_owned(), reason })
}
