// SPDX-License-Identifier: MIT OR Apache-2.0
//! WebVTT (<https://www.w3.org/TR/webvtt1/>): captions for viewers, or metadata cues for scripts.
//!
//! Cues are placed by stream time, which the `<track>` element of a browser uses, or by timestamp where it is unknown. A
//! caption cue has one line for each face. A metadata cue contains the JSON object of one face or interval, as in
//! [`super::ndjson`], so that a page reads `JSON.parse(cue.text)`.

use std::io;

use super::ndjson::{objects, summary_line};
use super::text::{face_text, summary_text};
use super::{FrameReport, FrameTime, GeometryFields, RecordWriter, Summary};

const HEADER: &str = "WEBVTT\n\n";
const NS_PER_MS: u64 = 1_000_000;

/// Writes captions such as `face 3: happiness 93 %`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CaptionWriter;

/// Writes cues that contain the objects of NDJSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct MetadataWriter {
    /// Which faces have the fields of their geometry.
    pub geometry: GeometryFields,
}

impl RecordWriter for CaptionWriter {
    fn header(&mut self, _labels: Option<&[String]>, _has_geometry: bool) -> Option<String> {
        Some(HEADER.to_owned())
    }

    fn write_faces(&mut self, frame: &FrameReport<'_>, hold_ns: u64, out: &mut dyn io::Write) -> io::Result<()> {
        if frame.faces.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = frame.faces.iter().map(|face| escaped(&face_text(face))).collect();
        cue(&frame.time, hold_ns, &lines.join("\n"), out)
    }

    fn write_summary(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        summary_text(summary).map_or(Ok(()), |text| cue(&summary.time, summary.time.duration_ns, &escaped(&text), out))
    }
}

impl RecordWriter for MetadataWriter {
    fn header(&mut self, _labels: Option<&[String]>, _has_geometry: bool) -> Option<String> {
        Some(HEADER.to_owned())
    }

    fn write_faces(&mut self, frame: &FrameReport<'_>, hold_ns: u64, out: &mut dyn io::Write) -> io::Result<()> {
        objects(frame, self.geometry).try_for_each(|object| cue(&frame.time, hold_ns, &without_arrow(&object?), out))
    }

    fn write_summary(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        cue(&summary.time, summary.time.duration_ns, &without_arrow(&serde_json::to_string(&summary_line(summary))?), out)
    }
}

fn cue(time: &FrameTime, hold_ns: u64, payload: &str, out: &mut dyn io::Write) -> io::Result<()> {
    let start_ns = time.position_ns();
    let start_ms = start_ns / NS_PER_MS;
    // WebVTT requires that a cue ends after it starts, however short the frame.
    let end_ms = (start_ns.saturating_add(hold_ns) / NS_PER_MS).max(start_ms + 1);
    write!(out, "{} --> {}\n{payload}\n\n", timestamp(start_ms), timestamp(end_ms))
}

/// `hh:mm:ss.mmm`; hours have two digits or more.
fn timestamp(ms: u64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000)
}

/// Escapes the characters that begin a tag or an entity. This also breaks up `-->`, which is not allowed in a cue.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Rewrites JSON without `-->`, which is not allowed in a cue and can only occur inside a string.
fn without_arrow(json: &str) -> String {
    json.replace("-->", "--\\u003e")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_by_hand() {
        assert_eq!(timestamp(0), "00:00:00.000");
        assert_eq!(timestamp(3_723_004), "01:02:03.004");
        assert_eq!(timestamp(360_000_000), "100:00:00.000");
    }

    #[test]
    fn a_cue_lasts_at_least_a_millisecond() {
        let mut out = Vec::new();
        cue(&FrameTime { pts_ns: 1_500_000, ..FrameTime::default() }, 1, "x", &mut out).unwrap();
        assert_eq!(out, b"00:00:00.001 --> 00:00:00.002\nx\n\n");
    }
}
