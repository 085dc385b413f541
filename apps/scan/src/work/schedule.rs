// SPDX-License-Identifier: MIT OR Apache-2.0
//! Examines what the journal does not have yet.

use std::collections::VecDeque;
use std::sync::Arc;

use super::queue::Task;
use super::{Backlog, dispatch, threads};
use crate::error::Error;
use crate::inputs::{Copies, Input};
use crate::journal::Journal;
use crate::models::Models;
use crate::options::Options;
use crate::progress::{Counts, Progress, Totals};

/// Examines what `journal` does not have yet, on threads or in other processes, and returns the complete journal.
///
/// # Errors
/// If a worker does not start, or something cannot be written.
pub(crate) fn examine(options: &Options, models: &Models, inputs: &[Input], journal: Journal, copies: &Copies) -> Result<Journal, Error> {
    let tasks = remaining(inputs, &journal);
    if tasks.is_empty() {
        return Ok(journal);
    }
    tasks.iter().for_each(|task| copies.begin(task.file(), 1));
    let counts = Arc::new(Counts::default());
    let totals = totals(&tasks, inputs);
    let progress = (!options.quiet).then(|| Progress::start(counts.clone(), totals));
    let backlog = Backlog::new(options, models, inputs, copies, journal, tasks, counts);
    let ended = if options.dispatch { dispatch::run(&backlog) } else { threads::run(&backlog) };
    drop(progress);
    ended.map(|()| backlog.into_journal())
}

/// What the journal does not have yet, in the order of the files.
fn remaining(inputs: &[Input], journal: &Journal) -> VecDeque<Task> {
    let tasks_of = |(file, input): (usize, &Input)| match journal.facts(&input.key) {
        _ if input.error.is_some() => Vec::new(),
        None => vec![Task::File(file)],
        // A file of one slice is opened again, which is what examines it.
        Some(facts) if facts.slices.len() == 1 && !journal.has_slice(&input.key, 0) => vec![Task::File(file)],
        Some(facts) => {
            let missing = (0..facts.slices.len()).filter(|slice| !journal.has_slice(&input.key, *slice));
            missing.map(|slice| Task::Slice(file, slice)).collect()
        }
    };
    inputs.iter().enumerate().flat_map(tasks_of).collect()
}

fn totals(tasks: &VecDeque<Task>, inputs: &[Input]) -> Totals {
    let mut files: Vec<usize> = tasks.iter().map(|task| task.file()).collect();
    files.dedup();
    Totals { files: files.len() as u64, bytes: files.iter().map(|&file| inputs[file].key.size).sum() }
}
