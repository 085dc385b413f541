// SPDX-License-Identifier: MIT OR Apache-2.0
//! The error type of the crate, grouped by cause.

use std::path::PathBuf;

use crate::geometry::Size;

/// An error of this crate. Each variant contains the file, or the expected and the found numbers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A required file is at none of the searched paths.
    #[error("{what} was not found; searched: {}. {remedy}", list(.looked))]
    NotFound {
        /// Description of the missing file.
        what: String,
        /// The searched paths, in order.
        looked: Vec<PathBuf>,
        /// The command or setting that fixes it.
        remedy: String,
    },
    /// A file exists but could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The library of ONNX Runtime could not be loaded or initialised.
    #[error("ONNX Runtime library {}: {message}", path.display())]
    Runtime {
        /// The library.
        path: PathBuf,
        /// Message of the loader.
        message: String,
    },
    /// A model file, its description or a cascade is invalid.
    #[error("model {}: expected {expected}, found {found}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The name of a model is a path, although models are searched by name.
    #[error("{name:?} is not the name of a model: the model folders are searched by name, not by path")]
    ModelName {
        /// The name.
        name: String,
    },
    /// The library of ONNX Runtime was built without an execution provider.
    #[error(
        "execution provider {provider} is not part of the ONNX Runtime library {}, which offers {}; choose one of these",
        library.display(),
        available.join(", ")
    )]
    ProviderMissing {
        /// Name of the provider.
        provider: &'static str,
        /// The library.
        library: PathBuf,
        /// Names of the providers that the library has.
        available: Vec<&'static str>,
    },
    /// An execution provider cannot run a model, for example because its driver is missing.
    #[error("execution provider {provider} with {}: {message}", model.display())]
    ProviderFailed {
        /// Name of the provider.
        provider: &'static str,
        /// The file of the model.
        model: PathBuf,
        /// Message of the runtime.
        message: String,
    },
    /// The library of an execution provider cannot be loaded.
    #[error("execution provider library {}: {message}", library.display())]
    ProviderLibrary {
        /// The library.
        library: PathBuf,
        /// Message of the runtime.
        message: String,
    },
    /// An execution provider has no device, or none that was asked for.
    #[error(
        "the execution provider in {} has no device{}; it can use: {}; devices of this machine: {}; install the driver of the device (for \
         WebGPU on Linux also libvulkan1), or choose another device or provider",
        library.display(),
        if wanted.is_empty() { String::new() } else { format!(" {wanted:?}") },
        if usable.is_empty() { "none".into() } else { usable.join(", ") },
        found.join(", ")
    )]
    ProviderDevice {
        /// The library of the provider.
        library: PathBuf,
        /// The device that was asked for; empty for any.
        wanted: String,
        /// The devices that the provider can use.
        usable: Vec<String>,
        /// The devices that ONNX Runtime found for all providers.
        found: Vec<String>,
    },
    /// A plane of a picture is too small for the format and the size.
    #[error("{format} picture of {}x{}: plane {plane} needs {expected} bytes, has {found}", size.width, size.height)]
    Image {
        /// The pixel format.
        format: &'static str,
        /// The declared size.
        size: Size,
        /// Index of the plane that is too small.
        plane: usize,
        /// Number of bytes that the plane needs.
        expected: usize,
        /// Number of bytes that it has.
        found: usize,
    },
    /// A buffer does not fit its caps, or its metadata does not fit its memory.
    #[error("{0}")]
    Buffer(String),
    /// A network or a cascade failed on a frame.
    #[error("inference with {model}: {message}")]
    Inference {
        /// Name of the model.
        model: String,
        /// Message of the runtime.
        message: String,
    },
    /// The operating system cannot start a thread.
    #[error("could not start the thread {name}: {source}")]
    Thread {
        /// Name of the thread.
        name: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Settings that contradict each other, or that this build does not support.
    #[error("{0}")]
    Config(String),
}

impl Error {
    /// What happened and what to do about it, in words for the user of an application. [`details`](Self::details) has the
    /// rest.
    pub fn message(&self) -> String {
        match self {
            Self::NotFound { what, remedy, .. } => format!("{what} was not found. {remedy}."),
            Self::Io { path, source } => format!("Cannot open {}: {source}. Check its path and permissions.", path.display()),
            Self::Runtime { path, .. } => {
                format!("The ONNX Runtime library {} cannot be loaded. Remove it, or set ORT_DYLIB_PATH to another one.", path.display())
            }
            Self::Model { path, expected, .. } => {
                let path = path.display();
                format!("The model {path} cannot be used: expected {expected}. Check the file and its description, or choose another one.")
            }
            Self::Image { .. } => "A picture is smaller than its caps say. Put videoconvert before this element.".into(),
            Self::Inference { model, .. } => format!("Running {model} failed. Choose another model or execution provider."),
            _ => format!("{self}."),
        }
    }

    /// What helps to find the cause and is not in [`message`](Self::message); none if there is no more to say.
    pub fn details(&self) -> Option<String> {
        match self {
            Self::NotFound { looked, .. } => Some(format!("searched: {}", list(looked))),
            Self::Runtime { message, .. } | Self::Inference { message, .. } => Some(message.clone()),
            Self::Model { found, .. } => Some(format!("found {found}")),
            Self::Image { .. } => Some(self.to_string()),
            _ => None,
        }
    }
}

/// [`std::result::Result`] with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
