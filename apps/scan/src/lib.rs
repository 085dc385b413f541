// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in photos and recordings, scores their apparent expression, and writes one table.
//!
//! ```text
//! inputs → run: workers ── copies ── unit: decoder → analysis ──→ journal → table: Parquet, CSV, NDJSON
//! remote ↗         plan: which part of a file is a unit
//! ```
//!
//! | module | does |
//! |---|---|
//! | [`options`] | the command line |
//! | [`error`] | what stops a scan |
//! | [`record`] | what is known about a file, a slice and a face |
//! | [`remote`] | lists and downloads from web servers and object stores |
//! | [`inputs`] | files, folders, lists and URLs to a list of files |
//! | [`copies`] | remote files on this machine while they are examined |
//! | [`plan`] | cuts long files into slices; chooses the frames to examine |
//! | [`models`] | the networks by their contents |
//! | [`orientation`] | how a photo is turned upright |
//! | [`decoder`] | a file to frames |
//! | [`elements`] | the elements of the plugin with their properties |
//! | [`analysis`] | a frame to faces, with the elements of the plugin |
//! | [`mod@unit`] | examines one slice of one file |
//! | [`journal`] | keeps the results of finished slices on disk, so that a killed scan continues |
//! | `lock` | a folder in which one process works at a time |
//! | [`queue`] | the tasks that the workers share |
//! | [`table`] | columns and their writers |
//! | [`progress`] | a progress bar, or lines |
//! | [`report`] | the page of `pipelines/report.sh` |
//! | [`annotate`] | photos and videos with the faces drawn |
//! | [`picture`] | the faces of a picture in memory |
//! | `shared` | what the workers of a run share, and workers on threads |
//! | [`worker`] | a worker in another process |
//! | `dispatch` | gives the tasks to such workers |
//! | `run` | the workers, and the tables at the end |
//! | `partition` | several runs and tables instead of one, for many files |
//! | [`scan`](mod@scan) | the whole scan |

pub mod options;
pub mod error;
pub mod record;
pub mod remote;
pub mod inputs;
pub mod copies;
pub mod plan;
pub mod models;
pub mod orientation;
pub mod decoder;
pub mod elements;
pub mod analysis;
pub mod unit;
mod lock;
pub mod journal;
pub mod queue;
pub mod table;
pub mod progress;
pub mod report;
pub mod annotate;
pub mod picture;
mod shared;
pub mod worker;
mod dispatch;
mod run;
mod partition;
pub mod scan;

pub use error::Error;
pub use options::Options;
pub use run::Summary;
pub use scan::scan;
