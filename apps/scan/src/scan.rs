// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scan: one set of tables for all inputs, or several.

use crate::analysis::{self, Analyser, elements};
use crate::error::Error;
use crate::options::Options;
use crate::output::{Summary, annotate};
use crate::run::run;
use crate::{inputs, partition};

/// Examines the inputs of `options` and writes the tables.
///
/// # Errors
/// If the scan cannot start or cannot write. Finished work is kept for the next call with the same options.
pub fn scan(options: &Options) -> Result<Summary, Error> {
    options.check()?;
    analysis::start_elements()?;
    let settings = options.settings();
    elements::check(&settings)?;
    let inputs = inputs::collect(options)?;
    options.annotated.as_ref().map_or(Ok(()), |folder| annotate::check(folder, &inputs))?;
    // The workers load them too, but finished work must be compared with them first.
    let models = Analyser::new(&settings, 1)?.models();
    match options.partition {
        Some(files) => partition::scan(options, &models, &inputs, files.get()),
        None => run(options, &models, &inputs),
    }
}
