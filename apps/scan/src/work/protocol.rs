// SPDX-License-Identifier: MIT OR Apache-2.0
//! The messages between a scan and workers in other processes: requests and answers, one JSON object per line.
//!
//! A request names a file and one of its slices, or no slice: then the worker finds out what the file is, and examines it at
//! once if it is a single slice. The worker needs the same file, with the same name, size and time of the last change, and the
//! same models. It downloads a remote file.

use std::io::{BufRead, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::findings::{FileFacts, FileKey, SliceResult};
use crate::models::Models;

/// Something to examine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The file.
    pub file: FileKey,
    /// Number of the slice; `None` if it is not known yet what the file is.
    pub slice: Option<usize>,
    /// Start of each slice, in nanoseconds of the file's time.
    pub slices: Vec<u64>,
    /// The models that examine it.
    pub models: Models,
    /// The whole URL of a remote file, if its name is without a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Box<str>>,
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The request.
    #[serde(rename = "task")]
    pub request: Request,
    /// What the file is, if the request asked for it.
    #[serde(default)]
    pub facts: Option<FileFacts>,
    /// Faces of the slice, or of the only slice of a file.
    #[serde(default)]
    pub result: Option<SliceResult>,
    /// Why this worker could not do it. Another worker may succeed.
    #[serde(default)]
    pub error: Option<String>,
}

/// The requests of a scan.
pub(super) fn requests(input: impl BufRead) -> impl Iterator<Item = Result<Request, Error>> {
    input.lines().map(|line| parse(line, "a task"))
}

/// The answers of workers.
pub(super) fn answers(input: impl BufRead) -> impl Iterator<Item = Result<Answer, Error>> {
    input.lines().map(|line| parse(line, "an answer"))
}

fn parse<T: DeserializeOwned>(line: std::io::Result<String>, expected: &'static str) -> Result<T, Error> {
    let line = line.map_err(Error::at("standard input".as_ref()))?;
    serde_json::from_str(&line).map_err(|source| {
        // A URL may have a secret.
        let line = line.split("\"url\"").next().unwrap_or_default().to_owned();
        Error::Message { expected, line, source }
    })
}

/// Writes a request or an answer, and lets the other side see it.
pub(super) fn write(message: &impl Serialize, output: &mut impl Write) -> Result<(), Error> {
    let line = serde_json::to_string(message).expect("numbers and texts become JSON");
    writeln!(output, "{line}").and_then(|()| output.flush()).map_err(Error::at("standard output".as_ref()))
}
