// SPDX-License-Identifier: MIT OR Apache-2.0
//! Newline-delimited JSON: an object for each face on each exported frame, for each interval or for each event, and one
//! when the last face has gone.

use std::io;

use serde::{Serialize, Serializer};

use super::behaviour::FaceState;
use super::face_states::Direction;
use super::field::{coordinate, id, score, seconds};
use super::geometry::{GeometryFields, GeometryJson};
use super::{Event, EventKind, FrameReport, FrameTime, RecordWriter, Summary, Utc, VERSION};
use crate::geometry::{Landmarks5, Point, Rect};
use crate::record::{EmotionResult, FaceRecord, UnknownReason};

/// Writes one JSON object per line, with the fields of the tables in [`super`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NdjsonWriter {
    /// Which faces have the fields of their geometry.
    pub geometry: GeometryFields,
}

impl RecordWriter for NdjsonWriter {
    fn write_faces(&mut self, frame: &FrameReport<'_>, _hold_ns: u64, out: &mut dyn io::Write) -> io::Result<()> {
        objects(frame, self.geometry).try_for_each(|object| writeln!(out, "{}", object?))
    }

    fn write_summary(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        writeln!(out, "{}", summary_json(summary)?)
    }

    fn write_event(&mut self, stream: &str, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        writeln!(out, "{}", event_json(stream, event)?)
    }
}

/// The objects of a frame, each on one line.
pub(super) fn objects(frame: &FrameReport<'_>, geometry: GeometryFields) -> impl Iterator<Item = io::Result<String>> {
    let no_faces = frame.faces.is_empty().then(|| no_faces_json(frame));
    frame.faces.iter().map(move |face| face_json(frame, face, geometry)).chain(no_faces)
}

/// The object of a frame without faces, on one line.
fn no_faces_json(frame: &FrameReport<'_>) -> io::Result<String> {
    let line =
        FrameLine { kind: "frame", version: VERSION, stream: frame.stream, frame: frame.frame, times: (&frame.time).into(), faces: 0 };
    Ok(serde_json::to_string(&line)?)
}

/// The object of one face, on one line.
fn face_json(frame: &FrameReport<'_>, face: &FaceRecord, geometry: GeometryFields) -> io::Result<String> {
    let emotion = face.emotion.as_ref();
    let scored = emotion.filter(|emotion| emotion.is_scored());
    let line = FaceLine {
        kind: "face",
        version: VERSION,
        stream: frame.stream,
        frame: frame.frame,
        times: (&frame.time).into(),
        id: id(face),
        rect: face.rect_norm.into(),
        confidence: face.detection.as_ref().map(|detection| score(detection.confidence)),
        detector: face.detection.as_ref().map(|detection| &*detection.model_name).filter(|name| !name.is_empty()),
        landmarks: face.detection.as_ref().and_then(|detection| detection.landmarks_norm).map(Into::into),
        label: emotion.map(EmotionResult::label),
        label_id: emotion.and_then(|emotion| emotion.label_id),
        reason: emotion.and_then(|emotion| emotion.reason).map(UnknownReason::as_str),
        score: scored.map(|emotion| score(emotion.confidence())),
        second: scored.and_then(EmotionResult::second),
        scores: scored.map(|emotion| ByLabel(labelled_scores(emotion).map(|(label, value)| (label, score(value))).collect())),
        smoothed: scored.map(|emotion| emotion.smoothed),
        age: scored.map(|emotion| u64::try_from(emotion.age.as_nanos()).unwrap_or(u64::MAX)),
        geometry: GeometryJson::of(face.geometry.as_deref(), geometry),
    };
    Ok(serde_json::to_string(&line)?)
}

/// The object of one interval, on one line.
pub(super) fn summary_json(summary: &Summary) -> io::Result<String> {
    let line = SummaryLine {
        kind: "summary",
        version: VERSION,
        stream: &summary.stream,
        times: (&summary.time).into(),
        frames: summary.frames,
        faces_mean: score(summary.faces_mean()),
        faces_max: summary.faces_max,
        faces_scored: summary.faces_scored,
        counts: ByLabel(summary.counts().collect()),
        scores: summary.scores().map(|scores| ByLabel(scores.map(|(label, value)| (label, score(value))).collect())),
    };
    Ok(serde_json::to_string(&line)?)
}

/// The object of one event, on one line.
fn event_json(stream: &str, event: &Event) -> io::Result<String> {
    let (kind, change) = match &event.kind {
        EventKind::Appeared => ("appeared", Change::Moment {}),
        EventKind::Expression { from, to } => ("expression", Change::Expression { from: from.as_deref(), to }),
        EventKind::Began(state) => state_change(*state, true),
        EventKind::Ended(state) => state_change(*state, false),
        EventKind::Blink => ("blink", Change::Moment {}),
        EventKind::Left { shares } => {
            let shares: Vec<_> = shares.iter().map(|(label, share)| (label.as_str(), score(*share))).collect();
            ("left", Change::Left { shares: (!shares.is_empty()).then_some(ByLabel(shares)) })
        }
    };
    let line = EventLine { kind, version: VERSION, stream, times: (&event.time).into(), id: event.id, change };
    Ok(serde_json::to_string(&line)?)
}

/// The type of an event and its fields, for a state that began or ended.
fn state_change(state: FaceState, active: bool) -> (&'static str, Change<'static>) {
    match state {
        FaceState::Turned(direction) => {
            let direction = match direction {
                Direction::Left => "left",
                Direction::Right => "right",
                Direction::Up => "up",
                Direction::Down => "down",
            };
            ("turned", Change::Turned { active, direction })
        }
        FaceState::EyesClosed => ("eyes_closed", Change::State { active }),
        FaceState::Speaking => ("speaking", Change::State { active }),
    }
}

/// Label and score of each class, in the model's order.
pub(super) fn labelled_scores(emotion: &EmotionResult) -> impl Iterator<Item = (&str, f32)> {
    emotion.labels.as_slice().iter().map(String::as_str).zip(emotion.scores.as_slice().iter().copied())
}

/// The times of a frame, or of the first frame of an interval.
#[derive(Serialize)]
struct Times {
    time_s: f64,
    duration_s: f64,
    pts: u64,
    duration: u64,
    stream_time: Option<u64>,
    running_time: Option<u64>,
    #[serde(serialize_with = "rfc3339")]
    utc: Option<Utc>,
}

impl From<&FrameTime> for Times {
    fn from(time: &FrameTime) -> Self {
        Self {
            time_s: seconds(time.position_ns()),
            duration_s: seconds(time.duration_ns),
            pts: time.pts_ns,
            duration: time.duration_ns,
            stream_time: time.stream_time_ns,
            running_time: time.running_time_ns,
            utc: time.utc,
        }
    }
}

#[derive(Serialize)]
struct FaceLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: u32,
    stream: &'a str,
    frame: u64,
    #[serde(flatten)]
    times: Times,
    id: Option<u32>,
    #[serde(rename = "box")]
    rect: BoxJson,
    confidence: Option<f64>,
    detector: Option<&'a str>,
    landmarks: Option<LandmarksJson>,
    label: Option<&'a str>,
    label_id: Option<usize>,
    reason: Option<&'static str>,
    score: Option<f64>,
    second: Option<&'a str>,
    scores: Option<ByLabel<'a, f64>>,
    smoothed: Option<bool>,
    age: Option<u64>,
    #[serde(flatten)]
    geometry: Option<GeometryJson>,
}

#[derive(Serialize)]
struct FrameLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: u32,
    stream: &'a str,
    frame: u64,
    #[serde(flatten)]
    times: Times,
    faces: usize,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: u32,
    stream: &'a str,
    #[serde(flatten)]
    times: Times,
    frames: u64,
    faces_mean: f64,
    faces_max: u64,
    faces_scored: u64,
    counts: ByLabel<'a, u64>,
    scores: Option<ByLabel<'a, f64>>,
}

#[derive(Serialize)]
struct EventLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: u32,
    stream: &'a str,
    #[serde(flatten)]
    times: Times,
    id: u32,
    #[serde(flatten)]
    change: Change<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Change<'a> {
    Moment {},
    Expression { from: Option<&'a str>, to: &'a str },
    Turned { active: bool, direction: &'static str },
    State { active: bool },
    Left { shares: Option<ByLabel<'a, f64>> },
}

#[derive(Serialize)]
struct BoxJson {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

impl From<Rect> for BoxJson {
    fn from(rect: Rect) -> Self {
        Self { x: coordinate(rect.x), y: coordinate(rect.y), w: coordinate(rect.w), h: coordinate(rect.h) }
    }
}

#[derive(Serialize)]
struct PointJson {
    x: f64,
    y: f64,
}

impl From<Point> for PointJson {
    fn from(point: Point) -> Self {
        Self { x: coordinate(point.x), y: coordinate(point.y) }
    }
}

#[derive(Serialize)]
struct LandmarksJson {
    right_eye: PointJson,
    left_eye: PointJson,
    nose: PointJson,
    right_mouth: PointJson,
    left_mouth: PointJson,
}

impl From<Landmarks5> for LandmarksJson {
    fn from(Landmarks5(points): Landmarks5) -> Self {
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = points.map(Into::into);
        Self { right_eye, left_eye, nose, right_mouth, left_mouth }
    }
}

/// An object whose keys are labels, in the order given. Of equal labels only the first is written, because JSON parsers
/// disagree about repeated keys.
pub(super) struct ByLabel<'a, T>(pub(super) Vec<(&'a str, T)>);

impl<T: Serialize> Serialize for ByLabel<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = |index: usize, label: &str| self.0[..index].iter().all(|(known, _)| *known != label);
        let fields = self.0.iter().enumerate().filter(|(index, (label, _))| first(*index, label));
        serializer.collect_map(fields.map(|(_, (label, value))| (label, value)))
    }
}

fn rfc3339<S: Serializer>(utc: &Option<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    match utc {
        Some(utc) => serializer.collect_str(utc),
        None => serializer.serialize_none(),
    }
}
