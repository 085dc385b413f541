// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as timed text: NDJSON, CSV, WebVTT and plain text, of every face or summed up over an interval.
//!
//! ```text
//! FrameReport → Exporter (schedule or aggregate → RecordWriter) → Chunk of text with a span of time
//! ```
//!
//! # Fields of a face
//!
//! One record is one face on one exported frame; a frame without faces writes nothing, unless only changes are exported
//! and the last face has gone. NDJSON has every key in every record, null where a value is not known. CSV has the same as
//! columns, an empty cell for null; its landmarks are left out. A CSV text that a spreadsheet would take for a formula has
//! an apostrophe before it (see [`csv`]).
//!
//! | NDJSON | CSV | type | meaning |
//! |---|---|---|---|
//! | `type` | | string | `face` |
//! | `version` | | int | [`VERSION`] of these fields |
//! | `stream` | `stream` | string | stream id of the video |
//! | `frame` | `frame` | int | frames that arrived before this one |
//! | `pts` | `pts` | int, ns | the frame's timestamp, exact |
//! | `duration` | `duration` | int, ns | how long the frame lasts |
//! | `stream_time` | `stream_time` | int, ns, or null | position in the medium |
//! | `running_time` | `running_time` | int, ns, or null | time since the pipeline began to play |
//! | `utc` | `utc` | string or null | when the picture was taken, RFC 3339; null where that is not known, as in a file |
//! | `id` | `id` | int or null | track id, unique in the stream |
//! | `box` | `x`, `y`, `w`, `h` | object of numbers | left, top, width and height in 0..1 of the frame |
//! | `confidence` | `confidence` | number or null | how certain the detector is, 0..1 |
//! | `detector` | `detector` | string or null | model that found the face |
//! | `landmarks` | | object or null | `right_eye`, `left_eye`, `nose`, `right_mouth`, `left_mouth`, each `x`, `y` in 0..1 of the frame |
//! | `label` | `label` | string or null | apparent expression, `unknown` if none is certain enough, null before it was scored |
//! | `label_id` | `label_id` | int or null | its place among the labels |
//! | `score` | `score` | number or null | its score, 0..1; of `unknown` the highest score |
//! | `scores` | `score_<label>` | object of numbers or null | the score of each label, in the model's order |
//! | `smoothed` | `smoothed` | boolean or null | true if the scores are a mean over time |
//! | `age` | `age` | int, ns, or null | time since the frame that was scored |
//!
//! # When the last face has gone
//!
//! Where only changes are exported, what a record says holds until the next one. That nobody is left is a record then: in
//! NDJSON of `type` `frame`, with the fields above from `version` to `utc` and `faces`, which is 0; in CSV a row with
//! nothing after `frame`.
//!
//! # Fields of a summary
//!
//! One record is one interval; it names no face and no place. Intervals without faces are written too. `stream` and
//! the times are as above, of the first frame; `duration` reaches to the end of the last.
//!
//! | NDJSON | CSV | type | meaning |
//! |---|---|---|---|
//! | `type` | | string | `summary` |
//! | `version` | | int | [`VERSION`] of these fields |
//! | `stream`, `pts`, `duration`, `stream_time`, `running_time`, `utc` | the same | | |
//! | `frames` | `frames` | int | frames in the interval |
//! | `faces_mean`, `faces_max` | the same | number, int | faces on one frame: mean and most |
//! | `faces_scored` | `faces_scored` | int | scored faces over all frames; one face on ten frames counts ten |
//! | `counts` | `count_<label>`, `count_unknown` | object of ints | how many of them had this label |
//! | `scores` | `score_<label>` | object of numbers or null | mean score over them; null if there were none |
//!
//! Numbers do not depend on the locale. Places are rounded to 5 digits after the point (a tenth of a pixel at 8K),
//! scores to 4; NDJSON and CSV print the shortest decimal that reads back as the rounded number.

pub mod aggregate;
pub mod csv;
pub mod exporter;
pub mod length;
pub mod ndjson;
pub mod interval;
pub mod text;
pub mod utc;
pub mod webvtt;

use std::io;

pub use aggregate::{Aggregator, ClassSummary, Summary};
pub use exporter::{Chunk, Exporter, Options, Output, Span};
pub use interval::Schedule;
pub use length::{FrameLengths, OpenFrame};
pub use utc::Utc;

use crate::record::FaceRecord;

/// Version of the fields of a record.
pub const VERSION: u32 = 1;

/// When a frame, or the first frame of an interval, is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameTime {
    /// Timestamp.
    pub pts_ns: u64,
    /// Length.
    pub duration_ns: u64,
    /// Position in the medium.
    pub stream_time_ns: Option<u64>,
    /// Time since the pipeline began to play.
    pub running_time_ns: Option<u64>,
    /// When the picture was taken.
    pub utc: Option<Utc>,
}

impl FrameTime {
    /// Where the frame is in the medium, by which intervals are cut and cues placed: its stream time, else its timestamp.
    pub fn position_ns(&self) -> u64 {
        self.stream_time_ns.unwrap_or(self.pts_ns)
    }

    /// Timestamp and length.
    pub fn span(&self) -> Span {
        Span { pts_ns: self.pts_ns, duration_ns: self.duration_ns }
    }

    /// The first nanosecond after the frame.
    pub fn end_ns(&self) -> u64 {
        self.pts_ns.saturating_add(self.duration_ns)
    }
}

/// The faces of one frame, with what a record says about the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameReport<'a> {
    /// Stream id of the video.
    pub stream: &'a str,
    /// Frames that arrived before this one.
    pub frame: u64,
    /// When it is.
    pub time: FrameTime,
    /// Every face on it.
    pub faces: &'a [FaceRecord],
}

impl FrameReport<'_> {
    /// The labels of the first scored face; none if no face was scored yet.
    pub fn labels(&self) -> Option<&[String]> {
        self.faces.iter().find_map(|face| face.emotion.as_ref()).map(|emotion| emotion.labels.as_slice())
    }
}

/// What the records of one output are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// One for each face on each exported frame.
    #[default]
    Faces,
    /// One for each interval.
    Summaries,
}

/// The formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// A table with a header line, RFC 4180.
    Csv,
    /// WebVTT captions for people.
    WebVtt,
    /// WebVTT metadata cues, each carrying one JSON object.
    WebVttMetadata,
    /// Plain text, one line a face.
    Text,
}

impl Format {
    /// A writer of this format.
    pub fn writer(self, content: Content) -> Box<dyn RecordWriter> {
        match self {
            Self::Ndjson => Box::new(ndjson::NdjsonWriter),
            Self::Csv => Box::new(csv::CsvWriter::new(content)),
            Self::WebVtt => Box::new(webvtt::CaptionWriter),
            Self::WebVttMetadata => Box::new(webvtt::MetadataWriter),
            Self::Text => Box::new(text::TextWriter),
        }
    }
}

/// Writes records in one format. Whatever it writes ends with the end of a line, so that a file cut off between two
/// calls is whole.
///
/// # Errors
/// Those of `out`, and [`io::ErrorKind::InvalidData`] for what the format cannot say.
pub trait RecordWriter: Send {
    /// What a file begins with, if anything. `labels` are those of the first record, where it has any; a table gets its
    /// columns from them.
    fn header(&mut self, labels: Option<&[String]>) -> Option<String> {
        let _ = labels;
        None
    }

    /// True if a record with these labels can be written without losing a score.
    fn takes(&self, labels: &[String]) -> bool {
        let _ = labels;
        true
    }

    /// Writes each face of a frame; of a frame without any, that the last one has gone, where the format can say so.
    /// `hold_ns` is how long this holds: the frame, or an interval in which only one frame is exported.
    fn write_faces(&mut self, frame: &FrameReport<'_>, hold_ns: u64, out: &mut dyn io::Write) -> io::Result<()>;

    /// Writes the summary of an interval.
    fn write_summary(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()>;
}

/// A position in 0..1, to 5 digits after the point.
fn place(value: f32) -> f64 {
    rounded(f64::from(value), 1e5)
}

/// A score in 0..1, to 4 digits after the point.
fn score(value: impl Into<f64>) -> f64 {
    rounded(value.into(), 1e4)
}

fn rounded(value: f64, steps: f64) -> f64 {
    // Adding zero makes a plain zero of a negative one.
    (value * steps).round() / steps + 0.0
}

/// A track id; none for 0, which means that nobody gave one.
fn id(face: &FaceRecord) -> Option<u32> {
    (face.id != 0).then_some(face.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_zero_has_no_sign() {
        assert_eq!(place(0.1).to_string(), "0.1");
        assert_eq!(place(1.0 / 3.0).to_string(), "0.33333");
        assert_eq!(score(0.93456_f32).to_string(), "0.9346");
        assert_eq!(place(-0.000_001).to_string(), "0");
    }
}
