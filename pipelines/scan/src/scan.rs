// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scan: workers examine slices and commit them to the journal; at the end the journal becomes the tables.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use crate::analysis::{self, Analyser};
use crate::copies::Copies;
use crate::decoder::{Decoder, Failure};
use crate::error::Error;
use crate::inputs::{self, Input};
use crate::journal::{Entry, Journal, Log};
use crate::options::Options;
use crate::progress::{Counts, Progress, Totals};
use crate::queue::{Queue, Task};
use crate::record::{FileFacts, SliceResult};
use crate::table::{FaceTable, FileRow, FileTable};
use crate::{annotate, dispatch, partition, report, unit};

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

/// Examines the inputs of `options` and writes the tables.
///
/// # Errors
/// If the scan cannot start or cannot write. Finished work is kept for the next call with the same options.
pub fn scan(options: &Options) -> Result<Summary, Error> {
    options.check()?;
    start_elements()?;
    analysis::elements(&options.set, 1)?;
    let inputs = inputs::collect(options)?;
    options.annotated.as_ref().map_or(Ok(()), |folder| annotate::check(folder, &inputs))?;
    match options.partition {
        Some(files) => partition::scan(options, &inputs, files.get()),
        None => scan_inputs(options, &inputs),
    }
}

/// Examines these inputs and writes their tables.
///
/// # Errors
/// As [`scan`](fn@scan).
pub(crate) fn scan_inputs(options: &Options, inputs: &[Input]) -> Result<Summary, Error> {
    let journal = Journal::open(&options.parts(), &options.fingerprint())?;
    let copies = Copies::new(journal.folder().join("downloads"), inputs, options.timeout)?;
    let journal = examine(options, inputs, journal, &copies)?;
    let (faces, files) = (journal.folder().join("faces"), journal.folder().join("files"));
    let mut summary = write_tables(options, inputs, &journal, &faces, &files)?;
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

fn write_tables(options: &Options, inputs: &[Input], journal: &Journal, faces: &Path, files: &Path) -> Result<Summary, Error> {
    let (format, settings, classifier) = (options.format()?, options.fingerprint(), options.classifier());
    let table = FaceTable::new(format, journal.labels(), &classifier, &settings, create(faces)?).map_err(Error::at(faces))?;
    let file_table = FileTable::new(format, &settings, create(files)?).map_err(Error::at(files))?;
    join(inputs, journal, table, file_table)
}

/// Starts GStreamer with the elements linked into this program.
///
/// # Errors
/// If GStreamer does not start.
pub fn start_elements() -> Result<(), Error> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || {
        gst::init().map_err(|error| error.to_string())?;
        gstemotion::plugin_register_static().map_err(|error| error.to_string())
    };
    STARTED.get_or_init(start).clone().map_err(Error::Elements)
}

/// Examines what the journal does not have yet.
fn examine(options: &Options, inputs: &[Input], journal: Journal, copies: &Copies) -> Result<Journal, Error> {
    let tasks = remaining(inputs, &journal);
    if tasks.is_empty() {
        return Ok(journal);
    }
    tasks.iter().for_each(|task| copies.begin(task.file(), 1));
    let counts = Arc::new(Counts::default());
    let totals = totals(&tasks, inputs);
    let progress = (!options.quiet).then(|| Progress::start(counts.clone(), totals));
    let shared = Shared { options, inputs, copies, journal: Mutex::new(journal), queue: Queue::new(tasks), counts };
    let ended = if options.dispatch { dispatch::run(&shared) } else { work(&shared) };
    drop(progress);
    ended.map(|()| shared.journal.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Examines everything on threads of this process.
fn work(shared: &Shared<'_>) -> Result<(), Error> {
    let (jobs, threads) = shared.options.workers();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| shared.work(threads))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the workers share.
pub(crate) struct Shared<'a> {
    options: &'a Options,
    pub(crate) inputs: &'a [Input],
    copies: &'a Copies,
    journal: Mutex<Journal>,
    pub(crate) queue: Queue,
    counts: Arc<Counts>,
}

/// What a worker has once it has a task.
struct Tools {
    analyser: Analyser,
    log: Log,
}

impl Shared<'_> {
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
            let analyser = Analyser::new(&self.options.set, threads)?;
            *tools = Some(Tools { analyser, log: self.create_log()? });
        }
        Ok(tools.as_mut().expect("set above"))
    }

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
        Ok(path.map_err(Failure::Broken).and_then(|path| Decoder::open(&path, self.options.timeout)))
    }

    /// Starts of the slices of a file.
    pub(crate) fn slices(&self, file: usize) -> Vec<u64> {
        lock(&self.journal).facts(&self.inputs[file].key).map(|facts| facts.slices.clone()).unwrap_or_default()
    }

    fn examine_file(&self, file: usize, tools: &mut Tools) -> Result<(), Error> {
        let input = &self.inputs[file];
        let (facts, decoder) = unit::inspect(self.open(file)?);
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
        let result = unit::examine_at(input, index, starts, decoder, &mut tools.analyser, self.options.every, &self.counts);
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
