// SPDX-License-Identifier: MIT OR Apache-2.0
//! The JSON that DL Streamer's `gvametaconvert` makes of a frame, one object per line, with the scores added.
//!
//! The fields follow `gvametaconvert` of DL Streamer 2025 (<https://dlstreamer.github.io/elements/gvametaconvert.html> and its
//! `jsonconverter.cpp`). A field whose value is unknown is absent, as there. Without the frame's faces there is no `objects`,
//! as with its `add-empty-results`.

use std::io;

use emotion_records::{ByLabel, Geometry};
use serde::Serialize;

use super::field::{coordinate, id, score};
use super::geometry::{GeometryFields, geometry_of};
use super::ndjson::{age_ns, rounded_scores, summary_line, write_line};
use super::{FrameReport, RecordWriter, Summary, VERSION};
use crate::geometry::{Size, pixels};
use crate::record::{DetectionInfo, EmotionResult, FaceRecord};

/// The `label` and `roi_type` of an object.
const FACE: &str = "face";
/// The name of the classifier. DL Streamer's classifications have one, and face records do not name the network.
const CLASSIFIER: &str = "emotionclassify";

/// Writes one JSON object per frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct DlStreamerWriter {
    /// Which faces have a `geometry`, in addition to what `gvametaconvert` writes.
    pub geometry: GeometryFields,
}

impl RecordWriter for DlStreamerWriter {
    fn write_faces(&mut self, frame: &FrameReport<'_>, _hold_ns: u64, out: &mut dyn io::Write) -> io::Result<()> {
        write_line(&FrameJson::new(frame, self.geometry), out)
    }

    fn write_summary(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        write_line(&summary_line(summary), out)
    }
}

#[derive(Serialize)]
struct FrameJson<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    objects: Vec<ObjectJson<'a>>,
    resolution: ResolutionJson,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_timestamp: Option<String>,
}

impl<'a> FrameJson<'a> {
    fn new(frame: &FrameReport<'a>, geometry: GeometryFields) -> Self {
        let Size { width, height } = frame.size;
        Self {
            objects: frame.faces.iter().map(|face| ObjectJson::new(face, frame.size, geometry)).collect(),
            resolution: ResolutionJson { width, height },
            source: frame.stream,
            timestamp: frame.time.stream_time_ns,
            system_timestamp: frame.time.utc.map(|utc| utc.to_string()),
        }
    }
}

#[derive(Serialize)]
struct ResolutionJson {
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct ObjectJson<'a> {
    detection: DetectionJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    emotion: Option<EmotionJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geometry: Option<Geometry<'static>>,
    x: u32,
    y: u32,
    w: u32,
    h: u32,
    region_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    roi_type: &'static str,
}

impl<'a> ObjectJson<'a> {
    fn new(face: &'a FaceRecord, size: Size, geometry: GeometryFields) -> Self {
        let geometry = geometry_of(face.geometry.as_deref(), geometry);
        let (x, y, w, h) = pixels(face.rect_norm, size);
        let emotion = face.expression().map(EmotionJson::from);
        Self { detection: face.into(), emotion, geometry, x, y, w, h, region_id: face.id, id: id(face), roi_type: FACE }
    }
}

#[derive(Serialize)]
struct DetectionJson {
    bounding_box: BoundsJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    label: &'static str,
}

impl From<&FaceRecord> for DetectionJson {
    fn from(face: &FaceRecord) -> Self {
        let rect = face.rect_norm;
        let [x_min, y_min, x_max, y_max] = [rect.x, rect.y, rect.right(), rect.bottom()].map(coordinate);
        let confidence = |detection: &DetectionInfo| score(detection.confidence);
        Self { bounding_box: BoundsJson { x_min, y_min, x_max, y_max }, confidence: face.detection.as_ref().map(confidence), label: FACE }
    }
}

#[derive(Serialize)]
struct BoundsJson {
    x_min: f64,
    y_min: f64,
    x_max: f64,
    y_max: f64,
}

/// A classification, with `scores` and the fields after it in addition to those of `gvametaconvert`.
#[derive(Serialize)]
struct EmotionJson<'a> {
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_id: Option<usize>,
    confidence: f64,
    model: ModelJson,
    scores: ByLabel<&'a str, f64>,
    smoothed: bool,
    age: u64,
    version: u32,
}

impl<'a> From<&'a EmotionResult> for EmotionJson<'a> {
    fn from(emotion: &'a EmotionResult) -> Self {
        Self {
            label: emotion.label(),
            label_id: emotion.label_id,
            confidence: score(emotion.confidence()),
            model: ModelJson { name: CLASSIFIER },
            scores: rounded_scores(emotion),
            smoothed: emotion.smoothed,
            age: age_ns(emotion),
            version: VERSION,
        }
    }
}

#[derive(Serialize)]
struct ModelJson {
    name: &'static str,
}
