// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in photos and recordings, scores their apparent expression, and writes one table.
//!
//! ```text
//! inputs ──▶ work: queue ──▶ slices: decode ──▶ analysis ──▶ journal ──▶ table: Parquet, CSV, NDJSON
//! ```
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
