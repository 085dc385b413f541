// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as timed text: NDJSON, CSV, WebVTT, ONVIF metadata and plain text, either every face, a summary of each interval,
//! or events.
//!
//! ```text
//! FrameReport → Exporter (Schedule, Aggregator or EventTracker → RecordWriter) → Chunk of text with its Span
//! ```
//!
//! [`emotion_records`] defines the fields of NDJSON; CSV has the same values as columns, as `docs/records.md` says. A frame without
//! faces writes nothing, unless only changes are exported and the last face has gone: a record holds until the next one, so that is a
//! record, too. Events are in NDJSON only, and a face without a track id has none. Numbers do not depend on the locale.

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
