// SPDX-License-Identifier: MIT OR Apache-2.0
//! Newline-delimited JSON: the records of [`emotion_records`], one for each face on each exported frame, for each interval or for each
//! event, and one when the last face has gone.

use std::io;

use emotion_records::{ByLabel, EventHead, EventLine, FaceBox, FaceLine, FrameLine, Landmarks, SummaryLine, Times};
use serde::Serialize;

use super::field::{coordinate, id, score, seconds};
use super::geometry::{GeometryFields, geometry_of};
use super::{Event, FrameReport, FrameTime, RecordWriter, Summary, VERSION};
use crate::geometry::{Landmarks5, Point, Rect};
use crate::record::{EmotionResult, FaceRecord};

/// Writes one JSON object per line.
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
        write_line(&summary_line(summary), out)
    }

    fn write_event(&mut self, stream: &str, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        let head = EventHead { version: VERSION, stream: stream.into(), times: (&event.time).into(), id: event.id.into() };
        write_line(&EventLine { head, kind: event.kind.clone() }, out)
    }
}

/// Writes the object of a record.
pub(super) fn write_line(record: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(record)?)
}

/// The objects of a frame, each on one line.
pub(super) fn objects(frame: &FrameReport<'_>, geometry: GeometryFields) -> impl Iterator<Item = io::Result<String>> {
    let (stream, times) = (frame.stream.into(), Times::from(&frame.time));
    let gone = FrameLine { version: VERSION, stream, frame: frame.frame, times, faces: 0 };
    let gone = frame.faces.is_empty().then(|| Ok(serde_json::to_string(&gone)?));
    frame.faces.iter().map(move |face| Ok(serde_json::to_string(&face_line(frame, face, geometry))?)).chain(gone)
}

/// The record of one face of a frame.
pub fn face_line<'a>(frame: &FrameReport<'a>, face: &'a FaceRecord, geometry: GeometryFields) -> FaceLine<'a> {
    let (detection, emotion) = (face.detection.as_ref(), face.emotion.as_ref());
    let scored = emotion.filter(|emotion| emotion.is_scored());
    FaceLine {
        version: VERSION,
        stream: frame.stream.into(),
        frame: frame.frame,
        times: (&frame.time).into(),
        id: id(face).map(u64::from),
        r#box: face.rect_norm.into(),
        misplaced: frame.misplaced,
        confidence: detection.map(|detection| score(detection.confidence)),
        detector: detection.map(|detection| &*detection.model_name).filter(|name| !name.is_empty()).map(Into::into),
        landmarks: detection.and_then(|detection| detection.landmarks_norm).map(Into::into),
        label: emotion.map(|emotion| emotion.label().into()),
        label_id: emotion.and_then(|emotion| emotion.label_id),
        reason: emotion.and_then(|emotion| emotion.reason),
        score: scored.map(|emotion| score(emotion.confidence())),
        second: scored.and_then(EmotionResult::second).map(Into::into),
        scores: scored.map(rounded_scores),
        smoothed: scored.map(|emotion| emotion.smoothed),
        age: scored.map(age_ns),
        baseline: scored.and_then(|emotion| emotion.scores.baseline()).map(|duration| score(duration.as_secs_f32())),
        geometry: geometry_of(face.geometry.as_deref(), geometry),
    }
}

/// The record of one interval.
pub(super) fn summary_line(summary: &Summary) -> SummaryLine<'_> {
    SummaryLine {
        version: VERSION,
        stream: summary.stream.as_str().into(),
        times: (&summary.time).into(),
        frames: summary.frames,
        faces_mean: score(summary.faces_mean()),
        faces_max: summary.faces_max,
        faces_scored: summary.faces_scored,
        counts: summary.counts().collect(),
        scores: summary.scores().map(|scores| scores.map(|(label, value)| (label, score(value))).collect()),
    }
}

/// Label and score of each class, in the model's order.
pub(super) fn labelled_scores(emotion: &EmotionResult) -> impl Iterator<Item = (&str, f32)> {
    emotion.labels.as_slice().iter().map(String::as_str).zip(emotion.scores.as_slice().iter().copied())
}

/// The same as an object of rounded numbers.
pub(super) fn rounded_scores<'a, K: From<&'a str>>(emotion: &'a EmotionResult) -> ByLabel<K, f64> {
    labelled_scores(emotion).map(|(label, value)| (label, score(value))).collect()
}

/// Time since the frame on which the face was scored.
pub(super) fn age_ns(emotion: &EmotionResult) -> u64 {
    u64::try_from(emotion.age.as_nanos()).unwrap_or(u64::MAX)
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
            recording_time: None,
        }
    }
}

impl From<Rect> for FaceBox {
    fn from(rect: Rect) -> Self {
        let [x, y, w, h] = [rect.x, rect.y, rect.w, rect.h].map(coordinate);
        Self { x, y, w, h }
    }
}

impl From<Point> for emotion_records::Point {
    fn from(point: Point) -> Self {
        Self { x: coordinate(point.x), y: coordinate(point.y) }
    }
}

impl From<Landmarks5> for Landmarks {
    fn from(Landmarks5(points): Landmarks5) -> Self {
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = points.map(Into::into);
        Self { right_eye, left_eye, nose, right_mouth, left_mouth }
    }
}
