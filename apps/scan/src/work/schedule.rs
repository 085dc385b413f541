// SPDX-License-Identifier: MIT OR Apache-2.0
//! Examines what the journal does not have yet.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use super::backlog::{Backlog, Task};
use super::{dispatch, threads};
use crate::error::Error;
use crate::inputs::{Copies, Input};
use crate::journal::Journal;
use crate::progress::{Counts, Progress, Totals};
use crate::scan::Scan;

/// Examines what `journal` does not have yet, on threads or in other processes, and returns the complete journal.
pub(crate) fn examine(scan: Scan<'_>, journal: Journal, copies: &Copies) -> Result<Journal, Error> {
    let Scan { command, inputs, .. } = scan;
    let mut tasks = remaining(inputs, &journal);
    if command.dispatch {
        // The largest first: at the end, all machines are busy until shortly before the last one is.
        tasks.make_contiguous().sort_by_cached_key(|task| Reverse(size(*task, inputs, &journal)));
    }
    if tasks.is_empty() {
        return Ok(journal);
    }
    // A file that is to be opened is announced when a worker takes it.
    tasks.iter().filter(|task| matches!(task, Task::Slice(..))).for_each(|task| copies.begin(task.file(), 1));
    let counts = Arc::new(Counts::default());
    let totals = totals(&tasks, inputs, &journal);
    let readable = inputs.iter().filter(|input| input.error.is_none()).count() as u64;
    if !command.quiet && totals.files < readable {
        eprintln!("{} of {readable} files are finished", readable - totals.files);
    }
    let progress = (!command.quiet).then(|| Progress::start(counts.clone(), totals));
    let backlog = Backlog::new(scan, copies, journal, tasks, counts);
    let ended = if command.dispatch { dispatch::run(&backlog) } else { threads::run(&backlog) };
    drop(progress);
    ended.map(|()| backlog.into_journal())
}

/// What the journal does not have yet, in the order of the files.
fn remaining(inputs: &[Input], journal: &Journal) -> VecDeque<Task> {
    let tasks_of = |(file, input): (usize, &Input)| match journal.facts(file) {
        _ if input.error.is_some() => Vec::new(),
        None => vec![Task::File(file)],
        // A file of one slice is opened again, which is what examines it.
        Some(facts) if facts.slices.len() == 1 && !journal.has_slice(file, 0) => vec![Task::File(file)],
        Some(facts) => {
            let missing = (0..facts.slices.len()).filter(|slice| !journal.has_slice(file, *slice));
            missing.map(|slice| Task::Slice(file, slice)).collect()
        }
    };
    inputs.iter().enumerate().flat_map(tasks_of).collect()
}

/// The sizes of what is left. The tasks of a file follow one another.
fn totals(tasks: &VecDeque<Task>, inputs: &[Input], journal: &Journal) -> Totals {
    let is_new = |(index, task): &(usize, &Task)| *index == 0 || tasks[index - 1].file() != task.file();
    let files = tasks.iter().enumerate().filter(is_new).count() as u64;
    Totals { files, bytes: tasks.iter().map(|task| size(*task, inputs, journal)).sum() }
}

/// The bytes of a task. All slices of a file count alike.
fn size(task: Task, inputs: &[Input], journal: &Journal) -> u64 {
    let slices = match task {
        Task::File(_) => 1,
        Task::Slice(file, _) => journal.facts(file).map_or(1, |facts| facts.slices.len().max(1)),
    };
    inputs[task.file()].key.size / slices as u64
}
