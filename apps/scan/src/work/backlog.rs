// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tasks of a run that are left, and the journal that receives their results. All workers of the run share it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::queue::{Queue, Task};
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
