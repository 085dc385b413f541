// SPDX-License-Identifier: MIT OR Apache-2.0
//! What made the tables: program, networks, properties, libraries, processor, command, times and counts. `results.json` has it
//! beside the tables, and Parquet files have it in their metadata.

pub mod like;
mod methods;
mod networks;
mod software;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use emotion_core::export::Utc;
use serde::{Deserialize, Serialize};

use crate::analysis::properties;
use crate::command_line::CommandLine;
use crate::error::Error;
use crate::examination::Examination;
use crate::inputs::Address;
use crate::models::Models;
use crate::outputs::Outputs;
use crate::sampling::in_seconds;
use crate::summary::Summary;

pub use networks::{Network, of as networks};
pub use software::{Processor, Software};

/// Version of the fields.
const VERSION: u32 = 1;

/// What is known when a scan begins. The fields are those of `results.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    version: u32,
    pub program: Program,
    /// The arguments, without secrets; empty if another program called the library.
    command: Vec<String>,
    /// What the rows depend on besides files, networks and program.
    options: TableOptions,
    /// The properties that differ from their defaults, by element.
    properties: BTreeMap<String, BTreeMap<String, String>>,
    pub networks: Vec<Network>,
    pub software: Software,
    pub processor: Processor,
    started: String,
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub name: String,
    pub version: String,
    /// The commit that it was built from; `None` if that is unknown.
    pub commit: Option<String>,
}

/// The options that the tables depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TableOptions {
    #[serde(flatten)]
    examination: Examination,
    #[serde(default, with = "in_seconds")]
    bins_s: Option<Duration>,
}

/// What made finished tables.
#[derive(Serialize)]
struct Finished<'a> {
    #[serde(flatten)]
    provenance: &'a Provenance,
    finished: String,
    tables: BTreeMap<&'static str, String>,
    counts: Counts,
}

#[derive(Serialize)]
struct Counts {
    files: u64,
    frames: u64,
    faces: u64,
    unreadable_files: u64,
}

impl Provenance {
    /// Of a scan that begins now.
    pub fn begin(command: &CommandLine, models: &Models) -> Result<Self, Error> {
        let examination = command.examination.recorded();
        Ok(Self {
            version: VERSION,
            program: Program::this(),
            command: command.arguments.iter().map(|argument| without_secrets(argument)).collect(),
            properties: properties::changed(&examination.set, examination.geometry, command.workers().1)?,
            networks: networks::of(models, &examination.set),
            options: TableOptions { examination, bins_s: command.outputs.bins },
            software: Software::loaded(),
            processor: Processor::this(),
            started: now(),
        })
    }

    /// As JSON, once `summary` was found for the tables of `outputs`.
    pub fn finished(&self, outputs: &Outputs, summary: &Summary) -> String {
        let name = |path: PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let finished = Finished {
            provenance: self,
            finished: now(),
            tables: outputs.tables().map(|table| (table.name(), name(outputs.path_of(table)))).collect(),
            counts: Counts { files: summary.files, frames: summary.frames, faces: summary.faces, unreadable_files: summary.unreadable },
        };
        serde_json::to_string_pretty(&finished).expect("numbers and texts become JSON") + "\n"
    }
}

impl Program {
    /// This program. The plugin, which is linked into it, knows the commit.
    fn this() -> Self {
        let plugin = gst::Registry::get().find_plugin("emotion").map(|plugin| plugin.version().to_string()).unwrap_or_default();
        let commit = plugin.split_once('-').map(|(_, commit)| commit.to_owned()).filter(|commit| !commit.is_empty());
        Self { name: "emotion-scan".into(), version: env!("CARGO_PKG_VERSION").into(), commit }
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)?;
        self.commit.as_ref().map_or(Ok(()), |commit| write!(f, " ({commit})"))
    }
}

/// An argument, a URL without its secrets.
fn without_secrets(argument: &str) -> String {
    Address::parse(Path::new(argument)).map_or_else(|| argument.to_owned(), |address| address.name())
}

/// The present time.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Utc(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_no_secrets() {
        assert_eq!(without_secrets("https://me:secret@host/a.mp4?token=1234"), "https://***@host/a.mp4?token=***");
        assert_eq!(without_secrets("--every"), "--every");
        assert_eq!(without_secrets("clips/a.mp4"), "clips/a.mp4");
    }
}
