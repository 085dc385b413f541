// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as timed text: NDJSON, CSV, WebVTT, ONVIF metadata and plain text, either every face, a summary of each interval,
//! or events.
//!
//! ```text
//! FrameReport → Exporter (Schedule, Aggregator or EventTracker → RecordWriter) → Chunk of text with its Span
//! ```
//!
//! # Fields
//!
//! One record is one face on one exported frame, one interval, or one event of one face. [`emotion_records`] defines the fields of NDJSON
//! and says what they mean. A frame without faces writes nothing, unless only changes are exported and the last face has gone: a record
//! holds until the next one, so that is a record too. In CSV it is a row with empty cells after `frame`. Events are in NDJSON only, and
//! a face without a track id has none.
//!
//! CSV has the same values as columns, an empty cell for null. `box` is `x`, `y`, `w` and `h`, `scores` and `counts` are `score_<label>`
//! and `count_<label>`; there are no `type`, `version` and landmarks of the detector. Columns of the geometry follow all others, if a
//! face of the first record has one: `yaw`, `pitch`, `roll`, `trust`, `geometry_age`, `blendshape_browDownLeft` and so on, and
//! `landmark_0_x`, `landmark_0_y` and so on. A CSV text that a spreadsheet would read as a formula is prefixed with an apostrophe (see
//! [`csv`]).
//!
//! A record of [`dlstreamer`] is one frame, and so is one of [`onvif`], an XML document. Numbers do not depend on the locale. They are
//! rounded as [`emotion_records::rounding`] says.

pub mod length;
pub mod interval;
mod writer;
mod field;
mod geometry;
pub mod ndjson;
pub mod csv;
pub mod dlstreamer;
pub mod onvif;
pub mod text;
pub mod webvtt;
mod format;
pub mod exporter;

use crate::behaviour::{Aggregator, EventTracker};
pub use crate::behaviour::{Event, EventKind, FrameReport, FrameTime, Span, Summary, Utc};
pub use emotion_records::VERSION;
pub use exporter::{Chunk, Exporter, Options, Output};
pub use format::Format;
pub use geometry::GeometryFields;
pub use interval::Schedule;
pub use length::{FrameLengths, OpenFrame};
pub use writer::{Content, RecordWriter};
