// SPDX-License-Identifier: MIT OR Apache-2.0
//! Workers on threads of this process.

use super::Backlog;
use super::queue::Task;
use crate::analysis::Analyser;
use crate::decode::{Failure, Frames};
use crate::error::Error;
use crate::journal::{Entry, Log};
use crate::slices::{examine, inspect};

/// Examines everything.
///
/// # Errors
/// The first error of a worker; the others stop after their tasks.
pub fn run(backlog: &Backlog<'_>) -> Result<(), Error> {
    let (jobs, threads) = backlog.options.workers();
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
    analyser: Analyser,
    log: Log,
}

impl<'a> Worker<'a> {
    fn new(backlog: &'a Backlog<'a>, threads: u32) -> Result<Self, Error> {
        let analyser = Analyser::new(&backlog.options.settings(), backlog.options.geometry, threads)?;
        Ok(Self { backlog, analyser, log: backlog.create_log()? })
    }

    fn run(&mut self, task: Task) -> Result<(), Error> {
        match task {
            Task::File(file) => self.examine_file(file),
            Task::Slice(file, slice) => {
                let decoder = self.open(file)?;
                self.examine_slice(file, slice, &self.backlog.slices(file), decoder)
            }
        }
    }

    /// Opens a file, and downloads it first if it is remote. The inner error concerns the file.
    fn open(&self, file: usize) -> Result<Result<Frames, Failure>, Error> {
        let path = self.backlog.copies.path(file, &self.backlog.inputs[file])?;
        let options = self.backlog.options;
        Ok(path.map_err(Failure::from).and_then(|path| Frames::open(&path, options.timeout, options.schedule().first())))
    }

    fn examine_file(&mut self, file: usize) -> Result<(), Error> {
        let backlog = self.backlog;
        let (facts, decoder) = inspect::inspect(self.open(file)?);
        let starts = facts.slices.clone();
        backlog.commit(file, Entry::File(backlog.inputs[file].key.clone(), facts), &mut self.log)?;
        backlog.copies.begin(file, starts.len().saturating_sub(1));
        backlog.queue.add((1..starts.len()).map(|slice| Task::Slice(file, slice)));
        decoder.map_or(Ok(()), |decoder| self.examine_slice(file, 0, &starts, Ok(decoder)))
    }

    fn examine_slice(&mut self, file: usize, index: usize, starts: &[u64], decoder: Result<Frames, Failure>) -> Result<(), Error> {
        let Backlog { inputs, options, counts, .. } = self.backlog;
        let input = &inputs[file];
        let result = examine::examine_at(input, index, starts, decoder, &mut self.analyser, options, counts);
        self.backlog.commit(file, Entry::Slice(input.key.clone(), index, result), &mut self.log)
    }
}
