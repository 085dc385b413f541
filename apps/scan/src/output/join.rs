// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joins the results of the journal to the tables, in the order of the files.

use std::fs::File;
use std::io::{self, BufWriter};

use emotion_core::behaviour::ActivitySums;

use super::pairs::Pairs;
use crate::error::Error;
use crate::findings::SliceResult;
use crate::inputs::Unavailable;
use crate::scan::{FileResults, Results, Scan};
use crate::summary::Summary;
use crate::table::{Bins, FaceRow, FileRow, Layout, RowWriter, Seen, Table, Tracks, activities, face_id};

/// Writes each table to the file of its name in the folder of the journal.
pub(crate) fn write_tables(results: &Results<'_>) -> Result<Summary, Error> {
    let (scan, folder) = (results.scan, results.journal.folder());
    let mut tables = Tables::create(results)?;
    let mut summary = Summary { classes: results.journal.labels().to_vec(), ..Summary::default() };
    let pairs = Pairs::among(scan.inputs);
    for file in results.files() {
        let pair = pairs.of(file.input, &file.facts, |other| results.journal.facts(other));
        summary.add(tables.write_file(&file, pair)?);
    }
    summary.activity = scan.command.examination.geometry.then_some(tables.activity);
    let provenance = scan.provenance.finished(scan.outputs, &summary);
    tables.writers.into_iter().try_for_each(|(_, writer)| writer.finish(&provenance)).map_err(Error::at(folder))?;
    Ok(summary)
}

/// The tables that are being written.
struct Tables<'a> {
    scan: Scan<'a>,
    layout: Layout,
    writers: Vec<(Table, Box<dyn RowWriter>)>,
    tracks: Tracks,
    bins: Option<Bins>,
    activity: ActivitySums,
}

impl<'a> Tables<'a> {
    fn create(results: &Results<'a>) -> Result<Self, Error> {
        let (scan, folder) = (results.scan, results.journal.folder());
        let (outputs, layout) = (scan.outputs, Layout::new(results.journal.labels(), scan.command.examination.geometry));
        let format = outputs.format()?;
        let writer = |table: Table| {
            let path = folder.join(table.name());
            let file = File::create(&path).map(BufWriter::new).map_err(Error::at(&path))?;
            Ok((table, format.writer(&table.columns(&layout), file).map_err(Error::at(folder))?))
        };
        let writers = outputs.tables().map(writer).collect::<Result<_, Error>>()?;
        let (tracks, bins) = (Tracks::new(&layout), outputs.bins.map(|length| Bins::new(&layout, length)));
        Ok(Self { scan, layout, writers, tracks, bins, activity: ActivitySums::default() })
    }

    /// Writes the rows of a file, and returns that of the table of files.
    fn write_file(&mut self, file: &FileResults<'_>, pair: Option<&str>) -> Result<FileRow, Error> {
        let folder = self.scan.outputs.journal_folder();
        let mut row = FileRow { pair: pair.map(str::to_owned), ..file_row(file) };
        for slice in file.slices() {
            let slice = slice?;
            self.write_slice(&row, slice.number, &slice.result).map_err(Error::at(&folder))?;
            add_slice(&mut row, slice.result);
        }
        self.end_file(&row).map_err(Error::at(&folder))?;
        Ok(row)
    }

    /// Writes the faces of a slice; `row` has the sums of the slices before.
    fn write_slice(&mut self, row: &FileRow, slice: usize, result: &SliceResult) -> io::Result<()> {
        let (file, models, classifier) = (row.file.as_str(), self.scan.models, self.scan.command.examination.classifier());
        for (face, activity) in result.faces.iter().zip(activities(&result.faces)) {
            let (id, seen) = (face_id(slice, face), Seen { face, activity });
            let of_face = FaceRow { file, slice, frames_before: row.frames, seen, classifier, models };
            writer(&mut self.writers, Table::Faces).write(&of_face.values(&self.layout))?;
            self.tracks.add(id, &seen);
            self.bins.iter_mut().for_each(|bins| bins.add(id, &seen));
            self.activity.add(&activity.observation, u64::from(activity.is_blink == Some(true)));
        }
        self.tracks.end_slice(file, writer(&mut self.writers, Table::Tracks))
    }

    fn end_file(&mut self, row: &FileRow) -> io::Result<()> {
        if let Some(bins) = &mut self.bins {
            let length_ns = row.length_ns.filter(|_| row.error.is_none() && row.examined > 0);
            bins.end_file(&row.file, length_ns, writer(&mut self.writers, Table::Bins))?;
        }
        writer(&mut self.writers, Table::Files).write(&row.values(&self.layout))
    }
}

fn writer(writers: &mut [(Table, Box<dyn RowWriter>)], table: Table) -> &mut dyn RowWriter {
    let found = writers.iter_mut().find(|(other, _)| *other == table);
    &mut *found.expect("a table that has rows is written").1
}

fn file_row(file: &FileResults<'_>) -> FileRow {
    let facts = &file.facts;
    let error = file.input.error.as_deref().map(Unavailable::to_string).or_else(|| facts.error.clone());
    let (kind, length_ns, video_tracks) = (facts.kind, facts.length_ns, facts.video_tracks);
    FileRow { file: file.input.key.name.clone(), kind, length_ns, video_tracks, error, ..FileRow::default() }
}

fn add_slice(row: &mut FileRow, slice: SliceResult) {
    row.frames += slice.frames;
    row.examined += slice.examined;
    row.decoded += slice.decoded;
    row.faces += slice.faces.len() as u64;
    row.missing.extend(slice.missing);
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
