// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run for one set of tables: workers commit results to the journal, the journal becomes the tables, and then the page and
//! the drawn files.

use std::sync::Arc;

use crate::error::Error;
use crate::inputs::{Copies, Input};
use crate::journal::Journal;
use crate::models::Models;
use crate::options::Options;
use crate::output::join::write_tables;
use crate::output::publish::publish;
use crate::output::{self, Summary, annotate, annotations};
use crate::record::Record;
use crate::report;
use crate::work::schedule;

/// Examines these inputs and writes their tables.
///
/// # Errors
/// If the run cannot start or cannot write. Finished work is kept for the next call with the same options.
pub(crate) fn run(options: &Options, models: &Models, inputs: &[Input], record: &Record) -> Result<Summary, Error> {
    let journal = Journal::open(&options.parts(), &options.fingerprint(models), inputs)?;
    let copies = Copies::new(journal.folder().join("downloads"), inputs, options.timeout)?;
    let journal = schedule::examine(options, models, inputs, journal, &copies)?;
    let mut summary = write_tables(options, models, inputs, &journal, record)?;
    if options.part.is_none() {
        output::describe(options, &summary, 1, record)?;
    }
    // That of faces is the last one: where it is, the others are too.
    for table in options.tables().into_iter().rev() {
        publish(&journal.folder().join(table.name()), &options.path_of(table))?;
    }
    let journal = Arc::new(journal);
    let undrawn = show(options, (record, &summary), inputs, &journal, &copies)?;
    summary.extend_errors(undrawn, 0);
    journal.remove()?;
    Ok(summary)
}

/// Makes the page, the annotations and the drawn files that are asked for. Returns name and error of each file that could not be drawn.
fn show(
    options: &Options,
    (record, summary): (&Record, &Summary),
    inputs: &[Input],
    journal: &Arc<Journal>,
    copies: &Copies,
) -> Result<Vec<(String, String)>, Error> {
    if let Some(page) = &options.report {
        let name = options.output.file_name().unwrap_or_default().to_string_lossy();
        report::write(page, &name, &record.methods(summary), inputs, journal, copies)?;
    }
    annotations::write(options, inputs, journal)?;
    options.annotated.as_ref().map_or(Ok(Vec::new()), |folder| annotate::write(folder, options, inputs, journal, copies))
}
