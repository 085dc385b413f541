// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scan: one set of tables for all inputs, or several.

use crate::analysis::{self, Analyser, elements};
use crate::error::Error;
use crate::options::Options;
use crate::output::{Summary, annotate};
use crate::record::Record;
use crate::record::like::Recorded;
use crate::run::run;
use crate::{inputs, partition};

/// Examines the inputs of `options` and writes the tables.
///
/// # Errors
/// If the scan cannot start or cannot write. Finished work is kept for the next call with the same options.
pub fn scan(options: &Options) -> Result<Summary, Error> {
    options.check()?;
    let like = options.like.as_deref().map(|path| Ok::<_, Error>((Recorded::read(path)?, path))).transpose()?;
    let options = &like.as_ref().map_or_else(|| Ok(options.clone()), |(recorded, path)| recorded.apply(options, path))?;
    analysis::start_elements()?;
    let settings = options.settings();
    elements::check(&settings, options.geometry)?;
    let inputs = inputs::collect(options)?;
    options.annotated.as_ref().map_or(Ok(()), |folder| annotate::check(folder, &inputs))?;
    // The workers load them too, but finished work must be compared with them first.
    let models = Analyser::new(&settings, options.geometry, 1)?.models();
    if let Some((recorded, path)) = &like {
        recorded.check(&models, path)?;
        recorded.note().filter(|_| !options.quiet).iter().for_each(|note| eprintln!("emotion-scan: {note}"));
    }
    let record = Record::begin(options, &models)?;
    match options.partition {
        Some(files) => partition::scan(options, &models, &inputs, files.get(), &record),
        None => run(options, &models, &inputs, &record),
    }
}
