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
use crate::record::{EmotionResult, FaceRecord, UnknownReason};
use crate::scores::{FERPLUS_LABELS, UNKNOWN};

const TIME_COLUMNS: [&str; 8] = ["stream", "time_s", "duration_s", "pts", "duration", "stream_time", "running_time", "utc"];
const FACE_COLUMNS: [&str; 14] =
    ["frame", "id", "x", "y", "w", "h", "confidence", "detector", "label", "label_id", "reason", "score", "second", "smoothed"];
const AGE_COLUMN: &str = "age";
const SUMMARY_COLUMNS: [&str; 4] = ["frames", "faces_mean", "faces_max", "faces_scored"];

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
        TIME_COLUMNS.iter().for_each(|name| row.text(name));
        match self.content {
            Content::Faces | Content::Events => {
                FACE_COLUMNS.iter().chain([&AGE_COLUMN]).for_each(|name| row.text(name));
            }
            Content::Summaries => {
                SUMMARY_COLUMNS.iter().for_each(|name| row.text(name));
                self.labels.iter().map(String::as_str).chain([UNKNOWN]).for_each(|label| row.text(&format!("count_{label}")));
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
        if frame.faces.is_empty() {
            return out.write_all(self.no_faces_row(frame).as_bytes());
        }
        frame.faces.iter().try_for_each(|face| out.write_all(self.face_row(frame, face).as_bytes()))
    }

    fn write_summary(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.summary_row(summary).as_bytes())
    }
}

impl CsvWriter {
    fn no_faces_row(&self, frame: &FrameReport<'_>) -> String {
        let mut row = Row::default();
        row.times(frame.stream, &frame.time);
        row.value(Some(frame.frame));
        (0..FACE_COLUMNS.len() + self.labels.len() + self.geometry_columns()).for_each(|_| row.text(""));
        row.line()
    }

    fn face_row(&self, frame: &FrameReport<'_>, face: &FaceRecord) -> String {
        let emotion = face.emotion.as_ref();
        let scored = emotion.filter(|emotion| emotion.is_scored());
        let mut row = Row::default();
        row.times(frame.stream, &frame.time);
        row.value(Some(frame.frame));
        row.value(id(face));
        let rect = face.rect_norm;
        [rect.x, rect.y, rect.w, rect.h].into_iter().for_each(|side| row.number(Some(coordinate(side))));
        row.number(face.detection.as_ref().map(|detection| score(detection.confidence)));
        row.text(face.detection.as_ref().map_or("", |detection| &*detection.model_name));
        row.text(emotion.map_or("", |emotion| emotion.label()));
        row.value(emotion.and_then(|emotion| emotion.label_id));
        row.value(emotion.and_then(|emotion| emotion.reason).map(UnknownReason::as_str));
        row.number(scored.map(|emotion| score(emotion.confidence())));
        row.text(scored.and_then(EmotionResult::second).unwrap_or_default());
        row.value(scored.map(|emotion| emotion.smoothed));
        row.value(scored.map(|emotion| emotion.age.as_nanos()));
        for label in &self.labels {
            row.number(scored.and_then(|emotion| value_of(labelled_scores(emotion), label)).map(score));
        }
        match face.geometry.as_ref().filter(|_| self.has_geometry) {
            Some(found) => geometry::cells(found).for_each(|cell| row.number(Some(cell))),
            None => (0..self.geometry_columns()).for_each(|_| row.text("")),
        }
        row.line()
    }

    fn geometry_columns(&self) -> usize {
        if self.has_geometry { geometry::columns().count() } else { 0 }
    }

    fn summary_row(&self, summary: &Summary) -> String {
        let mut row = Row::default();
        row.times(&summary.stream, &summary.time);
        row.value(Some(summary.frames));
        row.number(Some(score(summary.faces_mean())));
        row.value(Some(summary.faces_max));
        row.value(Some(summary.faces_scored));
        for label in self.labels.iter().map(String::as_str).chain([UNKNOWN]) {
            row.value(Some(value_of(summary.counts(), label).unwrap_or(0)));
        }
        for label in &self.labels {
            row.number(summary.scores().and_then(|mut scores| value_of(&mut scores, label)).map(score));
        }
        row.line()
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
    fn times(&mut self, stream: &str, time: &FrameTime) {
        self.text(stream);
        self.number(Some(seconds(time.position_ns())));
        self.number(Some(seconds(time.duration_ns)));
        self.value(Some(time.pts_ns));
        self.value(Some(time.duration_ns));
        self.value(time.stream_time_ns);
        self.value(time.running_time_ns);
        self.value(time.utc);
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
