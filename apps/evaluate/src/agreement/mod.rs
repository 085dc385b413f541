// SPDX-License-Identifier: MIT OR Apache-2.0
//! Agreement of people's ratings with a table of `emotion-scan`, and of the raters with each other.
//!
//! ```text
//! results.parquet ── faces ──┐
//!                            ├─ segments ─ kappa, alpha, icc ─ report → text, JSON, SVG
//! ratings.csv ────── ratings ┘
//! ```
//!
//! A segment is a part of a file that somebody has rated. Both sides say how an expression looks, so neither is the truth:
//! the agreement of the raters with each other is what the program can be expected to reach.

pub mod faces;
pub mod ratings;
pub mod segments;
pub mod kappa;
pub mod alpha;
pub mod icc;
pub mod report;

use std::path::Path;

use emotion_core::scores::UNKNOWN;

use crate::error::{Error, Result};
use report::Report;

/// Compares the ratings with the table of faces.
///
/// # Errors
/// [`Error::Io`] or [`Error::Data`] if a file cannot be read or is none, or if no rated file is in the table.
pub fn evaluate(table: &Path, ratings: &Path) -> Result<Report> {
    let (faces, rated) = (faces::read(table)?, ratings::read(ratings)?);
    let segments = segments::of(&faces, &rated);
    if segments.iter().all(|segment| segment.file.is_none()) {
        let found = rated.first().map_or("", |rating| rating.file.as_str());
        let known = faces.files.keys().next().map_or("none", String::as_str);
        let message = format!("expected files of {}, such as {known:?}, found {found:?}", table.display());
        return Err(Error::data(ratings, message));
    }
    Ok(Report::of(&segments))
}
