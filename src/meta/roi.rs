// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as `GstVideoRegionOfInterestMeta`, type `face`.
//!
//! Params, each a `GstStructure`:
//! - `detection`: confidence, x_min, x_max, y_min, y_max (double, 0..1), landmarks (array of 10 doubles 0..1: x, y of
//!   right eye, left eye, nose, right and left corner of the mouth, the person's own right), model_name (string)
//! - `object_id`: id (int)
//! - `emotion`: see [`super`]
//!
//! Boxes of other elements need no params at all; DL Streamer's `detection` params have the same names.

use gst_video::VideoRegionOfInterestMeta;

use super::emotion;
use crate::geometry::{Landmarks5, Point, Rect, Size};
use crate::record::{DetectionInfo, FaceRecord};

/// The region type that means a face.
pub const FACE: &str = "face";
const DETECTION: &str = "detection";
const OBJECT_ID: &str = "object_id";
const EMOTION: &str = "emotion";

/// The faces among the buffer's regions, in order.
pub fn read(buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
    buffer.iter_meta::<VideoRegionOfInterestMeta>().filter(|meta| meta.roi_type() == FACE).map(|meta| read_one(&meta, frame)).collect()
}

/// Adds a region for `face`, with its `detection`, `object_id` and, if it has one, `emotion`.
pub fn write(buffer: &mut gst::BufferRef, frame: Size, face: &FaceRecord) {
    let (x, y, w, h) = pixels(face.rect_norm, frame);
    let mut meta = VideoRegionOfInterestMeta::add(buffer, FACE, (x, y, w, h));
    meta.set_id(face.id as i32);
    if let Some(detection) = &face.detection {
        meta.add_param(detection_structure(face.rect_norm, detection));
    }
    meta.add_param(gst::Structure::builder(OBJECT_ID).field("id", face.id as i32).build());
    add_emotion(&mut meta, face);
}

/// Adds `emotion` to the region of each face; the regions of `faces` are found by their order, as [`read`] gave them,
/// so that boxes without an id get theirs here. Faces beyond the regions are added.
pub fn write_emotions(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    let mut remaining = faces.iter();
    for mut meta in buffer.iter_meta_mut::<VideoRegionOfInterestMeta>().filter(|meta| meta.roi_type() == FACE) {
        let Some(face) = remaining.next() else { break };
        if meta.id() != face.id as i32 {
            meta.set_id(face.id as i32);
            meta.add_param(gst::Structure::builder(OBJECT_ID).field("id", face.id as i32).build());
        }
        add_emotion(&mut meta, face);
    }
    for face in remaining {
        write(buffer, frame, face);
    }
}

fn add_emotion<T>(meta: &mut gst::MetaRefMut<VideoRegionOfInterestMeta, T>, face: &FaceRecord) {
    if let Some(result) = &face.emotion {
        let mut structure = gst::Structure::new_empty(EMOTION);
        emotion::set_fields(&mut structure, result);
        meta.add_param(structure);
    }
}

fn read_one(meta: &VideoRegionOfInterestMeta, frame: Size) -> FaceRecord {
    let (x, y, w, h) = meta.rect();
    let rect = Rect::new(x as f32, y as f32, w as f32, h as f32);
    // Whoever writes later knows better: the last param of a name counts.
    let last = |name: &str| meta.params().filter(|param| param.name() == name).last();
    let detection = last(DETECTION);
    let object_id = last(OBJECT_ID).and_then(|param| param.get::<i32>("id").ok());
    let id = u32::try_from(meta.id()).ok().filter(|&id| id > 0).or_else(|| object_id.and_then(|id| u32::try_from(id).ok()));
    FaceRecord {
        id: id.unwrap_or(0),
        rect_norm: detection.and_then(|param| exact_rect(param, rect, frame)).unwrap_or_else(|| rect.to_norm(frame)),
        detection: detection.map(read_detection),
        emotion: last(EMOTION).and_then(emotion::from_fields),
    }
}

fn detection_structure(rect: Rect, detection: &DetectionInfo) -> gst::Structure {
    let mut structure = gst::Structure::builder(DETECTION)
        .field("confidence", f64::from(detection.confidence))
        .field("x_min", f64::from(rect.x))
        .field("x_max", f64::from(rect.right()))
        .field("y_min", f64::from(rect.y))
        .field("y_max", f64::from(rect.bottom()))
        .field("model_name", &detection.model_name)
        .build();
    if let Some(Landmarks5(points)) = detection.landmarks_norm {
        let values = points.iter().flat_map(|point| [f64::from(point.x), f64::from(point.y)]);
        structure.set("landmarks", gst::Array::new(values));
    }
    structure
}

fn read_detection(param: &gst::StructureRef) -> DetectionInfo {
    DetectionInfo {
        confidence: param.get::<f64>("confidence").unwrap_or(0.0) as f32,
        landmarks_norm: param.get::<gst::Array>("landmarks").ok().and_then(|values| landmarks(&values)),
        model_name: param.get::<String>("model_name").unwrap_or_default(),
    }
}

fn landmarks(values: &gst::Array) -> Option<Landmarks5> {
    let values: Vec<f32> = values.iter().map(|value| value.get::<f64>().ok().map(|value| value as f32)).collect::<Option<_>>()?;
    let points: Vec<Point> = values.chunks_exact(2).map(|pair| Point::new(pair[0], pair[1])).collect();
    points.try_into().ok().map(Landmarks5)
}

/// The box of `detection` where it still is the region's own: an element that moved or scaled the region did not touch
/// its params, so a box that is more than rounding away is out of date.
fn exact_rect(param: &gst::StructureRef, rect: Rect, frame: Size) -> Option<Rect> {
    let corner = |name: &str| param.get::<f64>(name).ok().map(|value| value as f32);
    let exact = Rect::from_corners(corner("x_min")?, corner("y_min")?, corner("x_max")?, corner("y_max")?);
    let (x, y, w, h) = pixels(exact, frame);
    (Rect::new(x as f32, y as f32, w as f32, h as f32) == rect).then_some(exact)
}

/// The box in whole pixels inside the frame, at least one pixel large.
pub(super) fn pixels(rect_norm: Rect, frame: Size) -> (u32, u32, u32, u32) {
    let rect = rect_norm.from_norm(frame);
    let start = |value: f32, limit: u32| (value.round().max(0.0) as u32).min(limit.saturating_sub(1));
    let (x, y) = (start(rect.x, frame.width), start(rect.y, frame.height));
    let length = |end: f32, start: u32, limit: u32| (end.round().max(0.0) as u32).min(limit).saturating_sub(start).max(1);
    (x, y, length(rect.right(), x, frame.width), length(rect.bottom(), y, frame.height))
}
