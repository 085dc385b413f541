// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads a table of faces of `emotion-scan`, in any of its formats.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::UNKNOWN;
use crate::error::{Error, Result};
use crate::truth::canonical;

/// What precedes the name of a class in the columns of scores.
const SCORE: &str = "score_";

/// A face of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sighting {
    /// Position in the file, in seconds.
    pub time_s: f64,
    /// Track.
    pub id: Option<u64>,
    /// Apparent expression; `None` if nothing could be said.
    pub label: Option<String>,
    /// Score of each class; empty if the face was not scored.
    pub scores: BTreeMap<String, f64>,
}

/// The faces of a table by file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faces {
    /// The faces of each file.
    pub files: BTreeMap<String, Vec<Sighting>>,
}

/// A cell of a row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Cell {
    Text(String),
    Number(f64),
    Missing(IgnoredAny),
}

const MISSING: Cell = Cell::Missing(IgnoredAny);

/// Reads the table, whose suffix gives its format.
///
/// # Errors
/// [`Error::Io`] or [`Error::Data`] if it cannot be read or is no table of faces.
pub fn read(path: &Path) -> Result<Faces> {
    let suffix = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut faces = Faces::default();
    match suffix.as_str() {
        "parquet" => read_parquet(path, &mut faces)?,
        "csv" => read_csv(path, &mut faces)?,
        "ndjson" | "jsonl" => read_ndjson(path, &mut faces)?,
        _ => return Err(Error::data(path, "expected a .parquet, .csv or .ndjson table of emotion-scan")),
    }
    Ok(faces)
}

impl Faces {
    /// Adds a row. The error says what is missing.
    fn add(&mut self, row: impl Iterator<Item = (String, Cell)>) -> std::result::Result<(), String> {
        let (mut file, mut time_s, mut face) = (None, None, Sighting::default());
        for (name, cell) in row {
            match (name.as_str(), cell) {
                ("file", Cell::Text(text)) => file = Some(text),
                ("time_s", Cell::Number(number)) => time_s = Some(number),
                ("id", Cell::Number(number)) => face.id = Some(number as u64),
                ("label", Cell::Text(label)) if label != UNKNOWN => face.label = Some(canonical(&label)),
                (name, Cell::Number(number)) if name.starts_with(SCORE) => {
                    face.scores.insert(canonical(&name[SCORE.len()..]), number);
                }
                _ => {}
            }
        }
        let missing = |name: &str| format!("expected a table of faces of emotion-scan, found none of its column {name}");
        face.time_s = time_s.ok_or_else(|| missing("time_s"))?;
        self.files.entry(file.ok_or_else(|| missing("file"))?).or_default().push(face);
        Ok(())
    }
}

fn read_parquet(path: &Path, faces: &mut Faces) -> Result<()> {
    let unreadable = |error: &dyn Display| Error::data(path, format!("expected a Parquet file, found {error}"));
    let file = File::open(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let reader = SerializedFileReader::new(file).map_err(|error| unreadable(&error))?;
    for row in reader.get_row_iter(None).map_err(|error| unreadable(&error))? {
        let row = row.map_err(|error| unreadable(&error))?;
        let cells = row.get_column_iter().map(|(name, field)| (name.clone(), cell(field)));
        faces.add(cells).map_err(|message| Error::data(path, message))?;
    }
    Ok(())
}

fn cell(field: &Field) -> Cell {
    match field {
        Field::Str(text) => Cell::Text(text.clone()),
        Field::Long(number) => Cell::Number(*number as f64),
        Field::Float(number) => Cell::Number(f64::from(*number)),
        Field::Double(number) => Cell::Number(*number),
        _ => MISSING,
    }
}

fn read_csv(path: &Path, faces: &mut Faces) -> Result<()> {
    let unreadable = |error: csv::Error| Error::data(path, format!("expected CSV, found {error}"));
    let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
    let names = reader.headers().map_err(unreadable)?.clone();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let cells = names.iter().zip(&record).map(|(name, text)| (name.to_owned(), csv_cell(name, text)));
        faces.add(cells).map_err(|message| Error::data(path, message))?;
    }
    Ok(())
}

/// Names of files may be numbers, and an apostrophe precedes those that a spreadsheet would evaluate.
fn csv_cell(name: &str, text: &str) -> Cell {
    match (text.is_empty(), name, text.parse()) {
        (true, ..) => MISSING,
        (_, "file", _) => Cell::Text(text.strip_prefix('\'').unwrap_or(text).to_owned()),
        (_, _, Ok(number)) => Cell::Number(number),
        _ => Cell::Text(text.to_owned()),
    }
}

fn read_ndjson(path: &Path, faces: &mut Faces) -> Result<()> {
    let io = |source| Error::Io { path: path.into(), source };
    for (number, line) in BufReader::new(File::open(path).map_err(io)?).lines().enumerate() {
        let at_line = |message: String| Error::data(path, format!("line {}: {message}", number + 1));
        let row: BTreeMap<String, Cell> =
            serde_json::from_str(&line.map_err(io)?).map_err(|error| at_line(format!("expected an object, found {error}")))?;
        faces.add(row.into_iter()).map_err(at_line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_1_0_are_read() {
        let [parquet, csv] = ["parquet", "csv"].map(|format| read(&test_support::data(&format!("1.0/results.{format}"))).unwrap());
        let faces = &parquet.files["clip.mp4"];
        let shown = |at: usize| (faces[at].time_s, faces[at].id, faces[at].label.as_deref());
        assert_eq!((faces.len(), shown(0), shown(2)), (16, (0.0, Some(1), Some("neutral")), (2.0, Some(1), Some("happiness"))));
        assert_eq!(faces[0].scores.len(), 8);
        let labels = |faces: &[Sighting]| faces.iter().map(|face| (face.id, face.label.clone())).collect::<Vec<_>>();
        assert_eq!(labels(&csv.files["clip.mp4"]), labels(faces));
    }

    #[test]
    fn formats_give_the_same_faces_and_other_files_are_refused() {
        let folder = std::env::temp_dir().join(format!("emotion-evaluate-faces-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).unwrap();
            read(&folder.join(name))
        };
        let of_csv = write("a.csv", "file,time_s,id,label,score_happiness\r\n'=1.mp4,0.5,3,happiness,0.75\r\n7,0,,unknown,\r\n").unwrap();
        let json = "{\"file\":\"=1.mp4\",\"time_s\":0.5,\"id\":3,\"label\":\"happiness\",\"score_happiness\":0.75}\n\
                    {\"file\":\"7\",\"time_s\":0,\"id\":null,\"label\":\"unknown\",\"score_happiness\":null}\n";
        assert_eq!(of_csv, write("a.ndjson", json).unwrap());
        assert_eq!(of_csv.files["=1.mp4"][0].scores["happiness"], 0.75);
        assert_eq!(of_csv.files["7"], [Sighting::default()]);
        let error = write("b.csv", "name,time_s\r\na,1\r\n").unwrap_err().to_string();
        assert!(error.contains("b.csv: expected a table of faces") && error.contains("column file"), "{error}");
        let error = write("c.parquet", "no").unwrap_err().to_string();
        assert!(error.contains("c.parquet: expected a Parquet file"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
