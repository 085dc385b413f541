// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plain text for people to read: `face 3: happiness 93 %`, one line per face.

use std::io;

use super::field::id;
use super::{FrameReport, RecordWriter, Summary};
use crate::record::FaceRecord;

/// Number of classes that a summary lists, highest score first.
const LISTED_CLASSES: usize = 3;

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

/// The text for one face: id, label and percentage. A label with a score below [`CERTAIN`](crate::record::CERTAIN) comes with
/// the second class. An `unknown` expression has no percentage, and a face that is not scored yet has no expression.
///
/// ```
/// use emotion_core::{export::text::face_text, geometry::Rect, record::FaceRecord};
/// let face = FaceRecord { id: 3, rect_norm: Rect::new(0.1, 0.1, 0.2, 0.2), detection: None, emotion: None, geometry: None, confirmed: true };
/// assert_eq!(face_text(&face), "face 3");
/// ```
pub fn face_text(face: &FaceRecord) -> String {
    let name = id(face).map_or_else(|| "face".to_owned(), |id| format!("face {id}"));
    match face.expression() {
        Some(emotion) if emotion.label_id.is_some() => {
            let second = emotion.alternative().map(|second| format!(" or {}", one_line(second))).unwrap_or_default();
            format!("{name}: {}{second} {}", one_line(emotion.label()), percent(f64::from(emotion.confidence())))
        }
        Some(emotion) => format!("{name}: {}", emotion.label()),
        None => name,
    }
}

/// The text for an interval: the mean number of faces and the three highest mean scores; none without faces.
pub fn summary_text(summary: &Summary) -> Option<String> {
    if summary.faces_max == 0 {
        return None;
    }
    let mut scores: Vec<_> = summary.scores().into_iter().flatten().collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    let listed = scores.iter().take(LISTED_CLASSES).map(|(label, score)| format!(", {} {}", one_line(label), percent(*score)));
    Some(format!("{:.1} faces{}", summary.faces_mean(), listed.collect::<String>()))
}

fn percent(score: f64) -> String {
    format!("{} %", (score * 100.0).round())
}

/// Replaces control characters, since a line break inside of a label would end the line, or a WebVTT cue.
fn one_line(label: &str) -> String {
    label.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
