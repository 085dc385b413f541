// SPDX-License-Identifier: MIT OR Apache-2.0
//! Workers on threads of this process.

use super::backlog::{Backlog, Task};
use crate::decode::{Failure, Frames};
use crate::error::Error;
use crate::journal::{Entry, Log};
use crate::slices::Examiner;

/// Examines everything. After the first error of a worker, the others stop after their tasks.
pub fn run(backlog: &Backlog<'_>) -> Result<(), Error> {
    let (jobs, threads) = backlog.scan.command.workers();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| work(backlog, threads))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// The life of one worker, whose networks have `threads` threads each. It loads them once it has a task.
fn work(backlog: &Backlog<'_>, threads: u32) -> Result<(), Error> {
    let mut worker = None;
    while let Some(running) = backlog.queue.take() {
        let worker = match &mut worker {
            Some(worker) => worker,
            none => none.insert(Worker::new(backlog, threads)?),
        };
        if let Task::File(file) = running.task {
            backlog.copies.begin(file, 1);
        }
        worker.run(running.task)?;
        backlog.copies.end(running.task.file());
        running.done();
    }
    Ok(())
}

/// A worker with loaded networks.
struct Worker<'a> {
    backlog: &'a Backlog<'a>,
    examiner: Examiner<'a>,
    log: Log,
}

impl<'a> Worker<'a> {
    fn new(backlog: &'a Backlog<'a>, threads: u32) -> Result<Self, Error> {
        let examiner = Examiner::new(backlog.scan.command, threads, &backlog.counts)?;
        Ok(Self { backlog, examiner, log: backlog.create_log()? })
    }

    fn run(&mut self, task: Task) -> Result<(), Error> {
        // The file is downloaded first if it is remote.
        let file = task.file();
        let opened = self.examiner.open(self.backlog.copies.path(file, &self.backlog.scan.inputs[file])?);
        match task {
            Task::File(_) => self.examine_file(file, opened),
            Task::Slice(_, slice) => self.examine_slice(file, slice, &self.backlog.slices(file), opened),
        }
    }

    fn examine_file(&mut self, file: usize, opened: Result<Frames, Failure>) -> Result<(), Error> {
        let backlog = self.backlog;
        let (facts, decoder) = self.examiner.inspect(opened);
        let starts = facts.slices.clone();
        backlog.commit(file, Entry::File(backlog.scan.inputs[file].key.clone(), facts), &mut self.log)?;
        backlog.copies.begin(file, starts.len().saturating_sub(1));
        backlog.queue.add((1..starts.len()).map(|slice| Task::Slice(file, slice)));
        decoder.map_or(Ok(()), |decoder| self.examine_slice(file, 0, &starts, Ok(decoder)))
    }

    fn examine_slice(&mut self, file: usize, index: usize, starts: &[u64], opened: Result<Frames, Failure>) -> Result<(), Error> {
        let input = &self.backlog.scan.inputs[file];
        let result = self.examiner.examine(input, index, starts, opened);
        self.backlog.commit(file, Entry::Slice(input.key.clone(), index, result), &mut self.log)
    }
}
