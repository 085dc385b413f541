// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of tracks: each face that was followed, from its first to its last examined frame. Faces without an id have no row.

use std::collections::BTreeMap;
use std::io;

use super::activity::Seen;
use super::column::Members::Sides;
use super::column::Type::{Category, Double, Int};
use super::column::{Column, Columns, Layout, RowWriter, Value, describe, each, fill, one, seconds};
use super::sums::{ACTIVITY, SUMS, Sums};

/// The tracks of the current slice, by their ids. A track ends with its slice.
pub struct Tracks {
    layout: Layout,
    tracks: BTreeMap<u64, Track>,
}

/// A row of the table.
pub(super) struct TrackRow<'a> {
    file: &'a str,
    id: u64,
    track: &'a Track,
    layout: &'a Layout,
}

type Of = for<'a> fn(&'a TrackRow<'a>, usize) -> Value<'a>;

#[rustfmt::skip] // A column is a line.
pub(super) const TRACKS: &[Columns<Of>] = &[
    one("file", Category, "Path as it was given or found in a folder, or URL", |row, _| row.file.into()),
    one("id", Int, "Track within the file; a number that means nothing outside of it", |row, _| row.id.into()),
    one("first_s", Double, "Position of the first or last examined frame with this face, in seconds", |row, _| seconds(row.track.first_ns).into()),
    one("last_s", Double, "Position of the first or last examined frame with this face, in seconds", |row, _| seconds(row.track.last_ns).into()),
    one("frames", Int, "Number of examined frames with this face", |row, _| row.track.sums.faces.into()),
    one("scored", Int, "Number of faces that were large enough to be scored", |row, _| row.track.sums.scored.into()),
    one("changes", Int, "Number of frames whose label differs from that of the face's frame before", |row, _| row.track.changes.into()),
    each(Sides, "{}", Double, "Mean box: left, top, width or height, in 0..1 of the frame", |row, side| (row.track.rect[side] / row.track.sums.faces as f64).into()),
    one("label", Category, "Most frequent apparent expression, besides unknown", |row, _| row.track.sums.most_frequent(&row.layout.classes).into()),
];

pub(super) fn columns(layout: &Layout) -> Vec<Column> {
    let mut columns = Vec::new();
    describe(TRACKS, layout, &mut columns);
    [SUMS, layout.of_geometry(ACTIVITY)].iter().for_each(|list| describe(list, layout, &mut columns));
    columns
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

impl Tracks {
    /// No tracks.
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone(), tracks: BTreeMap::new() }
    }

    /// Adds a face to its track. The faces of a track come in the order of time.
    pub fn add(&mut self, id: Option<u64>, seen: &Seen<'_>) {
        let Some(id) = id else { return };
        let track = self.tracks.entry(id).or_insert_with(|| Track::new(seen, self.layout.classes.len()));
        track.add(seen, &self.layout.classes);
    }

    /// Writes the tracks of a slice of `file`, which has ended.
    pub fn end_slice(&mut self, file: &str, table: &mut dyn RowWriter) -> io::Result<()> {
        let layout = &self.layout;
        for (id, track) in std::mem::take(&mut self.tracks) {
            let (mut values, row) = (Vec::new(), TrackRow { file, id, track: &track, layout });
            fill(TRACKS, layout, &mut values, |of, member| of(&row, member));
            for list in [SUMS, layout.of_geometry(ACTIVITY)] {
                fill(list, layout, &mut values, |of, member| of(&track.sums, member));
            }
            table.write(&values)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Face;
    use crate::findings::tests::{face, posed};
    use crate::table::{Activity, Format, activities};

    fn layout(has_geometry: bool) -> Layout {
        Layout { classes: ["neutral", "happiness"].map(String::from).into(), has_geometry }
    }

    /// The rows of a table to which `add` adds faces.
    fn rows(layout: &Layout, add: impl FnOnce(&mut Tracks)) -> Vec<serde_json::Value> {
        let (mut out, mut tracks) = (Vec::new(), Tracks::new(layout));
        add(&mut tracks);
        let mut writer = Format::Ndjson.writer(&columns(layout), &mut out).unwrap();
        tracks.end_slice("a.mp4", &mut *writer).unwrap();
        writer.finish("").unwrap();
        str::from_utf8(&out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_track_has_the_time_facing_the_camera_and_its_blinks() {
        // Three seconds at 25 frames a second, turned away in the last one, with a blink in each of the first two.
        let frame = |n: u64| {
            let lids = if n % 25 == 5 && n < 50 { 0.9 } else { 0.1 };
            Face { time_ns: n * 40_000_000, ..posed(face(n, "neutral", &[0.5, 0.5]), if n < 50 { 5.0 } else { -50.0 }, lids) }
        };
        let faces: Vec<Face> = (0..75).map(frame).collect();
        let far = [0, 10].map(&frame);
        let rows = rows(&layout(true), |tracks| {
            faces.iter().zip(activities(&faces)).for_each(|(face, activity)| tracks.add(Some(1), &Seen { face, activity }));
            far.iter().zip(activities(&far)).for_each(|(face, activity)| tracks.add(Some(2), &Seen { face, activity }));
        });
        let [row, far] = &rows[..] else { panic!("two tracks") };
        assert!(row["posed"] == 75 && (row["share_facing"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9, "{row}");
        assert!(row["blinks"] == 2 && row["eyes_s"] == 2.96, "{row}");
        assert!((row["blinks_per_minute"].as_f64().unwrap() - 2.0 * 60.0 / 2.96).abs() < 1e-9, "{row}");
        assert!(far["eyes_s"] == 0.0 && far["blinks"].is_null() && far["blinks_per_minute"].is_null(), "{far}");
    }

    #[test]
    fn a_track_has_its_means_and_the_changes_of_its_label() {
        let labels = [("neutral", 0.25), ("happiness", 0.75), ("unknown", 0.5), ("happiness", 1.0)];
        let rows = rows(&layout(false), |tracks| {
            let mut add = |id, face: &Face| tracks.add(id, &Seen { face, activity: Activity::default() });
            for (frame, (label, happiness)) in labels.into_iter().enumerate() {
                add(Some(7), &face(frame as u64, label, &[1.0 - happiness, happiness]));
                add(None, &face(frame as u64, label, &[]));
            }
            add(Some(2), &face(3, "unknown", &[]));
        });
        assert_eq!(rows.len(), 2, "faces without an id have no row");
        let small = &rows[0];
        assert!(small["id"] == 2 && small["scored"] == 0 && small["label"].is_null() && small["score_neutral"].is_null(), "{small}");
        let row = &rows[1];
        assert!(row["first_s"] == 0.0 && row["last_s"] == 3.0 && row["frames"] == 4 && row["changes"] == 3, "{row}");
        assert!(row["label"] == "happiness" && row["share_happiness"] == 0.5 && row["share_unknown"] == 0.25, "{row}");
        assert!(row["answered"] == 0.75 && row["score_happiness"] == 0.625 && row["w"] == 0.25, "{row}");
    }
}
