// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run for one pair of tables: workers examine slices and commit them to the journal, and at the end the journal becomes
//! the tables.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::findings::{FileFacts, SliceResult};
use crate::inputs::{Copies, Input};
use crate::journal::Journal;
use crate::models::Models;
use crate::options::Options;
use crate::output::annotate;
use crate::progress::{Counts, Progress, Totals};
use crate::report;
use crate::table::{FaceTable, FileRow, FileTable, Source};
use crate::work::Shared;
use crate::work::dispatch;
use crate::work::queue::Task;

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of files.
    pub files: u64,
    /// Number of examined frames.
    pub frames: u64,
    /// Number of rows in the table of faces.
    pub faces: u64,
    /// Name and error of each file that could not be examined to its end.
    pub errors: Vec<(String, String)>,
}

/// Examines these inputs and writes their tables.
///
/// # Errors
/// If the run cannot start or cannot write. Finished work is kept for the next call with the same options.
pub(crate) fn run(options: &Options, models: &Models, inputs: &[Input]) -> Result<Summary, Error> {
    let journal = Journal::open(&options.parts(), &options.fingerprint(models))?;
    let copies = Copies::new(journal.folder().join("downloads"), inputs, options.timeout)?;
    let journal = examine(options, models, inputs, journal, &copies)?;
    let (faces, files) = (journal.folder().join("faces"), journal.folder().join("files"));
    let mut summary = write_tables(options, models, inputs, &journal, &faces, &files)?;
    publish(&files, &options.files_output())?;
    publish(&faces, &options.output)?;
    let journal = Arc::new(journal);
    summary.errors.extend(show(options, inputs, &journal, &copies)?);
    journal.remove()?;
    Ok(summary)
}

/// Makes the page and the drawn files that are asked for. Returns name and error of each file that could not be drawn.
fn show(options: &Options, inputs: &[Input], journal: &Arc<Journal>, copies: &Copies) -> Result<Vec<(String, String)>, Error> {
    if let Some(page) = &options.report {
        let name = options.output.file_name().unwrap_or_default().to_string_lossy();
        report::write(page, &name, inputs, journal, copies)?;
    }
    options.annotated.as_ref().map_or(Ok(Vec::new()), |folder| annotate::write(folder, options, inputs, journal, copies))
}

fn write_tables(
    options: &Options,
    models: &Models,
    inputs: &[Input],
    journal: &Journal,
    faces: &Path,
    files: &Path,
) -> Result<Summary, Error> {
    let (format, settings, classifier) = (options.format()?, options.fingerprint(models), options.classifier());
    let source = Source { classifier: &classifier, models };
    let table = FaceTable::new(format, journal.labels(), source, &settings, create(faces)?).map_err(Error::at(faces))?;
    let file_table = FileTable::new(format, &settings, create(files)?).map_err(Error::at(files))?;
    join(inputs, journal, table, file_table)
}

/// Examines what the journal does not have yet.
fn examine(options: &Options, models: &Models, inputs: &[Input], journal: Journal, copies: &Copies) -> Result<Journal, Error> {
    let tasks = remaining(inputs, &journal);
    if tasks.is_empty() {
        return Ok(journal);
    }
    tasks.iter().for_each(|task| copies.begin(task.file(), 1));
    let counts = Arc::new(Counts::default());
    let totals = totals(&tasks, inputs);
    let progress = (!options.quiet).then(|| Progress::start(counts.clone(), totals));
    let shared = Shared::new(options, models, inputs, copies, journal, tasks, counts);
    let ended = if options.dispatch { dispatch::run(&shared) } else { shared.work_on_threads() };
    drop(progress);
    ended.map(|()| shared.into_journal())
}

/// What the journal does not have yet, in the order of the files.
fn remaining(inputs: &[Input], journal: &Journal) -> VecDeque<Task> {
    let tasks_of = |(file, input): (usize, &Input)| match journal.facts(&input.key) {
        _ if input.error.is_some() => Vec::new(),
        None => vec![Task::File(file)],
        // A file of one slice is opened again, which is what examines it.
        Some(facts) if facts.slices.len() == 1 && !journal.has_slice(&input.key, 0) => vec![Task::File(file)],
        Some(facts) => {
            let missing = (0..facts.slices.len()).filter(|slice| !journal.has_slice(&input.key, *slice));
            missing.map(|slice| Task::Slice(file, slice)).collect()
        }
    };
    inputs.iter().enumerate().flat_map(tasks_of).collect()
}

fn totals(tasks: &VecDeque<Task>, inputs: &[Input]) -> Totals {
    let mut files: Vec<usize> = tasks.iter().map(|task| task.file()).collect();
    files.dedup();
    Totals { files: files.len() as u64, bytes: files.iter().map(|&file| inputs[file].key.size).sum() }
}

/// Writes both tables from the journal, in the order of the files.
fn join(inputs: &[Input], journal: &Journal, mut faces: FaceTable<'_>, mut files: FileTable<'_>) -> Result<Summary, Error> {
    let mut summary = Summary::default();
    let failed = |error| Error::at(journal.folder())(error);
    for input in inputs {
        let facts = journal.facts(&input.key).cloned().unwrap_or_default();
        let mut row = file_row(input, &facts);
        for slice in 0..facts.slices.len() {
            let result = journal.slice(&input.key, slice)?.unwrap_or_default();
            result.faces.iter().try_for_each(|face| faces.write(&row.file, slice, row.frames, face)).map_err(failed)?;
            add_slice(&mut row, result);
        }
        files.write(&row).map_err(failed)?;
        summary.add(row);
    }
    faces.finish().and_then(|()| files.finish()).map_err(failed)?;
    Ok(summary)
}

fn file_row(input: &Input, facts: &FileFacts) -> FileRow {
    let error = input.error.clone().or_else(|| facts.error.clone());
    FileRow { file: input.key.name.clone(), kind: facts.kind, length_ns: facts.length_ns, error, ..FileRow::default() }
}

fn add_slice(row: &mut FileRow, slice: SliceResult) {
    row.frames += slice.frames;
    row.examined += slice.examined;
    row.faces += slice.faces.len() as u64;
    row.size = slice.size.or(row.size);
    row.error = row.error.take().or(slice.error);
}

impl Summary {
    fn add(&mut self, row: FileRow) {
        self.files += 1;
        self.frames += row.examined;
        self.faces += row.faces;
        self.errors.extend(row.error.map(|error| (row.file, error)));
    }

    /// Adds what was found in other files.
    pub(crate) fn extend(&mut self, other: Self) {
        self.files += other.files;
        self.frames += other.frames;
        self.faces += other.faces;
        self.errors.extend(other.errors);
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    File::create(path).map(BufWriter::new).map_err(Error::at(path))
}

/// Makes a finished table visible: it replaces an earlier one as a whole. It is on disk before the journal is removed.
fn publish(part: &Path, output: &Path) -> Result<(), Error> {
    File::open(part).and_then(|file| file.sync_all()).map_err(Error::at(part))?;
    fs::rename(part, output).map_err(Error::at(output))?;
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::at(folder))
}
