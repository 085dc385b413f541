// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in photos and recordings, scores their apparent expression, and writes one table.
//!
//! ```text
//! inputs ──▶ work: queue ──▶ slices: decode ──▶ analysis ──▶ journal ──▶ table: Parquet, CSV, NDJSON
//! ```
//!
//! | module | does |
//! |---|---|
//! | [`setting`] | a property of an element with its value |
//! | `sampling` | which frames of a video are examined |
//! | [`models`] | the networks by their contents |
//! | [`error`] | what stops a scan |
//! | `platform` | what depends on the operating system |
//! | [`findings`] | what is known about a file, a slice and a face |
//! | `progress` | a progress bar, or lines |
//! | [`turn`] | pictures that lie on their side |
//! | [`table`] | columns and their writers |
//! | [`examination`] | what the rows depend on besides files and networks |
//! | [`outputs`] | what is written, and where |
//! | [`command_line`] | both, and how the program runs |
//! | [`summary`] | what a scan found, in numbers |
//! | [`inputs`] | files, folders, lists and URLs to a list of files, and copies of remote files |
//! | `decode` | a file to upright frames |
//! | [`analysis`] | a frame to faces, with the elements of the plugin |
//! | [`picture`] | the faces of a picture in memory |
//! | `slices` | cuts long files into slices, and examines one |
//! | [`sequence`] | a file to frames with faces, one after another |
//! | `journal` | keeps the results of finished slices on disk, so that a killed scan continues |
//! | `provenance` | what made the tables, and scans that repeat an earlier one |
//! | `scan` | a scan to one set of tables, and its results |
//! | [`work`] | threads or other processes examine what is not in the journal yet |
//! | `report` | the page of `pipelines/report.sh` |
//! | `upright` | pipelines that read upright frames and end in one's own elements |
//! | `output` | the journal to tables, and to photos and videos with the faces drawn |
//! | [`blurred`] | photos and videos with every face hidden |
//! | `run` | one set of tables: the work, the tables, the page |
//! | `partition` | several runs and tables instead of one, for many files |
//! | `start` | the whole scan |
//! | `program` | the command `emotion-scan` |
//!
//! A module uses those above it.

pub mod setting;
mod sampling;
pub mod models;
pub mod error;
mod platform;
pub mod findings;
mod progress;
pub mod turn;
pub mod table;
pub mod examination;
pub mod outputs;
pub mod command_line;
pub mod summary;
pub mod inputs;
mod decode;
pub mod analysis;
pub mod picture;
mod slices;
pub mod sequence;
mod journal;
mod provenance;
mod scan;
pub mod work;
mod report;
mod upright;
mod output;
pub mod blurred;
mod run;
mod partition;
mod start;
mod program;

pub use command_line::CommandLine;
pub use decode::{Failure, Limits};
pub use error::Error;
pub use program::{command, main};
pub use provenance::{Network, networks};
pub use start::scan;
pub use summary::Summary;
