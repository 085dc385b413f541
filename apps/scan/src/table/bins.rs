// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of bins: intervals of equal length in each file, with the mean scores of all faces and their standard errors.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::activity::Seen;
use super::column::Members::Classes;
use super::column::Type::{Category, Double, Int};
use super::column::{Column, Columns, Layout, RowWriter, Value, describe, each, fill, one, seconds};
use super::sums::{ACTIVITY, SUMS, Sums};

/// The sums of each track of a bin. Faces without an id are one track.
type OfTracks = BTreeMap<Option<u64>, Sums>;

/// The bins of the current file.
pub struct Bins {
    layout: Layout,
    length_ns: u64,
    bins: BTreeMap<u64, OfTracks>,
}

/// A row of the table.
pub(super) struct BinRow<'a> {
    file: &'a str,
    bin: u64,
    start_ns: u64,
    tracks: &'a OfTracks,
    all: &'a Sums,
}

type Of = for<'a> fn(&'a BinRow<'a>, usize) -> Value<'a>;

#[rustfmt::skip] // A column is a line.
pub(super) const BINS: &[Columns<Of>] = &[
    one("file", Category, "Path as it was given or found in a folder, or URL", |row, _| row.file.into()),
    one("bin", Int, "Number of the interval, from 0", |row, _| row.bin.into()),
    one("start_s", Double, "Begin of the interval, in seconds", |row, _| seconds(row.start_ns).into()),
    one("faces", Int, "Number of rows of the table of faces in this interval", |row, _| row.all.faces.into()),
    one("tracks", Int, "Number of different ids in this interval", |row, _| (row.tracks.keys().flatten().count() as u64).into()),
    one("scored", Int, "Number of faces that were large enough to be scored", |row, _| row.all.scored.into()),
];

#[rustfmt::skip] // A column is a line.
pub(super) const ERRORS: &[Columns<Of>] = &[
    each(Classes, "score_{}_se", Double, "Standard error of the mean score of {} over tracks", |row, class| standard_error(row.tracks.values(), row.all, class).into()),
];

pub(super) fn columns(layout: &Layout) -> Vec<Column> {
    let mut columns = Vec::new();
    describe(BINS, layout, &mut columns);
    describe(SUMS, layout, &mut columns);
    describe(ERRORS, layout, &mut columns);
    describe(layout.of_geometry(ACTIVITY), layout, &mut columns);
    columns
}

impl Bins {
    /// No bins, of this length.
    pub fn new(layout: &Layout, length: Duration) -> Self {
        let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { layout: layout.clone(), length_ns, bins: BTreeMap::new() }
    }

    /// Adds a face to the bin of its time.
    pub fn add(&mut self, id: Option<u64>, seen: &Seen<'_>) {
        let tracks = self.bins.entry(seen.face.time_ns / self.length_ns).or_default();
        tracks.entry(id).or_insert_with(|| Sums::new(self.layout.classes.len())).add(seen, &self.layout.classes);
    }

    /// Writes the bins of `file`. With the length of a file that was examined to its end, bins without a face have rows too.
    pub fn end_file(&mut self, file: &str, length_ns: Option<u64>, table: &mut dyn RowWriter) -> io::Result<()> {
        let mut bins = std::mem::take(&mut self.bins);
        let of_length = length_ns.map_or(0, |length| length.div_ceil(self.length_ns));
        let end = bins.last_key_value().map_or(0, |(last, _)| last + 1).max(of_length);
        for bin in 0..end {
            let tracks = bins.remove(&bin).or_else(|| (bin < of_length).then(BTreeMap::new));
            tracks.map_or(Ok(()), |tracks| self.write(file, bin, &tracks, table))?;
        }
        Ok(())
    }

    fn write(&self, file: &str, bin: u64, tracks: &OfTracks, table: &mut dyn RowWriter) -> io::Result<()> {
        let (layout, mut all, mut values) = (&self.layout, Sums::new(self.layout.classes.len()), Vec::new());
        tracks.values().for_each(|track| all.extend(track));
        let row = BinRow { file, bin, start_ns: bin.saturating_mul(self.length_ns), tracks, all: &all };
        fill(BINS, layout, &mut values, |of, member| of(&row, member));
        fill(SUMS, layout, &mut values, |of, member| of(&all, member));
        fill(ERRORS, layout, &mut values, |of, member| of(&row, member));
        fill(layout.of_geometry(ACTIVITY), layout, &mut values, |of, member| of(&all, member));
        table.write(&values)
    }
}

/// The standard error of the mean score of a class over all faces; `None` with fewer than two tracks. Scores of one track resemble
/// each other, so tracks are the observations, weighted by their faces: the error of a ratio of sums over clusters (Cochran,
/// Sampling Techniques, 1977, section 6.4). For tracks of equal length it is that of the mean of the tracks' means.
fn standard_error<'a>(tracks: impl Iterator<Item = &'a Sums>, all: &Sums, class: usize) -> Option<f64> {
    let tracks: Vec<&Sums> = tracks.filter(|track| track.scored > 0).collect();
    let (count, total) = (tracks.len() as f64, all.scored as f64);
    if count < 2.0 {
        return None;
    }
    let mean = all.scores[class] / total;
    let squares: f64 = tracks.iter().map(|track| (track.scores[class] - track.scored as f64 * mean).powi(2)).sum();
    Some((count / (count - 1.0) * squares).sqrt() / total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Face;
    use crate::findings::tests::face;
    use crate::table::{Activity, Format};

    fn rows(faces: &[(Option<u64>, Face)], length_ns: Option<u64>) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        let layout = Layout { classes: ["neutral", "happiness"].map(String::from).into(), has_geometry: false };
        let mut bins = Bins::new(&layout, Duration::from_secs(2));
        faces.iter().for_each(|(id, face)| bins.add(*id, &Seen { face, activity: Activity::default() }));
        let mut writer = Format::Ndjson.writer(&columns(&layout), &mut out).unwrap();
        bins.end_file("a.mp4", length_ns, &mut *writer).unwrap();
        writer.finish("").unwrap();
        str::from_utf8(&out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn the_standard_error_is_that_of_the_tracks() {
        // Track means of .2, .4 and .9, each of two frames: mean .5, standard deviation .36056, error .20817.
        let seen = [(1, 0.1), (1, 0.3), (2, 0.4), (2, 0.4), (3, 1.0), (3, 0.8)];
        let faces: Vec<_> =
            seen.iter().enumerate().map(|(n, &(id, score))| (Some(id), face(n as u64 % 2, "neutral", &[1.0 - score, score]))).collect();
        let row = &rows(&faces, None)[0];
        let number = |name: &str| row[name].as_f64().unwrap();
        assert!(row["faces"] == 6 && row["tracks"] == 3 && (number("score_happiness") - 0.5).abs() < 1e-7, "{row}");
        assert!((number("score_happiness_se") - 0.208_166_6).abs() < 1e-6, "{row}");
        // Frames of a single face say nothing about other faces.
        assert!(rows(&faces[..2], None)[0]["score_happiness_se"].is_null());
    }

    #[test]
    fn bins_without_a_face_have_rows_up_to_the_length() {
        let faces = [(Some(1), face(2, "neutral", &[0.5, 0.5]))];
        let found = rows(&faces, Some(7_000_000_000));
        let of = |name: &str| found.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
        assert_eq!(of("start_s"), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(of("faces"), [0, 1, 0, 0]);
        assert!(found[0]["share_neutral"].is_null() && found[0]["score_neutral"].is_null(), "{}", found[0]);
        assert_eq!(rows(&faces, None).len(), 1, "nothing is known of the others");
    }
}
