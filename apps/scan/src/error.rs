// SPDX-License-Identifier: MIT OR Apache-2.0
//! What stops a scan. A file that cannot be read does not: it gets a row with the error.

use std::io;
use std::path::{Path, PathBuf};

use emotion_supervise::chain::ChainError;
use emotion_supervise::encoding::NoEncoder;
use emotion_supervise::setting::SettingError;
use gst::glib;

use crate::models::Models;

/// An error that stops the scan. What was finished before stays in the folder of the journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Error {
    #[error("--output: expected a .parquet, .csv or .ndjson file, found {}", .0.display())]
    UnknownFormat(PathBuf),
    #[error("--list: expected a file, found -; with --dispatch, answers come from standard input")]
    ListFromStandardInput,
    #[error("expected photos, videos, folders or --list, found none")]
    NoInputs,
    #[error(
        "expected files and folders, found a URL; this program was built without remote inputs. `make build` or `cargo build \
         --release --package emotion-scan --features remote` builds it with them"
    )]
    NoRemoteInputs,
    #[error("--set {0}")]
    Setting(#[from] SettingError),
    #[error("--output: {} would be replaced, and is no table of a scan; choose another name", .0.display())]
    TableReplaced(PathBuf),
    #[error("--annotated: {} would be replaced; choose another folder", .0.display())]
    InputReplaced(PathBuf),
    /// A line of standard input is not the JSON object that belongs there.
    #[error("expected {expected}, found {line:?}: {source}")]
    Message { expected: &'static str, line: String, source: serde_json::Error },
    #[error("standard input ended before all tasks were answered")]
    Unanswered,
    #[error("expected {width}x{height} pixels of 1 or 3 bytes, found {bytes} bytes, {channels} for each pixel")]
    Pixels { width: u32, height: u32, channels: u32, bytes: usize },
    #[error(transparent)]
    Chain(ChainError),
    /// No encoder of videos is installed.
    #[error(transparent)]
    NoVideoEncoder(#[from] NoEncoder),
    #[error("expected one of the encoders {}, found none", .0.join(", "))]
    NoSoundEncoder(Vec<&'static str>),
    /// GStreamer does not start, or a pipeline cannot be built.
    #[error(transparent)]
    GStreamer(#[from] glib::Error),
    /// Elements cannot be put together.
    #[error(transparent)]
    Pipeline(#[from] glib::BoolError),
    /// Two pads cannot be linked.
    #[error(transparent)]
    Link(#[from] gst::PadLinkError),
    /// An element does not start, and has posted no error.
    #[error(transparent)]
    StateChange(#[from] gst::StateChangeError),
    /// An element has refused a frame, and has posted no error.
    #[error("the analysis failed: {0}")]
    Flow(gst::FlowError),
    /// An element has posted this error.
    #[error("{0}")]
    Element(String),
    #[error("the analysis returned no frame")]
    NoFrame,
    #[error("expected a thread for network connections, found: {0}")]
    NetworkThread(io::Error),
    #[error("--like: {}: expected results.json of an earlier scan, but {reason}", path.display())]
    NoRecord { path: PathBuf, reason: String },
    #[error("--like: expected the networks of {}, {expected}; found {found}", record.display())]
    OtherNetworks { record: PathBuf, expected: Box<Models>, found: Box<Models> },
    /// Copies with hidden faces cannot be written any more.
    #[error("{error}; finished: {}", if finished.is_empty() { "none".to_owned() } else { finished.join(", ") })]
    Stopped { error: Box<Self>, finished: Vec<String> },
    /// A copy with hidden faces cannot be written.
    #[error("{}: {text}", path.display())]
    Unwritten { path: PathBuf, text: String },
    #[error("--blurred: {} is none of an earlier call and would be replaced; choose another folder", .0.display())]
    PageReplaced(PathBuf),
    #[error("--report: {0}")]
    Report(emotion_page::Error),
    /// A file of the scan itself cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: another scan is writing to this folder; wait for it or choose another --output", .0.display())]
    Busy(PathBuf),
    #[error(
        "{}: expected an unfinished scan of version {expected}, found one of {found}, whose rows may differ; finish it with that \
         version, or remove the folder to start again",
        folder.display()
    )]
    OtherVersion { folder: PathBuf, expected: String, found: String },
    #[error(
        "{}: expected the unfinished scan of {expected}, found one of {found}; repeat that command with its models, or remove the folder to start again",
        folder.display()
    )]
    OtherSettings {
        folder: PathBuf,
        expected: String,
        /// The settings of the scan in the folder, as JSON.
        found: String,
    },
}

impl From<ChainError> for Error {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Setting(error) => Self::Setting(error),
            other => Self::Chain(other),
        }
    }
}

impl Error {
    /// Turns an I/O error into one that names the file.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// True if the caller has given a wrong option or wrong data, so that the same call cannot succeed.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::UnknownFormat(_)
                | Self::ListFromStandardInput
                | Self::NoInputs
                | Self::NoRemoteInputs
                | Self::Setting(_)
                | Self::TableReplaced(_)
                | Self::InputReplaced(_)
                | Self::PageReplaced(_)
                | Self::NoRecord { .. }
                | Self::OtherNetworks { .. }
                | Self::Message { .. }
                | Self::Unanswered
                | Self::Pixels { .. }
        )
    }
}
