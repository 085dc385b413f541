// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the workers of a run share, and their work on threads of this process.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::queue::{Queue, Task};
use crate::analysis::Analyser;
use crate::decode::{Decoder, Failure};
use crate::error::Error;
use crate::inputs::{Copies, Input};
use crate::journal::{Entry, Journal, Log};
use crate::models::Models;
use crate::options::Options;
use crate::progress::Counts;
use crate::slices::examine;

/// What the workers of a run share.
pub(crate) struct Shared<'a> {
    options: &'a Options,
    /// The models that the rows come from.
    pub(crate) models: &'a Models,
    /// The files of the scan.
    pub(crate) inputs: &'a [Input],
    copies: &'a Copies,
    journal: Mutex<Journal>,
    /// The tasks that nobody has taken yet.
    pub(crate) queue: Queue,
    counts: Arc<Counts>,
}

/// What a worker has once it has a task.
struct Tools {
    analyser: Analyser,
    log: Log,
}

impl<'a> Shared<'a> {
    /// What is needed for `tasks`.
    pub(crate) fn new(
        options: &'a Options,
        models: &'a Models,
        inputs: &'a [Input],
        copies: &'a Copies,
        journal: Journal,
        tasks: VecDeque<Task>,
        counts: Arc<Counts>,
    ) -> Self {
        Self { options, models, inputs, copies, journal: Mutex::new(journal), queue: Queue::new(tasks), counts }
    }

    /// The journal, once all work is done.
    pub(crate) fn into_journal(self) -> Journal {
        self.journal.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Examines everything on threads of this process.
    pub(crate) fn work_on_threads(&self) -> Result<(), Error> {
        let (jobs, threads) = self.options.workers();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| self.work(threads))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// The life of one worker.
    fn work(&self, threads: u32) -> Result<(), Error> {
        let mut tools = None;
        while let Some(running) = self.queue.take() {
            self.tools(&mut tools, threads).and_then(|tools| self.run(running.task, tools))?;
            self.copies.end(running.task.file());
            running.done();
        }
        Ok(())
    }

    fn tools<'t>(&self, tools: &'t mut Option<Tools>, threads: u32) -> Result<&'t mut Tools, Error> {
        if tools.is_none() {
            let analyser = Analyser::new(&self.options.settings(), threads)?;
            *tools = Some(Tools { analyser, log: self.create_log()? });
        }
        Ok(tools.as_mut().expect("set above"))
    }

    /// A log of the journal for one worker.
    pub(crate) fn create_log(&self) -> Result<Log, Error> {
        lock(&self.journal).create_log()
    }

    fn run(&self, task: Task, tools: &mut Tools) -> Result<(), Error> {
        match task {
            Task::File(file) => self.examine_file(file, tools),
            Task::Slice(file, slice) => {
                let decoder = self.open(file)?;
                self.examine_slice(file, slice, &self.slices(file), decoder, tools)
            }
        }
    }

    /// Opens a file, which is downloaded first if it is remote. The inner error is that of the file.
    fn open(&self, file: usize) -> Result<Result<Decoder, Failure>, Error> {
        let path = self.copies.path(file, &self.inputs[file])?;
        Ok(path.map_err(Failure::Download).and_then(|path| Decoder::open(&path, self.options.timeout)))
    }

    /// Starts of the slices of a file.
    pub(crate) fn slices(&self, file: usize) -> Vec<u64> {
        lock(&self.journal).facts(&self.inputs[file].key).map(|facts| facts.slices.clone()).unwrap_or_default()
    }

    fn examine_file(&self, file: usize, tools: &mut Tools) -> Result<(), Error> {
        let input = &self.inputs[file];
        let (facts, decoder) = examine::inspect(self.open(file)?);
        let starts = facts.slices.clone();
        self.commit(file, Entry::File(input.key.clone(), facts), &mut tools.log)?;
        self.copies.begin(file, starts.len().saturating_sub(1));
        self.queue.add((1..starts.len()).map(|slice| Task::Slice(file, slice)));
        decoder.map_or(Ok(()), |decoder| self.examine_slice(file, 0, &starts, Ok(decoder), tools))
    }

    fn examine_slice(
        &self,
        file: usize,
        index: usize,
        starts: &[u64],
        decoder: Result<Decoder, Failure>,
        tools: &mut Tools,
    ) -> Result<(), Error> {
        let input = &self.inputs[file];
        let result = examine::examine_at(input, index, starts, decoder, &mut tools.analyser, self.options.every, &self.counts);
        self.commit(file, Entry::Slice(input.key.clone(), index, result), &mut tools.log)
    }

    /// Writes a result to the worker's log and counts what is finished.
    pub(crate) fn commit(&self, file: usize, entry: Entry, log: &mut Log) -> Result<(), Error> {
        let key = &self.inputs[file].key;
        let written = log.append(&entry)?;
        let mut journal = lock(&self.journal);
        let is_slice = matches!(entry, Entry::Slice(..));
        journal.note(entry, written);
        let slices = journal.facts(key).map_or(0, |facts| facts.slices.len());
        if is_slice || slices == 0 {
            self.counts.bytes.fetch_add(key.size / slices.max(1) as u64, Ordering::Relaxed);
        }
        if (0..slices).all(|slice| journal.has_slice(key, slice)) {
            self.counts.files.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
