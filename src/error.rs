// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one error type of the crate, grouped by whose fault it is.

use std::path::PathBuf;

use crate::geometry::Size;

/// What went wrong; each variant names the file or the numbers that were expected and found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that is needed is at none of the places where it may be.
    #[error("{what} was not found; looked for {}. {remedy}", listed(.looked))]
    NotFound {
        /// What is missing, in words.
        what: String,
        /// Every place that was tried, in order.
        looked: Vec<PathBuf>,
        /// The command or setting that mends it.
        remedy: String,
    },
    /// A file exists but could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// ONNX Runtime's library could not be loaded or started.
    #[error("ONNX Runtime library {}: {message}", path.display())]
    Runtime {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        message: String,
    },
    /// A model file, its description or a cascade is not what it has to be.
    #[error("model {}: expected {expected}, found {found}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What would have been right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A picture's planes do not hold what its format and size promise.
    #[error("{format} picture of {}x{}: plane {plane} needs {expected} bytes, has {found}", size.width, size.height)]
    Image {
        /// The pixel format.
        format: &'static str,
        /// The promised size.
        size: Size,
        /// Index of the plane that is too small.
        plane: usize,
        /// Bytes that the plane needs.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// A network, or a cascade, failed on one frame.
    #[error("inference with {model}: {message}")]
    Inference {
        /// Name of the model.
        model: String,
        /// What the runtime said.
        message: String,
    },
    /// Settings that contradict each other or this build.
    #[error("{0}")]
    Config(String),
}

/// [`std::result::Result`] with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
