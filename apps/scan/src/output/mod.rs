// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the journal to what the user asked for: tables, annotations, and files with the faces drawn.

mod faces_by_time;
mod drawing;
pub mod annotate;
pub mod annotations;
pub(crate) mod join;
pub(crate) mod publish;

pub use annotations::Annotations;
pub use join::Summary;

use crate::error::Error;
use crate::journal::write_whole;
use crate::options::Options;
use crate::record::Record;
use crate::table::{Layout, classes_of, dictionary};

/// Writes what describes the tables: the record of the scan, and the dictionary of the columns. `parts` is the number of files of
/// each table.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn describe(options: &Options, summary: &Summary, parts: usize, record: &Record) -> Result<(), Error> {
    let layout = Layout { classes: classes_of(&summary.classes), has_geometry: options.geometry };
    let dictionary = dictionary::package(options, &layout, parts);
    for (path, text) in [(options.record(), record.finished(options, summary)), (options.dictionary(), dictionary)] {
        write_whole(&path, text.as_bytes()).map_err(Error::at(&path))?;
    }
    Ok(())
}
