// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of bins: intervals of equal length in each file, with the mean scores of all faces and their standard errors.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use super::columns::{Layout, column, seconds};
use super::sums::{Sums, activity_columns, score_columns, share_columns};
use super::{Column, Format, RowWriter, Seen, Type, Value};

/// The table of bins.
pub struct BinTable<'a> {
    writer: Box<dyn RowWriter + 'a>,
    layout: Layout,
    length_ns: u64,
    /// The faces of the current file: for each bin the sums of each track. Faces without an id are one track.
    bins: BTreeMap<u64, BTreeMap<Option<u64>, Sums>>,
}

impl<'a> BinTable<'a> {
    /// An empty table of bins of `length`.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(format: Format, layout: &Layout, length: Duration, out: impl Write + Send + 'a) -> io::Result<Self> {
        let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX).max(1);
        Ok(Self { writer: format.writer(&bin_columns(layout), out)?, layout: layout.clone(), length_ns, bins: BTreeMap::new() })
    }

    /// Adds a face to the bin of its time.
    pub fn add(&mut self, id: Option<u64>, seen: &Seen<'_>) {
        let tracks = self.bins.entry(seen.face.time_ns / self.length_ns).or_default();
        tracks.entry(id).or_insert_with(|| Sums::new(self.layout.classes.len())).add(seen, &self.layout.classes);
    }

    /// Writes the bins of `file`. With the length of a file that was examined to its end, bins without a face have rows too.
    ///
    /// # Errors
    /// If writing fails.
    pub fn end_file(&mut self, file: &str, length_ns: Option<u64>) -> io::Result<()> {
        let mut bins = std::mem::take(&mut self.bins);
        let of_length = length_ns.map_or(0, |length| length.div_ceil(self.length_ns));
        let end = bins.last_key_value().map_or(0, |(last, _)| last + 1).max(of_length);
        for bin in 0..end {
            match bins.remove(&bin) {
                Some(tracks) => self.write(file, bin, &tracks)?,
                None if bin < of_length => self.write(file, bin, &BTreeMap::new())?,
                None => {}
            }
        }
        Ok(())
    }

    fn write(&mut self, file: &str, bin: u64, tracks: &BTreeMap<Option<u64>, Sums>) -> io::Result<()> {
        let mut all = Sums::new(self.layout.classes.len());
        tracks.values().for_each(|track| all.extend(track));
        let mut row = vec![
            Value::Text(file),
            Some(bin).into(),
            Value::Double(seconds(bin.saturating_mul(self.length_ns))),
            Some(all.faces).into(),
            Some(tracks.keys().flatten().count() as u64).into(),
            Some(all.scored).into(),
        ];
        row.extend(all.shares().chain(all.means()).map(Value::from));
        row.extend((0..self.layout.classes.len()).map(|class| Value::from(standard_error(tracks.values(), &all, class))));
        if self.layout.has_geometry {
            row.extend(all.activity());
        }
        self.writer.write(&row)
    }

    /// Ends the table, which was made as `record` says.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(self, record: &str) -> io::Result<()> {
        self.writer.finish(record)
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

/// The columns of the table of bins.
pub(super) fn bin_columns(layout: &Layout) -> Vec<Column> {
    let classes = &layout.classes;
    let mut columns = vec![column("file", Type::Category), column("bin", Type::Int), column("start_s", Type::Double)];
    columns.extend(["faces", "tracks", "scored"].map(|name| column(name, Type::Int)));
    columns.extend(share_columns(classes));
    columns.extend(score_columns(classes));
    columns.extend(classes.iter().map(|class| column(&format!("score_{class}_se"), Type::Double)));
    if layout.has_geometry {
        columns.extend(activity_columns());
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Face;
    use crate::findings::tests::face;
    use crate::table::Activity;

    fn rows(faces: &[(Option<u64>, Face)], length_ns: Option<u64>) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        let layout = Layout { classes: ["neutral", "happiness"].map(String::from).into(), has_geometry: false };
        let mut table = BinTable::new(Format::Ndjson, &layout, Duration::from_secs(2), &mut out).unwrap();
        faces.iter().for_each(|(id, face)| table.add(*id, &Seen { face, activity: Activity::default() }));
        table.end_file("a.mp4", length_ns).unwrap();
        table.finish("").unwrap();
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
