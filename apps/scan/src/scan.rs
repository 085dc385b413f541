// SPDX-License-Identifier: MIT OR Apache-2.0
//! A scan to one set of tables, and what it has found in each file.

use std::sync::Arc;

use crate::command_line::CommandLine;
use crate::error::Error;
use crate::findings::{FileFacts, SliceResult};
use crate::inputs::{Copies, Input};
use crate::journal::Journal;
use crate::models::Models;
use crate::outputs::Outputs;
use crate::provenance::Provenance;
use crate::sampling::SILENT_NS;

/// A scan to one set of tables.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'a> {
    /// How it runs, and how files are examined.
    pub(crate) command: &'a CommandLine,
    /// What it writes; of a partition, one part.
    pub(crate) outputs: &'a Outputs,
    pub(crate) models: &'a Models,
    /// What makes the tables.
    pub(crate) provenance: &'a Provenance,
    pub(crate) inputs: &'a [Input],
}

/// The results of a scan, which its journal has.
pub(crate) struct Results<'a> {
    pub(crate) scan: Scan<'a>,
    pub(crate) journal: Arc<Journal>,
    /// The remote files on this machine.
    pub(crate) copies: Copies,
}

pub(crate) struct FileResults<'a> {
    /// Its number among the inputs.
    pub(crate) number: usize,
    pub(crate) input: &'a Input,
    pub(crate) facts: FileFacts,
    journal: &'a Journal,
}

/// The result of a slice, and where it is in the file.
pub(crate) struct Slice {
    pub(crate) number: usize,
    pub(crate) start_ns: u64,
    /// `None` if the length of the file is unknown.
    pub(crate) end_ns: Option<u64>,
    pub(crate) result: SliceResult,
}

impl Results<'_> {
    /// The results of each file.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileResults<'_>> {
        self.scan.inputs.iter().enumerate().map(|(number, input)| {
            let mut facts = self.journal.facts(number).cloned().unwrap_or_default();
            facts.length_ns = facts.length_ns.map(|length| bounded(length, self.journal.end_ns(number)));
            FileResults { number, input, facts, journal: &self.journal }
        })
    }
}

/// The length that a header says, unless the last frame of the video ends later, or more than [`SILENT_NS`] before.
fn bounded(length_ns: u64, end_ns: Option<u64>) -> u64 {
    end_ns.filter(|end| *end > length_ns || length_ns - end > SILENT_NS).unwrap_or(length_ns)
}

impl FileResults<'_> {
    /// The result of each slice.
    pub(crate) fn slices(&self) -> impl Iterator<Item = Result<Slice, Error>> {
        let FileFacts { slices, length_ns, .. } = &self.facts;
        slices.iter().enumerate().map(|(number, start_ns)| {
            let end_ns = slices.get(number + 1).copied().or(*length_ns);
            let result = self.journal.slice(self.number, number)?.unwrap_or_default();
            Ok(Slice { number, start_ns: *start_ns, end_ns, result })
        })
    }
}
