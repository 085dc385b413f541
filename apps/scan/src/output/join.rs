// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joins the results of the journal to the two tables, in the order of the files.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::findings::{FileFacts, SliceResult};
use crate::inputs::{Input, Unavailable};
use crate::journal::Journal;
use crate::models::Models;
use crate::options::Options;
use crate::table::{FaceTable, FileRow, FileTable, Source};

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

/// Writes the table of faces to the path `faces` and that of files to `files`.
///
/// # Errors
/// If the journal cannot be read or a table cannot be written.
pub(crate) fn write_tables(
    options: &Options,
    models: &Models,
    inputs: &[Input],
    journal: &Journal,
    faces: &Path,
    files: &Path,
) -> Result<Summary, Error> {
    let (format, settings, classifier) = (options.format()?, options.fingerprint(models), options.classifier());
    let source = Source { classifier: &classifier, models };
    let face_table = FaceTable::new(format, journal.labels(), source, &settings, create(faces)?).map_err(Error::at(faces))?;
    let file_table = FileTable::new(format, &settings, create(files)?).map_err(Error::at(files))?;
    join(inputs, journal, face_table, file_table)
}

fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    File::create(path).map(BufWriter::new).map_err(Error::at(path))
}

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
    let error = input.error.as_ref().map(Unavailable::to_string).or_else(|| facts.error.clone());
    FileRow { file: input.key.name.clone(), kind: facts.kind, length_ns: facts.length_ns, error, ..FileRow::default() }
}

fn add_slice(row: &mut FileRow, slice: SliceResult) {
    row.frames += slice.frames;
    row.examined += slice.examined;
    row.faces += slice.faces.len() as u64;
    row.size = slice.size.or(row.size);
    row.error = row.error.take().or(slice.error);
}
