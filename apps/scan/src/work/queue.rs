// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tasks that the workers of a scan share.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

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
}
