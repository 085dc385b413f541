// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of tracks: each face that was followed, from its first to its last examined frame. Faces without an id have no row.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::columns::{column, seconds};
use super::sums::{Sums, score_columns, share_columns};
use super::{Column, Format, RowWriter, Type, Value};
use crate::findings::Face;

/// The table of tracks.
pub struct TrackTable<'a> {
    writer: Box<dyn RowWriter + 'a>,
    classes: Vec<String>,
    /// The tracks of the current slice, by their ids. A track ends with its slice.
    tracks: BTreeMap<u64, Track>,
}

/// What is known about a track.
struct Track {
    first_ns: u64,
    last_ns: u64,
    /// Sums of left, top, width and height.
    rect: [f64; 4],
    last_label: Option<String>,
    changes: u64,
    sums: Sums,
}

impl Track {
    fn new(face: &Face, classes: usize) -> Self {
        let (first_ns, last_label) = (face.time_ns, face.label.clone());
        Self { first_ns, last_ns: first_ns, rect: [0.0; 4], last_label, changes: 0, sums: Sums::new(classes) }
    }

    fn add(&mut self, face: &Face, classes: &[String]) {
        self.last_ns = face.time_ns;
        self.rect.iter_mut().zip(face.rect).for_each(|(sum, side)| *sum += f64::from(side));
        if face.label != self.last_label {
            self.changes += 1;
            self.last_label.clone_from(&face.label);
        }
        self.sums.add(face, classes);
    }
}

impl<'a> TrackTable<'a> {
    /// An empty table for scores of `classes`.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(format: Format, classes: &[String], out: impl Write + Send + 'a) -> io::Result<Self> {
        let writer = format.writer(&track_columns(classes), out)?;
        Ok(Self { writer, classes: classes.to_vec(), tracks: BTreeMap::new() })
    }

    /// Adds a face to its track. The faces of a track come in the order of time.
    pub fn add(&mut self, id: Option<u64>, face: &Face) {
        let Some(id) = id else { return };
        let track = self.tracks.entry(id).or_insert_with(|| Track::new(face, self.classes.len()));
        track.add(face, &self.classes);
    }

    /// Writes the tracks of a slice of `file`, which has ended.
    ///
    /// # Errors
    /// If writing fails.
    pub fn end_slice(&mut self, file: &str) -> io::Result<()> {
        for (id, track) in std::mem::take(&mut self.tracks) {
            let mut row = vec![
                Value::Text(file),
                Some(id).into(),
                Value::Double(seconds(track.first_ns)),
                Value::Double(seconds(track.last_ns)),
                Some(track.sums.faces).into(),
                Some(track.sums.scored).into(),
                Some(track.changes).into(),
            ];
            row.extend(track.rect.map(|sum| Value::Double(sum / track.sums.faces as f64)));
            row.push(track.sums.most_frequent(&self.classes).into());
            row.extend(track.sums.shares().chain(track.sums.means()).map(Value::from));
            self.writer.write(&row)?;
        }
        Ok(())
    }

    /// Ends the table, which was made as `record` says.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(self, record: &str) -> io::Result<()> {
        self.writer.finish(record)
    }
}

/// The columns of the table of tracks.
pub(super) fn track_columns(classes: &[String]) -> Vec<Column> {
    let mut columns = vec![column("file", Type::Category), column("id", Type::Int)];
    columns.extend(["first_s", "last_s"].map(|name| column(name, Type::Double)));
    columns.extend(["frames", "scored", "changes"].map(|name| column(name, Type::Int)));
    columns.extend(["x", "y", "w", "h"].map(|name| column(name, Type::Double)));
    columns.push(column("label", Type::Category));
    columns.extend(share_columns(classes));
    columns.extend(score_columns(classes));
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::face;

    #[test]
    fn a_track_has_its_means_and_the_changes_of_its_label() {
        let classes = ["neutral", "happiness"].map(String::from);
        let mut out = Vec::new();
        let mut table = TrackTable::new(Format::Ndjson, &classes, &mut out).unwrap();
        let labels = [("neutral", 0.25), ("happiness", 0.75), ("unknown", 0.5), ("happiness", 1.0)];
        for (frame, (label, happiness)) in labels.into_iter().enumerate() {
            table.add(Some(7), &face(frame as u64, label, &[1.0 - happiness, happiness]));
            table.add(None, &face(frame as u64, label, &[]));
        }
        table.add(Some(2), &face(3, "unknown", &[]));
        table.end_slice("a.mp4").unwrap();
        table.finish("").unwrap();
        let rows: Vec<serde_json::Value> = str::from_utf8(&out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 2, "faces without an id have no row");
        let small = &rows[0];
        assert!(small["id"] == 2 && small["scored"] == 0 && small["label"].is_null() && small["score_neutral"].is_null(), "{small}");
        let row = &rows[1];
        assert!(row["first_s"] == 0.0 && row["last_s"] == 3.0 && row["frames"] == 4 && row["changes"] == 3, "{row}");
        assert!(row["label"] == "happiness" && row["share_happiness"] == 0.5 && row["share_unknown"] == 0.25, "{row}");
        assert!(row["answered"] == 0.75 && row["score_happiness"] == 0.625 && row["w"] == 0.25, "{row}");
    }
}
