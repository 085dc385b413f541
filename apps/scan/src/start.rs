// SPDX-License-Identifier: MIT OR Apache-2.0
//! Starts a scan: with one set of tables for all inputs, or several.

use crate::analysis::{self, Analyser, elements};
use crate::command_line::CommandLine;
use crate::error::Error;
use crate::output::annotate;
use crate::provenance::Provenance;
use crate::provenance::like::Recorded;
use crate::run::run;
use crate::scan::Scan;
use crate::summary::Summary;
use crate::{inputs, partition};

/// Examines the inputs of `command` and writes the tables.
///
/// # Errors
/// If the scan cannot start or cannot write. Finished work is kept for the next call with the same options.
pub fn scan(command: &CommandLine) -> Result<Summary, Error> {
    command.check()?;
    let recorded = command.like.as_deref().map(Recorded::read).transpose()?;
    let command = &recorded.as_ref().map_or_else(|| command.clone(), |recorded| recorded.apply(command));
    analysis::start_elements()?;
    let (settings, geometry, outputs) = (command.examination.settings(), command.examination.geometry, &command.outputs);
    elements::check(&settings, geometry)?;
    let inputs = &inputs::collect(command)?;
    outputs.annotated.as_ref().map_or(Ok(()), |folder| annotate::check(folder, inputs))?;
    // The workers load them too, but finished work must be compared with them first.
    let models = &Analyser::new(&settings, geometry, 1)?.models();
    if let Some(recorded) = &recorded {
        recorded.check(models)?;
        recorded.note().filter(|_| !command.quiet).iter().for_each(|note| eprintln!("emotion-scan: {note}"));
    }
    let provenance = &Provenance::begin(command, models)?;
    let scan = Scan { command, outputs, models, provenance, inputs };
    outputs.partition.map_or_else(|| run(scan), |files| partition::run_parts(scan, files.get()))
}
