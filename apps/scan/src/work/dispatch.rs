// SPDX-License-Identifier: MIT OR Apache-2.0
//! Gives the tasks of a scan to workers in other processes.
//!
//! Requests go to standard output and answers come from standard input, as [`super::protocol`] describes them. The process in
//! between may answer in any order. The journal, the order of the rows and the tables are those of a scan on one machine, so a
//! killed scan can continue either way.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::backlog::{Backlog, Running, Task};
use super::protocol::{self, Answer, Request};
use crate::error::Error;
use crate::findings::{FileFacts, SliceResult};
use crate::inputs::Input;
use crate::journal::{Entry, Log};

/// Requests without an answer, and their tasks.
type Pending<'a> = Mutex<HashMap<Request, Running<'a>>>;

/// Writes all requests and commits all answers.
pub fn run(backlog: &Backlog<'_>) -> Result<(), Error> {
    let pending = Mutex::new(HashMap::new());
    let mut log = backlog.create_log()?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_requests(backlog, &pending));
        let read = read_answers(backlog, &pending, &mut log);
        if read.is_err() {
            // Nobody will answer the other tasks.
            backlog.queue.abort();
        }
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read.and(written)
    })
}

fn write_requests<'a>(backlog: &'a Backlog<'_>, pending: &Pending<'a>) -> Result<(), Error> {
    let mut output = std::io::stdout();
    while let Some(running) = backlog.queue.take() {
        let request = request(backlog, running.task);
        // The answer may arrive before `write` returns.
        pending.lock().insert(request.clone(), running);
        protocol::write(&request, &mut output)?;
    }
    Ok(())
}

fn request(backlog: &Backlog<'_>, task: Task) -> Request {
    let (slice, slices) = match task {
        Task::File(_) => (None, Vec::new()),
        Task::Slice(file, slice) => (Some(slice), backlog.slices(file)),
    };
    let Input { key, url, .. } = &backlog.scan.inputs[task.file()];
    Request { file: key.clone(), slice, slices, models: backlog.scan.models.clone(), url: url.clone() }
}

fn read_answers<'a>(backlog: &'a Backlog<'_>, pending: &Pending<'a>, log: &mut Log) -> Result<(), Error> {
    for answer in protocol::answers(std::io::stdin().lock()) {
        let answer = answer?;
        // A request may be answered twice if a second worker received it too.
        let Some(running) = pending.lock().remove(&answer.request) else { continue };
        commit(backlog, running.task.file(), answer, log)?;
        running.done();
        if backlog.queue.is_empty() {
            return Ok(());
        }
    }
    Err(Error::Unanswered)
}

fn commit(backlog: &Backlog<'_>, file: usize, answer: Answer, log: &mut Log) -> Result<(), Error> {
    let Answer { request, facts, result, error } = answer;
    let (facts, result) = match (request.slice, error) {
        (_, None) => (facts, result),
        (None, error) => (Some(FileFacts { error, ..FileFacts::default() }), None),
        (Some(_), error) => (None, Some(SliceResult { error, ..SliceResult::default() })),
    };
    let slices = facts.as_ref().map_or(0, |facts| facts.slices.len());
    if let Some(facts) = facts {
        backlog.commit(file, Entry::File(request.file.clone(), facts), log)?;
    }
    match result {
        Some(result) => backlog.commit(file, Entry::Slice(request.file, request.slice.unwrap_or(0), result), log)?,
        None => backlog.queue.add((0..slices).map(|slice| Task::Slice(file, slice))),
    }
    Ok(())
}
