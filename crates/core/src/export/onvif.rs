// SPDX-License-Identifier: MIT OR Apache-2.0
//! ONVIF metadata: one XML document `tt:MetadataStream` per frame, on one line, as cameras send it and as GStreamer's elements
//! for `application/x-onvif-metadata,parsed=true` take it.
//!
//! The elements are those of ONVIF's schemas of release 25.12 (`metadatastream.xsd`, `humanface.xsd`). A face is a `tt:Object`
//! of type `HumanFace`; its `ObjectId` is the track id, absent for a face without one. Coordinates are ONVIF's: -1..1 in both
//! directions, x to the right, y upwards.
//!
//! `fc:Expression` has words for what a face does: `Natural` stands for neutral, `Smile` for happiness, and `Other` for the other
//! classes. It is absent for `unknown`. `fc:PoseAngle` has the pose of the head in degrees, as in [`emotion_records`], where it is to
//! be relied on. Our own labels and scores are in an extension:
//!
//! | element | attributes, content |
//! |---|---|
//! | `em:Expression` | `label`, `score` 0..1, `smoothed`, `age` (duration since the classified frame) |
//! | `em:Score` in it, for each class | `label`; the score, 0..1 |
//! | `em:Summary`, of an interval | `duration`, `frames`, `facesMean`, `facesMax`, `facesScored`, as in [`emotion_records`] |
//! | `em:Count`, `em:Score` in it | `label`; the number of scored faces with it, the mean score |
//!
//! `UtcTime` is the capture time. ONVIF requires one. If it is unknown, as in a file, `UtcTime` is the position in the media,
//! counted from 1970-01-01T00:00:00Z. A frame without faces means for readers that no face follows until the next document,
//! so one is written when the last face has gone.

use std::fmt::{self, Write as _};
use std::io;
use std::time::Duration;

use super::field::{angle, coordinate, id, score};
use super::ndjson::labelled_scores;
use super::{FrameReport, FrameTime, RecordWriter, Summary, Utc};
use crate::geometry::Rect;
use crate::record::{EmotionResult, FaceRecord};

/// The start of each document. The last namespace is our own, of the extension.
const START: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema" "#,
    r#"xmlns:fc="http://www.onvif.org/ver20/analytics/humanface" xmlns:em="urn:x-gst-plugin-emotion:onvif:1">"#
);
/// `Source` of each frame, the analytics module.
const MODULE: &str = "emotion";
/// Our labels that `fc:Expression` has a word for.
const WORDS: [(&str, &str); 2] = [("neutral", "Natural"), ("happiness", "Smile")];
/// Its word for all others.
const OTHER: &str = "Other";

/// Writes one XML document per frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnvifWriter;

impl RecordWriter for OnvifWriter {
    fn marks_absence(&self) -> bool {
        true
    }

    fn stated_utc(&self, time: &FrameTime) -> Option<Utc> {
        Some(utc_or_position(time))
    }

    fn write_faces(&mut self, frame: &FrameReport<'_>, _hold_ns: u64, out: &mut dyn io::Write) -> io::Result<()> {
        let objects: String = frame.faces.iter().map(object).collect();
        write_frame(&frame.time, frame.stream, &objects, out)
    }

    fn write_summary(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        write_frame(&summary.time, &summary.stream, &format!("<tt:Extension>{}</tt:Extension>", interval(summary)), out)
    }
}

/// The capture time, or the position in the media where that is unknown.
fn utc_or_position(time: &FrameTime) -> Utc {
    time.utc.unwrap_or(Utc(time.position_ns()))
}

fn write_frame(time: &FrameTime, stream: &str, content: &str, out: &mut dyn io::Write) -> io::Result<()> {
    let utc = utc_or_position(time);
    writeln!(
        out,
        r#"{START}<tt:VideoAnalytics><tt:Frame UtcTime="{utc}" Source="{MODULE}" em:stream="{}">{content}</tt:Frame></tt:VideoAnalytics></tt:MetadataStream>"#,
        Escaped(stream)
    )
}

/// The `tt:Object` of a face.
fn object(face: &FaceRecord) -> String {
    let mut text = id(face).map_or_else(|| "<tt:Object>".to_owned(), |id| format!(r#"<tt:Object ObjectId="{id}">"#));
    text += "<tt:Appearance>";
    text += &shape(face.rect_norm);
    text += "<tt:Class><tt:Type";
    if let Some(detection) = &face.detection {
        text += &format!(r#" Likelihood="{}""#, Number(score(detection.confidence)));
    }
    text += ">HumanFace</tt:Type></tt:Class>";
    if let Some(emotion) = face.expression() {
        text += &format!("<tt:Extension>{}</tt:Extension>", expression(emotion));
    }
    text + &human_face(face) + "</tt:Appearance></tt:Object>"
}

/// The `tt:HumanFace` of a face: ONVIF's word for its expression and the pose of the head. Empty if neither is known.
fn human_face(face: &FaceRecord) -> String {
    let mut text = String::new();
    if let Some(word) = face.expression().and_then(word) {
        text += &format!("<fc:Expression>{word}</fc:Expression>");
    }
    if let Some(geometry) = face.geometry.as_ref().filter(|geometry| geometry.is_pose_reliable()) {
        let [yaw, pitch, roll] = geometry.pose.to_array().map(|degrees| Number(angle(degrees)));
        text += &format!(r#"<fc:PoseAngle><fc:PoseAngles roll="{roll}" pitch="{pitch}" yaw="{yaw}"/></fc:PoseAngle>"#);
    }
    if text.is_empty() { text } else { format!("<tt:HumanFace>{text}</tt:HumanFace>") }
}

fn shape(rect: Rect) -> String {
    let [left, right, middle] = [rect.x, rect.right(), rect.x + rect.w / 2.0].map(|x| Number(coordinate(2.0 * f64::from(x) - 1.0)));
    let [top, bottom, centre] = [rect.y, rect.bottom(), rect.y + rect.h / 2.0].map(|y| Number(coordinate(1.0 - 2.0 * f64::from(y))));
    format!(
        r#"<tt:Shape><tt:BoundingBox left="{left}" top="{top}" right="{right}" bottom="{bottom}"/><tt:CenterOfGravity x="{middle}" y="{centre}"/></tt:Shape>"#
    )
}

/// ONVIF's word for the expression; none for `unknown`.
fn word(emotion: &EmotionResult) -> Option<&'static str> {
    emotion.label_id?;
    let known = WORDS.iter().find(|(label, _)| *label == emotion.label());
    Some(known.map_or(OTHER, |(_, word)| *word))
}

fn expression(emotion: &EmotionResult) -> String {
    let mut text = format!(
        r#"<em:Expression label="{}" score="{}" smoothed="{}" age="{}">"#,
        Escaped(emotion.label()),
        Number(score(emotion.confidence())),
        emotion.smoothed,
        Seconds(emotion.age)
    );
    labelled_scores(emotion).for_each(|(label, value)| text += &labelled("Score", label, Number(score(value))));
    text + "</em:Expression>"
}

fn interval(summary: &Summary) -> String {
    let mut text = format!(
        r#"<em:Summary duration="{}" frames="{}" facesMean="{}" facesMax="{}" facesScored="{}">"#,
        Seconds(Duration::from_nanos(summary.time.duration_ns)),
        summary.frames,
        Number(score(summary.faces_mean())),
        summary.faces_max,
        summary.faces_scored
    );
    summary.counts().for_each(|(label, count)| text += &labelled("Count", label, count));
    let scores = summary.scores().into_iter().flatten();
    scores.for_each(|(label, value)| text += &labelled("Score", label, Number(score(value))));
    text + "</em:Summary>"
}

/// An element of the extension with a label and a value.
fn labelled(element: &str, label: &str, value: impl fmt::Display) -> String {
    format!(r#"<em:{element} label="{}">{value}</em:{element}>"#, Escaped(label))
}

/// A number as `xs:float`.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("INF"),
            f64::NEG_INFINITY => f.write_str("-INF"),
            number => write!(f, "{number}"),
        }
    }
}

/// A length of time as `xs:duration`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PT{}.{:09}S", self.0.as_secs(), self.0.subsec_nanos())
    }
}

/// Text of an attribute. Characters that XML does not allow become U+FFFD.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\t' | '\n' | '\r' => write!(f, "&#{};", u32::from(c)),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => f.write_char(char::REPLACEMENT_CHARACTER),
            _ => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_characters_is_one_attribute_on_one_line() {
        assert_eq!(Escaped("a<b>&\"c'\u{1}\n\u{ffff}ü").to_string(), "a&lt;b&gt;&amp;&quot;c'\u{fffd}&#10;\u{fffd}ü");
    }

    #[test]
    fn numbers_are_those_of_xml_schema() {
        assert_eq!(
            [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.25].map(|number| Number(number).to_string()),
            ["INF", "-INF", "NaN", "0.25"]
        );
        assert_eq!(Seconds(Duration::from_millis(80)).to_string(), "PT0.080000000S");
    }
}
