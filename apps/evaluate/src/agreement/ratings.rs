// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads people's ratings, a CSV file with a row for each segment and rater:
//!
//! ```csv
//! file,start,end,rater,label,score_happiness
//! clips/a.mp4,0,5,anna,neutral,0.1
//! clips/a.mp4,0,5,ben,happiness,0.4
//! ```
//!
//! `start` and `end` are in seconds; without them a row is about the whole file. `id` selects a track, `rater` may be left out
//! if there is only one. A row has a label, scores, or both. The label `unknown` says, as the program's does, that the rater cannot tell.
//! Other columns are ignored.

use std::collections::BTreeMap;
use std::path::Path;

use super::UNKNOWN;
use crate::error::{Error, Result};
use crate::truth::canonical;

/// What precedes the name of a class in the columns of scores.
const SCORE: &str = "score_";

/// What a rater says about a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rating {
    /// Name of the file.
    pub file: String,
    /// Start of the segment, in seconds.
    pub start_s: f64,
    /// End of the segment, which is not part of it.
    pub end_s: f64,
    /// The track; `None` for all faces.
    pub id: Option<u64>,
    /// Who rated.
    pub rater: String,
    /// The label; `None` if the rater gives none or cannot tell.
    pub label: Option<String>,
    /// The scores, in any unit that all raters share.
    pub scores: BTreeMap<String, f64>,
}

/// Reads the ratings.
///
/// # Errors
/// [`Error::Data`] with the line if the file cannot be read, or a row has no file, a wrong number, or neither label nor scores.
pub fn read(path: &Path) -> Result<Vec<Rating>> {
    let unreadable = |error: csv::Error| Error::data(path, format!("expected CSV, found {error}"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(unreadable)?;
    let names: Vec<String> =
        reader.headers().map_err(unreadable)?.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
    if !names.iter().any(|name| name == "file") {
        return Err(Error::data(path, format!("expected columns file, start, end and label or score_…, found {}", names.join(", "))));
    }
    let mut ratings = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = names.iter().map(String::as_str).zip(&record);
        ratings.push(rating(cells).map_err(|message| Error::data(path, format!("line {line}: {message}")))?);
    }
    if ratings.is_empty() {
        return Err(Error::data(path, "expected ratings, found only the names of the columns"));
    }
    Ok(ratings)
}

fn rating<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>) -> std::result::Result<Rating, String> {
    let (mut rating, mut has_label) = (Rating { end_s: f64::INFINITY, ..Rating::default() }, false);
    for (name, text) in cells.filter(|(_, text)| !text.is_empty()) {
        let number =
            || text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or(format!("{name}: expected a number, found {text:?}"));
        match name {
            "file" => rating.file = text.to_owned(),
            "start" | "start_s" => rating.start_s = number()?,
            "end" | "end_s" => rating.end_s = number()?,
            "id" => rating.id = Some(text.parse().map_err(|_| format!("id: expected a whole number, found {text:?}"))?),
            "rater" => rating.rater = text.to_owned(),
            "label" => (rating.label, has_label) = (Some(canonical(text)).filter(|label| label != UNKNOWN), true),
            _ if name.starts_with(SCORE) => _ = rating.scores.insert(canonical(&name[SCORE.len()..]), number()?),
            _ => {}
        }
    }
    match &rating {
        Rating { file, .. } if file.is_empty() => Err("expected the name of a file, found none".into()),
        Rating { scores, .. } if scores.is_empty() && !has_label => Err("expected a label or scores, found neither".into()),
        Rating { start_s, end_s, .. } if start_s >= end_s => Err(format!("expected an end after {start_s} s, found {end_s} s")),
        _ => Ok(rating),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Rating>> {
        let path = std::env::temp_dir().join(format!("emotion-ratings-{}-{:x}.csv", std::process::id(), crc(text)));
        std::fs::write(&path, text).unwrap();
        let found = read(&path);
        std::fs::remove_file(path).unwrap();
        found
    }

    /// Tells the texts of tests that run at the same time apart.
    fn crc(text: &str) -> usize {
        text.bytes().fold(text.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
    }

    #[test]
    fn a_row_has_a_segment_a_rater_and_a_label_or_scores() {
        let ratings = read_text("file, start,end,rater,label,score_happy,note\na.mp4, 1.5,2,anna,Happy,,x\nb.jpg,,,ben,,0.25,\n").unwrap();
        let first = &ratings[0];
        assert_eq!((first.start_s, first.end_s, first.label.as_deref(), first.scores.len()), (1.5, 2.0, Some("happiness"), 0));
        let unknown = read_text("file,label\na.mp4,Unknown\n").unwrap();
        assert!(unknown[0].label.is_none() && unknown[0].scores.is_empty(), "no label, as that of the program is none");
        assert!(ratings[1].end_s.is_infinite() && ratings[1].scores["happiness"] == 0.25, "{:?}", ratings[1]);
    }

    #[test]
    fn wrong_rows_are_named_with_their_line() {
        for (text, expected) in [
            ("name,label\na,b\n", "expected columns file, start, end"),
            ("file,label\n", "expected ratings, found only"),
            ("file,start,label\na.mp4,0,sad\na.mp4,soon,sad\n", "line 3: start: expected a number, found \"soon\""),
            ("file,start,end,label\na.mp4,3,2,sad\n", "line 2: expected an end after 3 s, found 2 s"),
            ("file,label\na.mp4,\n", "line 2: expected a label or scores"),
            ("file,label\n,sad\n", "line 2: expected the name of a file"),
        ] {
            let error = read_text(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
