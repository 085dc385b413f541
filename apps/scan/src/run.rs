// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run for one set of tables: workers commit results to the journal, the journal becomes the tables, and then the page and
//! the drawn files.

use std::sync::Arc;

use crate::error::Error;
use crate::inputs::Copies;
use crate::journal::Journal;
use crate::output::{annotate, annotations, describe, join};
use crate::platform::put_in_place;
use crate::report;
use crate::scan::{Results, Scan};
use crate::summary::Summary;
use crate::work::schedule;

/// Examines the inputs of a scan and writes their tables. Finished work is kept for the next call with the same options.
pub(crate) fn run(scan: Scan<'_>) -> Result<Summary, Error> {
    let outputs = scan.outputs;
    let journal = Journal::open(&outputs.journal_folder(), &scan.command.examination.fingerprint(scan.models), scan.inputs)?;
    let copies = Copies::new(journal.folder().join("downloads"), scan.inputs, scan.command.timeout)?;
    let journal = Arc::new(schedule::examine(scan, journal, &copies)?);
    let results = Results { scan, journal, copies };
    let mut summary = join::write_tables(&results)?;
    if outputs.part.is_none() {
        describe::write(scan, &summary, 1)?;
    }
    // That of faces is the last one: where it is, the others are too.
    for table in outputs.tables().rev() {
        put_in_place(&results.journal.folder().join(table.name()), &outputs.path_of(table))?;
    }
    if let Some(page) = &outputs.report {
        report::write(page, &scan.provenance.methods(&summary), &results)?;
    }
    annotations::write(&results)?;
    if let Some(folder) = &outputs.annotated {
        summary.add_errors(annotate::write(folder, &results)?);
    }
    results.journal.remove()?;
    Ok(summary)
}
