// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joins the results of the journal to the tables, in the order of the files.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use gstemotion::behaviour::ActivitySums;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::findings::{FileFacts, SliceResult};
use crate::inputs::{Input, Unavailable};
use crate::journal::Journal;
use crate::models::Models;
use crate::options::Options;
use crate::record::Record;
use crate::table::{BinTable, FaceTable, FileRow, FileTable, Layout, Seen, Source, Table, TrackTable, activities, classes_of, face_id};

/// Errors that are kept in memory.
const KEPT_ERRORS: usize = 1_000;

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of files.
    pub files: u64,
    /// Number of examined frames.
    pub frames: u64,
    /// Number of rows in the table of faces.
    pub faces: u64,
    /// Number of files that could not be examined to their end, or not be drawn.
    #[serde(default)]
    pub unreadable: u64,
    /// Name and error of the first of these files.
    pub errors: Vec<(String, String)>,
    /// Classes of the expression model; empty if no face was scored.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Facing the camera and blinks, if the geometry of faces was asked for.
    #[serde(default)]
    pub activity: Option<ActivitySums>,
}

impl Summary {
    fn add(&mut self, row: FileRow) {
        self.files += 1;
        self.frames += row.examined;
        self.faces += row.faces;
        self.extend_errors(row.error.map(|error| (row.file, error)), 0);
    }

    /// Adds errors, and so many further ones whose texts are not known. The table of files has all of them.
    pub(crate) fn extend_errors(&mut self, errors: impl IntoIterator<Item = (String, String)>, further: u64) {
        self.unreadable += further;
        for error in errors {
            self.unreadable += 1;
            if self.errors.len() < KEPT_ERRORS {
                self.errors.push(error);
            }
        }
    }

    /// Adds what was found in other files.
    pub(crate) fn extend(&mut self, other: Self) {
        self.files += other.files;
        self.frames += other.frames;
        self.faces += other.faces;
        let further = other.unreadable.saturating_sub(other.errors.len() as u64);
        self.extend_errors(other.errors, further);
        if self.classes.is_empty() {
            self.classes = other.classes;
        }
        if let Some(activity) = other.activity {
            self.activity.get_or_insert_default().extend(&activity);
        }
    }
}

/// Writes each table to the file of its name in the folder of the journal.
///
/// # Errors
/// If the journal cannot be read or a table cannot be written.
pub(crate) fn write_tables(
    options: &Options,
    models: &Models,
    inputs: &[Input],
    journal: &Journal,
    record: &Record,
) -> Result<Summary, Error> {
    let classifier = options.classifier();
    let mut tables = Tables::create(options, Source { classifier: &classifier, models }, journal)?;
    let mut summary = Summary { classes: journal.labels().to_vec(), ..Summary::default() };
    for (file, input) in inputs.iter().enumerate() {
        summary.add(tables.write_file(file, input, journal)?);
    }
    summary.activity = options.geometry.then_some(tables.activity);
    tables.finish(&record.finished(options, &summary)).map_err(Error::at(journal.folder()))?;
    Ok(summary)
}

/// The tables that are being written.
struct Tables<'a> {
    faces: FaceTable<'a>,
    files: FileTable<'a>,
    tracks: TrackTable<'a>,
    bins: Option<BinTable<'a>>,
    activity: ActivitySums,
}

impl<'a> Tables<'a> {
    fn create(options: &Options, source: Source<'a>, journal: &Journal) -> Result<Self, Error> {
        let (format, folder) = (options.format()?, journal.folder());
        let layout = Layout { classes: classes_of(journal.labels()), has_geometry: options.geometry };
        let create = |table: Table| create(&folder.join(table.name()));
        let at = || Error::at(folder);
        let bins = options.bins.map(|length| BinTable::new(format, &layout, length, create(Table::Bins)?).map_err(at()));
        Ok(Self {
            faces: FaceTable::new(format, &layout, source, create(Table::Faces)?).map_err(at())?,
            files: FileTable::new(format, create(Table::Files)?).map_err(at())?,
            tracks: TrackTable::new(format, &layout, create(Table::Tracks)?).map_err(at())?,
            bins: bins.transpose()?,
            activity: ActivitySums::default(),
        })
    }

    /// Writes the rows of a file, and returns that of the table of files.
    fn write_file(&mut self, file: usize, input: &Input, journal: &Journal) -> Result<FileRow, Error> {
        let facts = journal.facts(file).cloned().unwrap_or_default();
        let mut row = file_row(input, &facts);
        for slice in 0..facts.slices.len() {
            let result = journal.slice(file, slice)?.unwrap_or_default();
            self.write_slice(&row, slice, &result).map_err(Error::at(journal.folder()))?;
            add_slice(&mut row, result);
        }
        let length_ns = row.length_ns.filter(|_| row.error.is_none() && row.examined > 0);
        let bins = self.bins.as_mut().map_or(Ok(()), |bins| bins.end_file(&row.file, length_ns));
        bins.and_then(|()| self.files.write(&row)).map_err(Error::at(journal.folder()))?;
        Ok(row)
    }

    /// Writes the faces of a slice; `row` has the sums of the slices before.
    fn write_slice(&mut self, row: &FileRow, slice: usize, result: &SliceResult) -> io::Result<()> {
        for (face, activity) in result.faces.iter().zip(activities(&result.faces)) {
            let (id, seen) = (face_id(slice, face), Seen { face, activity });
            self.faces.write(&row.file, slice, row.frames, &seen)?;
            self.tracks.add(id, &seen);
            self.bins.iter_mut().for_each(|bins| bins.add(id, &seen));
            self.activity.add(&activity.observation, u64::from(activity.is_blink == Some(true)));
        }
        self.tracks.end_slice(&row.file)
    }

    /// Ends the tables, which were made as `record` says.
    fn finish(self, record: &str) -> io::Result<()> {
        self.faces.finish(record)?;
        self.files.finish(record)?;
        self.tracks.finish(record)?;
        self.bins.map_or(Ok(()), |bins| bins.finish(record))
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    File::create(path).map(BufWriter::new).map_err(Error::at(path))
}

fn file_row(input: &Input, facts: &FileFacts) -> FileRow {
    let error = input.error.as_deref().map(Unavailable::to_string).or_else(|| facts.error.clone());
    let (kind, length_ns, video_tracks) = (facts.kind, facts.length_ns, facts.video_tracks);
    FileRow { file: input.key.name.clone(), kind, length_ns, video_tracks, error, ..FileRow::default() }
}

fn add_slice(row: &mut FileRow, slice: SliceResult) {
    row.frames += slice.frames;
    row.examined += slice.examined;
    row.decoded += slice.decoded;
    row.faces += slice.faces.len() as u64;
    row.size = slice.size.or(row.size);
    row.turn = slice.turn;
    if let Some(spans) = slice.spans_ns {
        let whole = row.spans_ns.get_or_insert_default();
        spans.into_iter().for_each(|span| add_span(whole, span));
    }
    row.error = row.error.take().or(slice.error);
}

/// Adds a span, which may continue the last one of the slice before.
fn add_span(spans: &mut Vec<(u64, u64)>, span: (u64, u64)) {
    match spans.last_mut() {
        Some(last) if last.1 >= span.0 => last.1 = span.1,
        _ => spans.push(span),
    }
}
