// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tasks of a run that are left, and the journal that receives their results. All workers of the run share it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::{Condvar, Mutex};

use crate::error::Error;
use crate::inputs::Copies;
use crate::journal::{Entry, Journal, Log};
use crate::progress::Counts;
use crate::scan::Scan;

/// What the workers of a run share.
pub(crate) struct Backlog<'a> {
    /// What is examined, and how.
    pub(crate) scan: Scan<'a>,
    /// The remote files among them on this machine.
    pub(crate) copies: &'a Copies,
    journal: Mutex<Journal>,
    /// The tasks that nobody has taken yet.
    pub(crate) queue: Queue,
    /// What is finished.
    pub(crate) counts: Arc<Counts>,
}

impl<'a> Backlog<'a> {
    /// What is needed for `tasks`.
    pub(crate) fn new(scan: Scan<'a>, copies: &'a Copies, journal: Journal, tasks: VecDeque<Task>, counts: Arc<Counts>) -> Self {
        Self { scan, copies, journal: Mutex::new(journal), queue: Queue::new(tasks), counts }
    }

    /// The journal, once all work is done.
    pub(crate) fn into_journal(self) -> Journal {
        self.journal.into_inner()
    }

    /// A log of the journal for one worker.
    pub(crate) fn create_log(&self) -> Result<Log, Error> {
        self.journal.lock().create_log()
    }

    /// Starts of the slices of a file.
    pub(crate) fn slices(&self, file: usize) -> Vec<u64> {
        self.journal.lock().facts(file).map(|facts| facts.slices.clone()).unwrap_or_default()
    }

    /// Writes a result to the worker's log and counts what is finished.
    pub(crate) fn commit(&self, file: usize, entry: Entry, log: &mut Log) -> Result<(), Error> {
        let written = log.append(&entry)?;
        let mut journal = self.journal.lock();
        let is_slice = matches!(entry, Entry::Slice(..));
        journal.note(file, entry, written);
        let slices = journal.facts(file).map_or(0, |facts| facts.slices.len());
        if is_slice || slices == 0 {
            let size = self.scan.inputs[file].key.size;
            self.counts.bytes.fetch_add(size / slices.max(1) as u64, Ordering::Relaxed);
        }
        if (0..slices).all(|slice| journal.has_slice(file, slice)) {
            self.counts.files.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Something that a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Opens file number `.0`, cuts it into slices and examines the first one.
    File(usize),
    /// Examines slice `.1` of file number `.0`.
    Slice(usize, usize),
}

impl Task {
    /// The number of the file.
    pub fn file(self) -> usize {
        match self {
            Self::File(file) | Self::Slice(file, _) => file,
        }
    }
}

/// The tasks. A worker waits while another one may still add slices.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState {
    tasks: VecDeque<Task>,
    running: usize,
    is_aborted: bool,
}

impl Queue {
    /// A queue of these tasks.
    pub fn new(tasks: VecDeque<Task>) -> Self {
        Self { state: Mutex::new(QueueState { tasks, running: 0, is_aborted: false }), changed: Condvar::new() }
    }

    /// The next task; `None` when all are done or a worker has failed.
    pub fn take(&self) -> Option<Running<'_>> {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| !state.is_aborted && state.tasks.is_empty() && state.running > 0);
        let task = if state.is_aborted { None } else { state.tasks.pop_front() }?;
        state.running += 1;
        Some(Running { queue: self, task, is_done: false })
    }

    /// Adds slices before all other tasks, so that a file is finished before the next ones begin.
    pub fn add(&self, slices: impl DoubleEndedIterator<Item = Task>) {
        let mut state = self.state.lock();
        slices.rev().for_each(|slice| state.tasks.push_front(slice));
        drop(state);
        self.changed.notify_all();
    }

    /// True if there is nothing left to do, and nothing being done.
    pub fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.tasks.is_empty() && state.running == 0
    }

    /// Lets all workers stop after their tasks.
    pub fn abort(&self) {
        self.state.lock().is_aborted = true;
        self.changed.notify_all();
    }

    fn end_task(&self, is_failed: bool) {
        let mut state = self.state.lock();
        state.running -= 1;
        state.is_aborted |= is_failed;
        drop(state);
        self.changed.notify_all();
    }
}

/// A task in progress. If it is dropped before it is done, by an error or a panic, the other workers stop too. Otherwise they
/// would wait for its slices.
#[derive(Debug)]
pub struct Running<'a> {
    queue: &'a Queue,
    /// What to do.
    pub task: Task,
    is_done: bool,
}

impl Running<'_> {
    /// Ends the task.
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.queue.end_task(!self.is_done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the next task and ends it at once.
    fn finish_next(queue: &Queue) -> Option<Task> {
        let running = queue.take()?;
        let task = running.task;
        running.done();
        Some(task)
    }

    #[test]
    fn slices_come_before_other_files_and_workers_wait_for_them() {
        let queue = Queue::new([Task::File(0), Task::File(1)].into());
        let first = queue.take().unwrap();
        assert_eq!(first.task, Task::File(0));
        queue.add((1..3).map(|slice| Task::Slice(0, slice)));
        let others: Vec<_> = (0..3).map(|_| finish_next(&queue)).collect();
        assert_eq!(others, [Some(Task::Slice(0, 1)), Some(Task::Slice(0, 2)), Some(Task::File(1))]);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| finish_next(&queue));
            queue.add(std::iter::once(Task::Slice(0, 3)));
            assert_eq!(waiting.join().unwrap(), Some(Task::Slice(0, 3)));
        });
        first.done();
        assert_eq!(finish_next(&queue), None);
    }

    #[test]
    fn a_worker_that_fails_stops_those_that_wait() {
        let queue = Queue::new([Task::File(0)].into());
        let failing = queue.take();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| finish_next(&queue));
            drop(failing);
            assert_eq!(waiting.join().unwrap(), None);
        });
    }

    #[test]
    fn a_queue_that_was_given_up_has_no_tasks_though_one_is_running() {
        let queue = Queue::new([Task::File(0), Task::File(1)].into());
        let _running = queue.take();
        queue.abort();
        assert!(queue.take().is_none());
    }
}
