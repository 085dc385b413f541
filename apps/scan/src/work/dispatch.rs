// SPDX-License-Identifier: MIT OR Apache-2.0
//! Gives the tasks of a scan to workers in other processes.
//!
//! Tasks go to standard output and answers come from standard input, one JSON object on each line, as [`crate::work::serve`]
//! describes them. The process in between may answer in any order. Journal, order of the rows and tables are those of a scan
//! on one machine, so a killed scan continues in either way.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Shared;
use super::queue::{self, Running};
use super::serve::{Answer, Task};
use crate::error::Error;
use crate::findings::{FileFacts, SliceResult};
use crate::journal::{Entry, Log};

/// Tasks that were written and are not answered yet.
type Pending<'a> = Mutex<HashMap<Task, Running<'a>>>;

/// Writes all tasks and commits all answers.
///
/// # Errors
/// If the answers end before all tasks are answered, or something cannot be read or written.
pub fn run(shared: &Shared<'_>) -> Result<(), Error> {
    let pending = Mutex::new(HashMap::new());
    let mut log = shared.create_log()?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_tasks(shared, &pending));
        let read = read_answers(shared, &pending, &mut log);
        // Tasks that nobody will answer end as failed, and with them the writer.
        lock(&pending).clear();
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read.and(written)
    })
}

fn write_tasks<'a>(shared: &'a Shared<'_>, pending: &Pending<'a>) -> Result<(), Error> {
    let mut output = std::io::stdout();
    while let Some(running) = shared.queue.take() {
        let task = describe(shared, running.task);
        let line = serde_json::to_string(&task).expect("numbers and texts become JSON");
        lock(pending).insert(task, running);
        writeln!(output, "{line}").and_then(|()| output.flush()).map_err(Error::at("standard output".as_ref()))?;
    }
    Ok(())
}

fn describe(shared: &Shared<'_>, task: queue::Task) -> Task {
    let (slice, slices) = match task {
        queue::Task::File(_) => (None, Vec::new()),
        queue::Task::Slice(file, slice) => (Some(slice), shared.slices(file)),
    };
    Task { file: shared.inputs[task.file()].key.clone(), slice, slices, models: shared.models.clone() }
}

fn read_answers<'a>(shared: &'a Shared<'_>, pending: &Pending<'a>, log: &mut Log) -> Result<(), Error> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(Error::at("standard input".as_ref()))?;
        let answer: Answer =
            serde_json::from_str(&line).map_err(|error| Error::Option(format!("expected an answer, found {line:?}: {error}")))?;
        // A task may be answered twice if it was given to a second worker.
        let Some(running) = lock(pending).remove(&answer.task) else { continue };
        commit(shared, running.task.file(), answer, log)?;
        running.done();
        if shared.queue.is_empty() {
            return Ok(());
        }
    }
    Err(Error::Option("standard input ended before all tasks were answered".into()))
}

fn commit(shared: &Shared<'_>, file: usize, answer: Answer, log: &mut Log) -> Result<(), Error> {
    let Answer { task, facts, result, error } = answer;
    let (facts, result) = match (task.slice, error) {
        (_, None) => (facts, result),
        (None, error) => (Some(FileFacts { error, ..FileFacts::default() }), None),
        (Some(_), error) => (None, Some(SliceResult { error, ..SliceResult::default() })),
    };
    let slices = facts.as_ref().map_or(0, |facts| facts.slices.len());
    if let Some(facts) = facts {
        shared.commit(file, Entry::File(task.file.clone(), facts), log)?;
    }
    match result {
        Some(result) => shared.commit(file, Entry::Slice(task.file, task.slice.unwrap_or(0), result), log)?,
        None => shared.queue.add((0..slices).map(|slice| queue::Task::Slice(file, slice))),
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
