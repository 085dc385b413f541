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
//! | [`sampling`] | which frames of a video are examined |
//! | [`error`] | what stops a scan |
//! | `platform` | what depends on the operating system |
//! | [`findings`] | what is known about a file, a slice and a face |
//! | [`models`] | the networks by their contents |
//! | [`progress`] | a progress bar, or lines |
//! | [`table`] | columns and their writers |
//! | [`turn`] | pictures that lie on their side |
//! | [`options`] | the command line |
//! | [`inputs`] | files, folders, lists and URLs to a list of files, and copies of remote files |
//! | [`decode`] | a file to upright frames |
//! | [`analysis`] | a frame to faces, with the elements of the plugin |
//! | [`picture`] | the faces of a picture in memory |
//! | [`slices`] | cuts long files into slices, and examines one |
//! | [`journal`] | keeps the results of finished slices on disk, so that a killed scan continues |
//! | [`work`] | threads or other processes examine what is not in the journal yet |
//! | [`record`] | what made the tables, and scans that repeat an earlier one |
//! | [`report`] | the page of `pipelines/report.sh` |
//! | [`output`] | the journal to tables, and to photos and videos with the faces drawn |
//! | `run` | one set of tables: the work, the tables, the page |
//! | `partition` | several runs and tables instead of one, for many files |
//! | [`scan`](mod@scan) | the whole scan |
//!
//! A module uses those above it.

pub mod setting;
pub mod sampling;
pub mod error;
mod platform;
pub mod findings;
pub mod models;
pub mod progress;
pub mod table;
pub mod turn;
pub mod options;
pub mod inputs;
pub mod decode;
pub mod analysis;
pub mod picture;
pub mod slices;
pub mod journal;
pub mod work;
pub mod record;
pub mod report;
pub mod output;
mod run;
mod partition;
pub mod scan;

pub use error::Error;
pub use options::Options;
pub use output::Summary;
pub use scan::scan;
