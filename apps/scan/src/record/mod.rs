// SPDX-License-Identifier: MIT OR Apache-2.0
//! What made the tables: program, networks, properties, libraries, processor, command, times and counts. `results.json` has it
//! beside the tables, and Parquet files have it in their metadata.

pub mod like;
mod methods;
mod networks;
mod software;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gstemotion::export::Utc;
use serde::{Deserialize, Serialize};

use crate::analysis::properties;
use crate::error::Error;
use crate::inputs::Address;
use crate::models::Models;
use crate::options::Options;
use crate::output::Summary;
use crate::setting::Setting;
use crate::table::Table;

pub use networks::Network;
pub use software::{Processor, Software};

/// Version of the fields.
const VERSION: u32 = 1;

/// What is known when a scan begins. The fields are those of `results.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    version: u32,
    /// This program.
    pub program: Program,
    /// The arguments, without secrets; empty if another program called the library.
    command: Vec<String>,
    /// What the rows depend on besides files, networks and program.
    options: RowOptions,
    /// The properties that differ from their defaults, by element.
    properties: BTreeMap<String, BTreeMap<String, String>>,
    /// The networks.
    pub networks: Vec<Network>,
    /// The libraries.
    pub software: Software,
    /// The processor of this machine.
    pub processor: Processor,
    started: String,
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The commit that it was built from; `None` if that is unknown.
    pub commit: Option<String>,
}

/// Options that change rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RowOptions {
    every_s: Option<f64>,
    #[serde(default)]
    exact: bool,
    /// The option `--where-faces`.
    #[serde(default)]
    where_faces_s: Option<f64>,
    /// The option `--turn`; `None` if pictures are not turned.
    #[serde(default)]
    turn: Option<String>,
    /// The option `--geometry`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    geometry: bool,
    set: Vec<String>,
    bins_s: Option<f64>,
}

/// The record of finished tables.
#[derive(Serialize)]
struct Finished<'a> {
    #[serde(flatten)]
    record: &'a Record,
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

impl Record {
    /// The record of a scan that begins now.
    ///
    /// # Errors
    /// If an element is missing or a setting is wrong.
    pub fn begin(options: &Options, models: &Models) -> Result<Self, Error> {
        let settings = options.settings();
        Ok(Self {
            version: VERSION,
            program: Program::this(),
            command: options.command.iter().map(|argument| without_secrets(argument)).collect(),
            options: RowOptions {
                every_s: options.every.map(|every| every.as_secs_f64()),
                exact: options.exact,
                where_faces_s: options.where_faces.map(|every| every.as_secs_f64()),
                turn: options.turn.name(),
                geometry: options.geometry,
                set: settings.iter().map(Setting::to_string).collect(),
                bins_s: options.bins.map(|bins| bins.as_secs_f64()),
            },
            properties: properties::changed(&settings, options.geometry, options.workers().1)?,
            networks: networks::of(models, &settings),
            software: Software::loaded(),
            processor: Processor::this(),
            started: now(),
        })
    }

    /// The record of the tables of `options`, in which `summary` was found, as JSON.
    pub fn finished(&self, options: &Options, summary: &Summary) -> String {
        let name = |path: PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let finished = Finished {
            record: self,
            finished: now(),
            tables: options.tables().into_iter().map(|table| (Table::name(table), name(options.path_of(table)))).collect(),
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
