// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plain text for people: `face 3: happiness 93 %`, one line a face.

use std::io;

use super::{FrameReport, RecordWriter, Summary, id};
use crate::record::FaceRecord;

/// Classes that a summary names, most probable first.
const NAMED_CLASSES: usize = 3;

/// Writes one line for each face, or one for each interval that has faces.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextWriter;

impl RecordWriter for TextWriter {
    fn write_faces(&mut self, frame: &FrameReport<'_>, _hold_ns: u64, out: &mut dyn io::Write) -> io::Result<()> {
        frame.faces.iter().try_for_each(|face| writeln!(out, "{}", face_text(face)))
    }

    fn write_summary(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        summary_text(summary).map_or(Ok(()), |text| writeln!(out, "{text}"))
    }
}

/// What a caption says of one face: id, label and percent; an `unknown` expression has no percent, and a face that was
/// not scored yet no expression.
///
/// ```
/// use gstemotion::{export::text::face_text, geometry::Rect, record::FaceRecord};
/// let face = FaceRecord { id: 3, rect_norm: Rect::new(0.1, 0.1, 0.2, 0.2), detection: None, emotion: None };
/// assert_eq!(face_text(&face), "face 3");
/// ```
pub fn face_text(face: &FaceRecord) -> String {
    let name = id(face).map_or_else(|| "face".to_owned(), |id| format!("face {id}"));
    match &face.emotion {
        Some(emotion) if emotion.label_id.is_some() => {
            format!("{name}: {} {}", one_line(emotion.label()), percent(f64::from(emotion.confidence())))
        }
        Some(emotion) => format!("{name}: {}", emotion.label()),
        None => name,
    }
}

/// What a caption says of an interval: the mean number of faces and the three highest mean scores; none without faces.
pub fn summary_text(summary: &Summary) -> Option<String> {
    if summary.faces_max == 0 {
        return None;
    }
    let mut scores: Vec<_> = summary.scores().into_iter().flatten().collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    let named = scores.iter().take(NAMED_CLASSES).map(|(label, score)| format!(", {} {}", one_line(label), percent(*score)));
    Some(format!("{:.1} faces{}", summary.faces_mean(), named.collect::<String>()))
}

fn percent(score: f64) -> String {
    format!("{} %", (score * 100.0).round())
}

/// A line break inside a label would end the caption's line, or a whole WebVTT cue.
fn one_line(label: &str) -> String {
    label.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
