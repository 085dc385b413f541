// SPDX-License-Identifier: MIT OR Apache-2.0
//! Comma-separated values as defined by RFC 4180: one header line, lines that end in CR LF, quotes only where needed.
//!
//! The columns are fixed when the header is written: one for each label of the first record, or of FER+ where that record
//! has none. Scores are matched to columns by name.
//!
//! A spreadsheet evaluates a cell that begins with `=`, `+`, `-` or `@` as a formula. Text that begins with one of them,
//! or with a tab or a line break, is prefixed with an apostrophe. Numbers are written unchanged.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use super::field::{coordinate, id, score, seconds};
use super::geometry::{self, GeometryFields};
use super::ndjson::labelled_scores;
use super::{Content, FrameReport, FrameTime, RecordWriter, Summary};
use crate::record::{DetectionInfo, EmotionResult, FaceRecord, UnknownReason};
use crate::scores::{FERPLUS_LABELS, UNKNOWN};

/// A column: its name, and what adds its cell to a row. [`super`] says what it means.
type Column<F> = (&'static str, F);
type OfFrame = fn(&str, &FrameTime, &mut Row);
type OfFace = fn(&FaceRow<'_>, &mut Row);
type OfSummary = fn(&Summary, &mut Row);

#[rustfmt::skip] // A column is a line.
const FRAME: [Column<OfFrame>; 8] = [
    ("stream", |stream, _, row| row.text(stream)),
    ("time_s", |_, time, row| row.number(Some(seconds(time.position_ns())))),
    ("duration_s", |_, time, row| row.number(Some(seconds(time.duration_ns)))),
    ("pts", |_, time, row| row.value(Some(time.pts_ns))),
    ("duration", |_, time, row| row.value(Some(time.duration_ns))),
    ("stream_time", |_, time, row| row.value(time.stream_time_ns)),
    ("running_time", |_, time, row| row.value(time.running_time_ns)),
    ("utc", |_, time, row| row.value(time.utc)),
];

#[rustfmt::skip] // A column is a line.
const FACE: [Column<OfFace>; 15] = [
    ("frame", |face, row| row.value(Some(face.frame))),
    ("id", |face, row| row.value(face.record.and_then(id))),
    ("x", |face, row| row.number(face.record.map(|face| coordinate(face.rect_norm.x)))),
    ("y", |face, row| row.number(face.record.map(|face| coordinate(face.rect_norm.y)))),
    ("w", |face, row| row.number(face.record.map(|face| coordinate(face.rect_norm.w)))),
    ("h", |face, row| row.number(face.record.map(|face| coordinate(face.rect_norm.h)))),
    ("confidence", |face, row| row.number(face.detection().map(|detection| score(detection.confidence)))),
    ("detector", |face, row| row.text(face.detection().map_or("", |detection| &*detection.model_name))),
    ("label", |face, row| row.text(face.emotion().map_or("", |emotion| emotion.label()))),
    ("label_id", |face, row| row.value(face.emotion().and_then(|emotion| emotion.label_id))),
    ("reason", |face, row| row.value(face.emotion().and_then(|emotion| emotion.reason).map(UnknownReason::as_str))),
    ("score", |face, row| row.number(face.scored().map(|emotion| score(emotion.confidence())))),
    ("second", |face, row| row.text(face.scored().and_then(EmotionResult::second).unwrap_or_default())),
    ("smoothed", |face, row| row.value(face.scored().map(|emotion| emotion.smoothed))),
    ("age", |face, row| row.value(face.scored().map(|emotion| emotion.age.as_nanos()))),
];

#[rustfmt::skip] // A column is a line.
const SUMMARY: [Column<OfSummary>; 4] = [
    ("frames", |summary, row| row.value(Some(summary.frames))),
    ("faces_mean", |summary, row| row.number(Some(score(summary.faces_mean())))),
    ("faces_max", |summary, row| row.value(Some(summary.faces_max))),
    ("faces_scored", |summary, row| row.value(Some(summary.faces_scored))),
];

/// What a row of the table of faces is made of; a row without a face says that the last one has gone.
struct FaceRow<'a> {
    frame: u64,
    record: Option<&'a FaceRecord>,
}

impl<'a> FaceRow<'a> {
    fn detection(&self) -> Option<&'a DetectionInfo> {
        self.record?.detection.as_ref()
    }

    fn emotion(&self) -> Option<&'a EmotionResult> {
        self.record?.emotion.as_ref()
    }

    fn scored(&self) -> Option<&'a EmotionResult> {
        self.emotion().filter(|emotion| emotion.is_scored())
    }
}

/// Writes a table with the columns listed in [`super`].
#[derive(Clone, Debug)]
pub struct CsvWriter {
    content: Content,
    labels: Vec<String>,
    geometry: GeometryFields,
    /// Whether the table has columns for the geometry; decided by the header.
    has_geometry: bool,
}

impl CsvWriter {
    /// A table of faces or of summaries. Its labels are those of FER+ until the header is written.
    pub fn new(content: Content, geometry: GeometryFields) -> Self {
        let has_geometry = content != Content::Summaries && geometry.has_columns(false);
        Self { content, labels: FERPLUS_LABELS.map(String::from).into(), geometry, has_geometry }
    }
}

impl RecordWriter for CsvWriter {
    fn header(&mut self, labels: Option<&[String]>, has_geometry: bool) -> Option<String> {
        self.has_geometry = self.content != Content::Summaries && self.geometry.has_columns(has_geometry);
        if let Some(labels) = labels {
            self.labels = labels.to_vec();
        }
        let mut row = Row::default();
        FRAME.iter().for_each(|(name, _)| row.text(name));
        match self.content {
            Content::Faces | Content::Events => FACE.iter().for_each(|(name, _)| row.text(name)),
            Content::Summaries => {
                SUMMARY.iter().for_each(|(name, _)| row.text(name));
                self.counted().for_each(|label| row.text(&format!("count_{label}")));
            }
        }
        self.labels.iter().for_each(|label| row.text(&format!("score_{label}")));
        if self.has_geometry {
            geometry::columns().for_each(|name| row.text(&name));
        }
        Some(row.line())
    }

    fn takes(&self, labels: &[String]) -> bool {
        labels.iter().all(|label| self.labels.contains(label))
    }

    fn takes_geometry(&self) -> bool {
        self.has_geometry || self.geometry == GeometryFields::Never
    }

    fn write_faces(&mut self, frame: &FrameReport<'_>, _hold_ns: u64, out: &mut dyn Write) -> io::Result<()> {
        let records = frame.faces.iter().map(Some).chain(frame.faces.is_empty().then_some(None));
        records.map(|record| self.face_row(frame, record)).try_for_each(|row| out.write_all(row.as_bytes()))
    }

    fn write_summary(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.summary_row(summary).as_bytes())
    }
}

impl CsvWriter {
    fn face_row(&self, frame: &FrameReport<'_>, record: Option<&FaceRecord>) -> String {
        let (mut row, face) = (Row::of(frame.stream, &frame.time), FaceRow { frame: frame.frame, record });
        FACE.iter().for_each(|(_, cell)| cell(&face, &mut row));
        for label in &self.labels {
            row.number(face.scored().and_then(|emotion| value_of(labelled_scores(emotion), label)).map(score));
        }
        let geometry = record.and_then(|record| record.geometry.as_ref());
        match geometry.filter(|_| self.has_geometry) {
            Some(found) => geometry::cells(found).for_each(|cell| row.number(Some(cell))),
            None if self.has_geometry => geometry::columns().for_each(|_| row.text("")),
            None => {}
        }
        row.line()
    }

    fn summary_row(&self, summary: &Summary) -> String {
        let mut row = Row::of(&summary.stream, &summary.time);
        SUMMARY.iter().for_each(|(_, cell)| cell(summary, &mut row));
        for label in self.counted() {
            row.value(Some(value_of(summary.counts(), label).unwrap_or(0)));
        }
        for label in &self.labels {
            row.number(summary.scores().and_then(|mut scores| value_of(&mut scores, label)).map(score));
        }
        row.line()
    }

    /// The labels that a summary counts.
    fn counted(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str).chain([UNKNOWN])
    }
}

/// The value that belongs to `label`.
fn value_of<'a, T>(mut values: impl Iterator<Item = (&'a str, T)>, label: &str) -> Option<T> {
    values.find(|(name, _)| *name == label).map(|(_, value)| value)
}

/// `text`, prefixed where a spreadsheet would evaluate it as a formula (OWASP, "CSV Injection").
fn without_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}").into() } else { text.into() }
}

/// A line of the table, built cell by cell. Each cell ends with a comma, and `line` removes the last one.
#[derive(Default)]
struct Row(String);

impl Row {
    /// A row that begins with the cells of the frame.
    fn of(stream: &str, time: &FrameTime) -> Self {
        let mut row = Self::default();
        FRAME.iter().for_each(|(_, cell)| cell(stream, time, &mut row));
        row
    }

    /// Adds a cell that needs no quotes: one without a comma, a quote or a line break. None is an empty cell.
    fn value<T: Display>(&mut self, value: Option<T>) {
        if let Some(value) = value {
            self.0.push_str(&value.to_string());
        }
        self.0.push(',');
    }

    /// Adds a number. None, infinities and NaN are an empty cell, as they are null in NDJSON.
    fn number(&mut self, number: Option<f64>) {
        self.value(number.filter(|number| number.is_finite()));
    }

    fn text(&mut self, text: &str) {
        let text = without_formula(text);
        if text.contains([',', '"', '\r', '\n']) {
            self.0.push('"');
            self.0.push_str(&text.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(&text);
        }
        self.0.push(',');
    }

    fn line(mut self) -> String {
        self.0.pop();
        self.0.push_str("\r\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_documented() {
        let page = include_str!("../../../../docs/records.md");
        let names = FRAME.iter().map(|column| column.0).chain(FACE.iter().map(|column| column.0));
        for name in names.chain(SUMMARY.iter().map(|column| column.0)) {
            assert!(page.contains(&format!("`{name}`")), "docs/records.md does not describe {name}");
        }
    }
}
