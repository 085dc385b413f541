// SPDX-License-Identifier: MIT OR Apache-2.0
//! The trait that every format implements.

use std::io;

use super::{Event, FrameReport, FrameTime, Summary, Utc};

/// What one record of an output describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// A face on an exported frame.
    #[default]
    Faces,
    /// An interval.
    Summaries,
    /// An event of a face.
    Events,
}

/// Writes records in one format. Each call ends with a complete line, so that a file cut off between two calls is valid.
///
/// # Errors
/// Those of `out`, and [`io::ErrorKind::InvalidData`] for a record that the format cannot represent.
pub trait RecordWriter: Send {
    /// The header of a file, if the format has one. `labels` are those of the first record, where it has any, and `has_geometry` tells
    /// whether one of its faces has a geometry; the columns of a table are derived from them.
    fn header(&mut self, labels: Option<&[String]>, has_geometry: bool) -> Option<String> {
        let _ = (labels, has_geometry);
        None
    }

    /// True if a record with these labels can be written without the loss of a score.
    fn takes(&self, labels: &[String]) -> bool {
        let _ = labels;
        true
    }

    /// False if the format would have a place for the geometry of a face, but its header has none.
    fn takes_geometry(&self) -> bool {
        true
    }

    /// True if a frame without faces has a record where the last face has gone, and at the start, even if not only changes
    /// are exported.
    fn marks_absence(&self) -> bool {
        false
    }

    /// The time of day that a record of a frame or interval at `time` states; none for a format whose records state none where
    /// it is unknown.
    fn stated_utc(&self, time: &FrameTime) -> Option<Utc> {
        let _ = time;
        None
    }

    /// Writes each face of a frame. For a frame without faces, it writes that the last one has gone, where the format can
    /// represent that. `hold_ns` is the time for which the record holds: the frame's duration, or longer where not every
    /// frame is exported.
    fn write_faces(&mut self, frame: &FrameReport<'_>, hold_ns: u64, out: &mut dyn io::Write) -> io::Result<()>;

    /// Writes the summary of an interval.
    fn write_summary(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()>;

    /// Writes an event. Only NDJSON has them; another format writes nothing.
    fn write_event(&mut self, stream: &str, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        let _ = (stream, event, out);
        Ok(())
    }
}
