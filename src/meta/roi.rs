// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as `GstVideoRegionOfInterestMeta`, type `face`.
//!
//! Params, each a `GstStructure`:
//! - `detection`: confidence, x_min, x_max, y_min, y_max (double, 0..1), landmarks (array of 10 doubles 0..1: x, y of right
//!   eye, left eye, nose, right and left corner of the mouth; right and left are the person's own), model_name (string),
//!   age (uint64, ns since the frame on which the face was found), confirmed (boolean, only if it is false)
//! - `object_id`: id (int) of the track; absent if there is none
//! - `geometry`: landmarks, pose and blendshapes, see [`super`]
//! - `emotion`: see [`super`], and model_name (string)
//!
//! The id of a region is the number of its object where relation metadata is written, else the track id. DL Streamer looks a
//! region up by the number of its object, and exports a classification only if the param has `label` and `model_name`.
//!
//! Regions of other elements need no params. DL Streamer writes `detection` with the same fields and the id of a tracked object
//! to `object_id`. [`read`] therefore uses `object_id` and ignores the id of a region with `detection`. A region without these
//! params comes from an application, and its own id is the track, or it has lost its params: [`super::read`] finds out which.

use std::ops::ControlFlow;
use std::time::Duration;

use gst::buffer::BufferMetaForeachAction::{Keep, Remove};
use gst::glib;
use gst_video::VideoRegionOfInterestMeta;

use super::emotion::{Reader, Writer};
use super::field::Field;
use super::value::{Plain, array, double};
use super::{Finding, geometry, int_id};
pub(super) use crate::geometry::pixels;
use crate::geometry::{AxisMap, Landmarks5, Point, Rect, Size};
use crate::ids::track_id;
use crate::record::{DetectionInfo, FaceRecord};

/// The region type that means a face.
pub const FACE: &str = "face";
const DETECTION: &glib::GStr = glib::gstr!("detection");
const OBJECT_ID: &glib::GStr = glib::gstr!("object_id");
const EMOTION: &glib::GStr = glib::gstr!("emotion");

static CONFIDENCE: Field = Field::new("confidence");
static X_MIN: Field = Field::new("x_min");
static X_MAX: Field = Field::new("x_max");
static Y_MIN: Field = Field::new("y_min");
static Y_MAX: Field = Field::new("y_max");
static LANDMARKS: Field = Field::new("landmarks");
static MODEL_NAME: Field = Field::new("model_name");
static AGE: Field = Field::new("age");
pub(super) static CONFIRMED: Field = Field::new("confirmed");
static ID: Field = Field::new("id");

/// The faces of a buffer's regions, in order.
pub(super) struct RegionFaces {
    pub faces: Vec<FaceRecord>,
    /// For each face, the id of its region, if no param says which track it is. That id is the number of an object or, in a
    /// region of an application, the track id. The face's own id is 0 until then.
    pub unresolved: Vec<Option<i32>>,
}

impl RegionFaces {
    /// The faces. Unresolved ids are track ids.
    pub fn finish(mut self) -> Vec<FaceRecord> {
        for (face, region_id) in self.faces.iter_mut().zip(self.unresolved) {
            if let Some(region_id) = region_id.filter(|_| face.id == 0) {
                face.id = track_id(region_id);
            }
        }
        self.faces
    }
}

/// The faces among the buffer's regions, in order.
pub fn read(buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
    read_with(buffer, frame, &mut Reader::default()).finish()
}

pub(super) fn read_with(buffer: &gst::BufferRef, frame: Size, reader: &mut Reader) -> RegionFaces {
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>().filter(|meta| meta.roi_type() == FACE);
    let (faces, unresolved) = regions.map(|meta| read_one(&meta, frame, reader)).unzip();
    RegionFaces { faces, unresolved }
}

/// The ids of the regions of type `face`, in order.
pub(super) fn ids(buffer: &gst::BufferRef) -> Vec<i32> {
    buffer.iter_meta::<VideoRegionOfInterestMeta>().filter(|meta| meta.roi_type() == FACE).map(|meta| meta.id()).collect()
}

/// True if the buffer has a region of type `face`.
pub fn is_on(buffer: &gst::BufferRef) -> bool {
    buffer.iter_meta::<VideoRegionOfInterestMeta>().any(|meta| meta.roi_type() == FACE)
}

/// Removes the regions of faces, and moves those of other kinds. Regions outside the picture are removed.
pub(super) fn move_all(buffer: &mut gst::BufferRef, frame: Size, map: AxisMap) {
    buffer.foreach_meta_mut(|mut meta| {
        let Some(region) = meta.downcast_mut::<VideoRegionOfInterestMeta>() else { return ControlFlow::Continue(Keep) };
        let (x, y, w, h) = region.rect();
        let rect = super::moved_rect(map, Rect::new(x as f32, y as f32, w as f32, h as f32).to_norm(frame));
        if region.roi_type() == FACE || !rect.is_valid() {
            return ControlFlow::Continue(Remove);
        }
        region.set_rect(pixels(rect, frame));
        ControlFlow::Continue(Keep)
    });
}

/// Adds a region for each face, with the id in `region_ids` and those of the params `detection`, `object_id`, `geometry` and
/// `emotion` that are known.
pub(super) fn write(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], region_ids: &[i32]) {
    let mut writer = Writer::default();
    faces.iter().zip(region_ids).for_each(|(face, &region_id)| write_one(buffer, frame, face, region_id, &mut writer));
}

fn write_one(buffer: &mut gst::BufferRef, frame: Size, face: &FaceRecord, region_id: i32, writer: &mut Writer) {
    // The reader computes the pixels from the corners in `detection`. They have to be computed from the same numbers here, or
    // an edge halfway between two pixels may be rounded to different ones.
    let Rect { x: left, y: top, .. } = face.rect_norm;
    let (x, y, w, h) = pixels(Rect::from_corners(left, top, face.rect_norm.right(), face.rect_norm.bottom()), frame);
    let mut meta = VideoRegionOfInterestMeta::add(buffer, FACE, (x, y, w, h));
    meta.set_id(region_id);
    if let Some(detection) = &face.detection {
        meta.add_param(detection_structure(face, detection, writer));
    }
    if face.id != 0 {
        meta.add_param(object_id_structure(face.id));
    }
    add_geometry(&mut meta, face, writer);
    add_emotion(&mut meta, face, writer);
}

/// Adds the `finding` and new ids to the region of each face. Faces and regions are matched by their order, which [`read`] keeps,
/// since regions may have no id yet. Faces beyond the last region are added.
pub(super) fn write_findings(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], region_ids: &[i32], finding: Finding) {
    let mut writer = Writer::default();
    let mut remaining = faces.iter().zip(region_ids.iter().copied());
    for mut meta in buffer.iter_meta_mut::<VideoRegionOfInterestMeta>().filter(|meta| meta.roi_type() == FACE) {
        let Some((face, region_id)) = remaining.next() else { break };
        if face.id != 0 && object_id(&meta).is_none_or(|id| id != int_id(face.id)) {
            meta.add_param(object_id_structure(face.id));
        }
        if meta.id() != region_id {
            meta.set_id(region_id);
        }
        match finding {
            Finding::Geometry => add_geometry(&mut meta, face, &mut writer),
            Finding::Emotion => add_emotion(&mut meta, face, &mut writer),
        }
    }
    for (face, region_id) in remaining {
        write_one(buffer, frame, face, region_id, &mut writer);
    }
}

/// The track id in the params of a region; that of the last element that wrote one.
fn object_id(meta: &VideoRegionOfInterestMeta) -> Option<i32> {
    meta.params().filter(|param| param.name() == OBJECT_ID).filter_map(|param| ID.get(param)).last()
}

fn add_geometry<T>(meta: &mut gst::MetaRefMut<VideoRegionOfInterestMeta, T>, face: &FaceRecord, writer: &mut Writer) {
    if let Some(found) = &face.geometry {
        meta.add_param(geometry::structure(found, writer));
    }
}

fn add_emotion<T>(meta: &mut gst::MetaRefMut<VideoRegionOfInterestMeta, T>, face: &FaceRecord, writer: &mut Writer) {
    if let Some(result) = &face.emotion {
        let mut structure = gst::Structure::new_empty_from_static(EMOTION);
        writer.set_fields(&mut structure, result);
        MODEL_NAME.set(&mut structure, writer.classifier());
        meta.add_param(structure);
    }
}

/// The face of a region, and the region's id if no param says which track it is.
fn read_one(meta: &VideoRegionOfInterestMeta, frame: Size, reader: &mut Reader) -> (FaceRecord, Option<i32>) {
    let (x, y, w, h) = meta.rect();
    let rect = Rect::new(x as f32, y as f32, w as f32, h as f32);
    let (mut detection, mut object_id, mut found, mut emotion) = (None, None, None, None);
    // If two elements wrote a param of the same name, the last one is newer.
    for param in meta.params() {
        match param.name() {
            name if name == DETECTION => detection = Some(param),
            name if name == OBJECT_ID => object_id = ID.get::<i32>(param),
            name if name == geometry::NAME => found = Some(param),
            name if name == EMOTION => emotion = Some(param),
            _ => {}
        }
    }
    let is_resolved = object_id.is_some() || detection.is_some();
    let face = FaceRecord {
        id: object_id.map_or(0, track_id),
        rect_norm: detection.and_then(|param| exact_rect(param, rect, frame)).unwrap_or_else(|| rect.to_norm(frame)),
        detection: detection.map(|param| read_detection(param, reader)),
        emotion: emotion.and_then(|param| reader.fields(param)),
        geometry: found.and_then(|param| geometry::read(param, reader)),
        confirmed: detection.is_none_or(is_confirmed),
    };
    (face, (!is_resolved).then(|| meta.id()))
}

/// True unless the structure of a face says otherwise, as those of other elements never do.
pub(super) fn is_confirmed(structure: &gst::StructureRef) -> bool {
    CONFIRMED.get(structure).unwrap_or(true)
}

fn object_id_structure(id: u32) -> gst::Structure {
    let mut structure = gst::Structure::new_empty_from_static(OBJECT_ID);
    ID.set(&mut structure, Plain::int(int_id(id)));
    structure
}

fn detection_structure(face: &FaceRecord, detection: &DetectionInfo, writer: &mut Writer) -> gst::Structure {
    let rect = face.rect_norm;
    let mut structure = gst::Structure::new_empty_from_static(DETECTION);
    CONFIDENCE.set(&mut structure, Plain::double(detection.confidence));
    X_MIN.set(&mut structure, Plain::double(rect.x));
    X_MAX.set(&mut structure, Plain::double(rect.right()));
    Y_MIN.set(&mut structure, Plain::double(rect.y));
    Y_MAX.set(&mut structure, Plain::double(rect.bottom()));
    MODEL_NAME.set(&mut structure, writer.name(&detection.model_name));
    AGE.set(&mut structure, Plain::nanoseconds(detection.age));
    if !face.confirmed {
        CONFIRMED.set(&mut structure, Plain::boolean(false));
    }
    if let Some(Landmarks5(points)) = detection.landmarks_norm {
        let values: [Plain; 10] = std::array::from_fn(|n| {
            let point = points[n / 2];
            Plain::double(if n % 2 == 0 { point.x } else { point.y })
        });
        LANDMARKS.set(&mut structure, array(values.into_iter()));
    }
    structure
}

fn read_detection(param: &gst::StructureRef, reader: &mut Reader) -> DetectionInfo {
    DetectionInfo {
        confidence: CONFIDENCE.number(param).unwrap_or(0.0),
        landmarks_norm: LANDMARKS.get::<gst::ArrayRef>(param).and_then(|values| landmarks(&values)),
        model_name: reader.name(&MODEL_NAME, param),
        age: Duration::from_nanos(AGE.get(param).unwrap_or(0)),
    }
}

fn landmarks(values: &[glib::SendValue]) -> Option<Landmarks5> {
    let mut points = [Point::default(); 5];
    if values.len() != 2 * points.len() {
        return None;
    }
    for (point, pair) in points.iter_mut().zip(values.chunks_exact(2)) {
        *point = Point::new(double(&pair[0])? as f32, double(&pair[1])? as f32);
    }
    points.iter().all(|point| point.x.is_finite() && point.y.is_finite()).then_some(Landmarks5(points))
}

/// The box of `detection`, if rounding it gives the box of the region. If not, the box is out of date: elements that move or
/// scale a region do not change its params.
fn exact_rect(param: &gst::StructureRef, rect: Rect, frame: Size) -> Option<Rect> {
    let corner = |field: &Field| field.number(param);
    let exact = Rect::from_corners(corner(&X_MIN)?, corner(&Y_MIN)?, corner(&X_MAX)?, corner(&Y_MAX)?);
    let (x, y, w, h) = pixels(exact, frame);
    // The difference of two finite corners may be infinite.
    (exact.w.is_finite() && exact.h.is_finite() && Rect::new(x as f32, y as f32, w as f32, h as f32) == rect).then_some(exact)
}
