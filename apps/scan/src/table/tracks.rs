// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of tracks: each face that was followed, from its first to its last examined frame. Faces without an id have no row.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::columns::{Layout, column, seconds};
use super::sums::{Sums, activity_columns, score_columns, share_columns};
use super::{Column, Format, RowWriter, Seen, Type, Value};

/// The table of tracks.
pub struct TrackTable<'a> {
    writer: Box<dyn RowWriter + 'a>,
    layout: Layout,
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
    fn new(seen: &Seen<'_>, classes: usize) -> Self {
        let face = seen.face;
        let (first_ns, last_label) = (face.time_ns, face.label.clone());
        Self { first_ns, last_ns: first_ns, rect: [0.0; 4], last_label, changes: 0, sums: Sums::new(classes) }
    }

    fn add(&mut self, seen: &Seen<'_>, classes: &[String]) {
        let face = seen.face;
        self.last_ns = face.time_ns;
        self.rect.iter_mut().zip(face.rect).for_each(|(sum, side)| *sum += f64::from(side));
        if face.label != self.last_label {
            self.changes += 1;
            self.last_label.clone_from(&face.label);
        }
        self.sums.add(seen, classes);
    }
}

impl<'a> TrackTable<'a> {
    /// An empty table.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(format: Format, layout: &Layout, out: impl Write + Send + 'a) -> io::Result<Self> {
        let writer = format.writer(&track_columns(layout), out)?;
        Ok(Self { writer, layout: layout.clone(), tracks: BTreeMap::new() })
    }

    /// Adds a face to its track. The faces of a track come in the order of time.
    pub fn add(&mut self, id: Option<u64>, seen: &Seen<'_>) {
        let Some(id) = id else { return };
        let track = self.tracks.entry(id).or_insert_with(|| Track::new(seen, self.layout.classes.len()));
        track.add(seen, &self.layout.classes);
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
            row.push(track.sums.most_frequent(&self.layout.classes).into());
            row.extend(track.sums.shares().chain(track.sums.means()).map(Value::from));
            if self.layout.has_geometry {
                row.extend(track.sums.activity());
            }
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
pub(super) fn track_columns(layout: &Layout) -> Vec<Column> {
    let classes = &layout.classes;
    let mut columns = vec![column("file", Type::Category), column("id", Type::Int)];
    columns.extend(["first_s", "last_s"].map(|name| column(name, Type::Double)));
    columns.extend(["frames", "scored", "changes"].map(|name| column(name, Type::Int)));
    columns.extend(["x", "y", "w", "h"].map(|name| column(name, Type::Double)));
    columns.push(column("label", Type::Category));
    columns.extend(share_columns(classes));
    columns.extend(score_columns(classes));
    if layout.has_geometry {
        columns.extend(activity_columns());
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Face;
    use crate::findings::tests::{face, posed};
    use crate::table::{Activity, activities};

    fn layout(has_geometry: bool) -> Layout {
        Layout { classes: ["neutral", "happiness"].map(String::from).into(), has_geometry }
    }

    fn rows(out: &[u8]) -> Vec<serde_json::Value> {
        str::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_track_has_the_time_facing_the_camera_and_its_blinks() {
        // Three seconds at 25 frames a second, turned away in the last one, with a blink in each of the first two.
        let frame = |n: u64| {
            let lids = if n % 25 == 5 && n < 50 { 0.9 } else { 0.1 };
            Face { time_ns: n * 40_000_000, ..posed(face(n, "neutral", &[0.5, 0.5]), if n < 50 { 5.0 } else { -50.0 }, lids) }
        };
        let faces: Vec<Face> = (0..75).map(frame).collect();
        let mut out = Vec::new();
        let mut table = TrackTable::new(Format::Ndjson, &layout(true), &mut out).unwrap();
        faces.iter().zip(activities(&faces)).for_each(|(face, activity)| table.add(Some(1), &Seen { face, activity }));
        let far = [0, 10].map(&frame);
        far.iter().zip(activities(&far)).for_each(|(face, activity)| table.add(Some(2), &Seen { face, activity }));
        table.end_slice("a.mp4").unwrap();
        table.finish("").unwrap();
        let [row, far] = &rows(&out)[..] else { panic!("two tracks") };
        assert!(row["posed"] == 75 && (row["share_facing"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9, "{row}");
        assert!(row["blinks"] == 2 && row["eyes_s"] == 2.96, "{row}");
        assert!((row["blinks_per_minute"].as_f64().unwrap() - 2.0 * 60.0 / 2.96).abs() < 1e-9, "{row}");
        assert!(far["eyes_s"] == 0.0 && far["blinks"].is_null() && far["blinks_per_minute"].is_null(), "{far}");
    }

    #[test]
    fn a_track_has_its_means_and_the_changes_of_its_label() {
        let mut out = Vec::new();
        let mut table = TrackTable::new(Format::Ndjson, &layout(false), &mut out).unwrap();
        let mut add = |id, face: &Face| table.add(id, &Seen { face, activity: Activity::default() });
        let labels = [("neutral", 0.25), ("happiness", 0.75), ("unknown", 0.5), ("happiness", 1.0)];
        for (frame, (label, happiness)) in labels.into_iter().enumerate() {
            add(Some(7), &face(frame as u64, label, &[1.0 - happiness, happiness]));
            add(None, &face(frame as u64, label, &[]));
        }
        add(Some(2), &face(3, "unknown", &[]));
        table.end_slice("a.mp4").unwrap();
        table.finish("").unwrap();
        let rows = rows(&out);
        assert_eq!(rows.len(), 2, "faces without an id have no row");
        let small = &rows[0];
        assert!(small["id"] == 2 && small["scored"] == 0 && small["label"].is_null() && small["score_neutral"].is_null(), "{small}");
        let row = &rows[1];
        assert!(row["first_s"] == 0.0 && row["last_s"] == 3.0 && row["frames"] == 4 && row["changes"] == 3, "{row}");
        assert!(row["label"] == "happiness" && row["share_happiness"] == 0.5 && row["share_unknown"] == 0.25, "{row}");
        assert!(row["answered"] == 0.75 && row["score_happiness"] == 0.625 && row["w"] == 0.25, "{row}");
    }
}
