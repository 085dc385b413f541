// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as `GstAnalyticsRelationMeta`, with GStreamer 1.24 or newer.
//!
//! ```text
//! ODMtd "face" ──CONTAIN|RELATE_TO──▶ ClsMtd, the top class alone ──RELATE_TO──▶ ClsMtd, all classes, best first
//!      │  ▲    ◀──────IS_PART_OF─────                                                │
//!      │  └───────────────────────────────IS_PART_OF─────────────────────────────────┘
//!      └──RELATE_TO──▶ TrackingMtd
//! ```
//!
//! The region of a face has the id of the ODMtd. DL Streamer finds it by that, and takes a ClsMtd that is part of no object for
//! a classification of the whole frame.
//!
//! The separate ClsMtd for the top class serves GStreamer's own consumers: `objectdetectionoverlay` shows index 0 of the first
//! ClsMtd related to an object, and others follow only one kind of relation. This encoding has no fields for `smoothed`,
//! `age` and the order of the labels. Labels are read in FER+'s order if they are those of FER+, else sorted by name.

use std::ops::ControlFlow;
use std::time::Duration;

use gst::buffer::BufferMetaForeachAction::{Keep, Remove};
use gst::glib;
use gst_analytics::prelude::*;
use gst_analytics::{
    AnalyticsClassificationMtd, AnalyticsMtdRef, AnalyticsODMtd, AnalyticsRelationMeta, AnalyticsRelationMetaInitParams,
    AnalyticsTrackingMtd, RelTypes,
};

use super::Finding;
use super::matching::matching_iou;
use super::roi::{self, RegionFaces};
use crate::geometry::{Rect, Size};
use crate::ids::track_id;
use crate::record::{DetectionInfo, EmotionResult, FaceRecord};
use crate::scores::{FERPLUS_LABELS, LabelSet, Scores};

/// Entries per face: an object, its track, its top class and all classes.
const MTDS_PER_FACE: usize = 4;
/// Initial size for four entries with eight classes. GStreamer enlarges the meta if necessary.
const BYTES_PER_FACE: usize = 256;

/// The box of an object `face`.
struct ObjectBox {
    /// Id of the ODMtd in relations.
    mtd: u32,
    rect_norm: Rect,
    confidence: f32,
}

/// An object `face` with its track id.
struct Object {
    object_box: ObjectBox,
    /// Track id; 0 if there is none that is valid in a [`FaceRecord`].
    id: u32,
}

impl Object {
    fn new(meta: &gst::MetaRef<'_, AnalyticsRelationMeta>, object_box: ObjectBox) -> Self {
        let tracks = meta.iter_direct_related::<AnalyticsTrackingMtd>(object_box.mtd, RelTypes::RELATE_TO);
        // If two elements wrote a track, the last one is newer.
        let id = tracks.map(|track| track_id(track.info().0)).filter(|&id| id != 0).last();
        Self { object_box, id: id.unwrap_or(0) }
    }
}

/// The faces among the buffer's objects, in order.
pub fn read(buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else { return Vec::new() };
    objects(&meta, frame).map(|object| record(&meta, &object)).collect()
}

/// True if the buffer has an object `face`.
pub(super) fn has_faces(buffer: &gst::BufferRef) -> bool {
    let face = face_type();
    buffer.meta::<AnalyticsRelationMeta>().is_some_and(|meta| meta.iter::<AnalyticsODMtd>().any(|object| object.obj_type() == Some(face)))
}

/// Adds ids and scores from the buffer's objects to the faces of regions, and adds the objects that match no region.
pub(super) fn join(buffer: &gst::BufferRef, frame: Size, regions: &mut RegionFaces) {
    let RegionFaces { faces, unresolved } = regions;
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else { return };
    let has_classes = meta.iter::<AnalyticsClassificationMtd>().next().is_some();
    let mut matcher = FaceMatcher::new(faces.len());
    for object_box in object_boxes(&meta, frame) {
        // The fast path: if this plugin wrote the buffer, the region has all that the object has.
        let is_complete = |face: &FaceRecord| face.id != 0 && (face.emotion.is_some() || !has_classes);
        let matches = |face: &FaceRecord| matching_iou(face.rect_norm, object_box.rect_norm, frame).is_some();
        if matcher.claim_next(|index| is_complete(&faces[index]) && matches(&faces[index])) {
            continue;
        }
        let object = Object::new(&meta, object_box);
        let Some(index) = matcher.claim(&object, &faces[..matcher.len()], frame) else {
            faces.push(record(&meta, &object));
            continue;
        };
        let face = &mut faces[index];
        if face.id == 0 {
            face.id = object.id;
        }
        // Otherwise the region's id is an application's.
        unresolved[index] = unresolved[index].filter(|&region_id| u32::try_from(region_id) != Ok(object.object_box.mtd));
        if face.emotion.is_none() {
            face.emotion = emotion(&meta, object.object_box.mtd);
        }
    }
}

/// Adds an object and a track for each face. Returns the numbers of the objects, in the order of the faces. There are fewer
/// if the meta cannot grow; the faces are still in the other encodings.
pub(super) fn write_detections(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) -> Vec<u32> {
    let seen = buffer.pts();
    let mut written = Vec::with_capacity(faces.len());
    let _ = with_meta(buffer, faces.len(), |meta| {
        for face in faces {
            written.push(add_object(meta, frame, face, seen)?);
        }
        Ok(())
    });
    written
}

/// Removes the meta with all objects.
pub(super) fn remove(buffer: &mut gst::BufferRef) {
    buffer.foreach_meta_mut(|mut meta| {
        let action = if meta.downcast_ref::<AnalyticsRelationMeta>().is_some() { Remove } else { Keep };
        ControlFlow::Continue(action)
    });
}

/// Adds the scores of `faces` to their objects if they are the `finding`, a track to objects without one of this id, and an object for each face
/// without one. Returns the numbers of the objects, as [`write_detections`] does.
pub(super) fn write_findings(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], finding: Finding) -> Vec<u32> {
    let seen = buffer.pts();
    let objects: Vec<Object> = buffer.meta::<AnalyticsRelationMeta>().map(|meta| objects(&meta, frame).collect()).unwrap_or_default();
    let mut matcher = FaceMatcher::new(faces.len());
    let mut object_of = vec![None; faces.len()];
    for object in &objects {
        if let Some(index) = matcher.claim(object, faces, frame) {
            object_of[index] = Some(object);
        }
    }
    let mut quarks = Quarks::default();
    let mut written = Vec::with_capacity(faces.len());
    let _ = with_meta(buffer, faces.len(), |meta| {
        for (face, object) in faces.iter().zip(object_of) {
            let mtd = match object {
                None => add_object(meta, frame, face, seen)?,
                Some(object) => {
                    if object.id != face.id {
                        add_track(meta, object.object_box.mtd, face.id, seen)?;
                    }
                    object.object_box.mtd
                }
            };
            written.push(mtd);
            if let Some(result) = face.expression().filter(|_| finding == Finding::Emotion) {
                add_classes(meta, mtd, result, &mut quarks)?;
            }
        }
        Ok(())
    });
    written
}

/// Matches objects to faces. Both are mostly in the same order, so the face after the last match is tried first.
struct FaceMatcher {
    taken: Vec<bool>,
    next: usize,
}

impl FaceMatcher {
    fn new(faces: usize) -> Self {
        Self { taken: vec![false; faces], next: 0 }
    }

    fn len(&self) -> usize {
        self.taken.len()
    }

    /// Takes the next face if it is free and `is_match` returns true for its index.
    fn claim_next(&mut self, is_match: impl FnOnce(usize) -> bool) -> bool {
        let claimed = self.taken.get(self.next).is_some_and(|taken| !taken) && is_match(self.next);
        if claimed {
            self.taken[self.next] = true;
            self.next += 1;
        }
        claimed
    }

    /// Takes the free face that matches `object`, by id or else by position, and returns its index.
    fn claim(&mut self, object: &Object, faces: &[FaceRecord], frame: Size) -> Option<usize> {
        let is_free = |index: usize| self.taken.get(index).is_some_and(|taken| !taken);
        let has_same_id = |face: &FaceRecord| face.id != 0 && face.id == object.id;
        let index = if is_free(self.next) && has_same_id(&faces[self.next]) {
            self.next
        } else {
            let free_faces = || faces.iter().enumerate().filter(|(index, _)| is_free(*index));
            let by_position = || {
                let iou = |face: &FaceRecord| matching_iou(face.rect_norm, object.object_box.rect_norm, frame);
                let matches = free_faces().filter_map(|(index, face)| Some((index, iou(face)?)));
                matches.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
            };
            free_faces().find(|(_, face)| has_same_id(face)).map(|(index, _)| index).or_else(by_position)?
        };
        self.taken[index] = true;
        self.next = index + 1;
        Some(index)
    }
}

fn object_boxes<'a>(meta: &'a gst::MetaRef<'a, AnalyticsRelationMeta>, frame: Size) -> impl Iterator<Item = ObjectBox> + 'a {
    let face = face_type();
    meta.iter::<AnalyticsODMtd>().filter(move |object| object.obj_type() == Some(face)).filter_map(move |object| {
        let location = object.location().ok()?;
        Some(ObjectBox {
            mtd: object.id(),
            rect_norm: Rect::new(location.x as f32, location.y as f32, location.w as f32, location.h as f32).to_norm(frame),
            confidence: if location.loc_conf_lvl.is_finite() { location.loc_conf_lvl } else { 0.0 },
        })
    })
}

fn objects<'a>(meta: &'a gst::MetaRef<'a, AnalyticsRelationMeta>, frame: Size) -> impl Iterator<Item = Object> + 'a {
    object_boxes(meta, frame).map(|object_box| Object::new(meta, object_box))
}

fn record(meta: &gst::MetaRef<'_, AnalyticsRelationMeta>, object: &Object) -> FaceRecord {
    FaceRecord {
        id: object.id,
        rect_norm: object.object_box.rect_norm,
        detection: Some(DetectionInfo {
            confidence: object.object_box.confidence,
            landmarks_norm: None,
            model_name: "".into(),
            age: Duration::ZERO,
        }),
        emotion: emotion(meta, object.object_box.mtd),
        geometry: None,
        confirmed: true,
    }
}

/// The scores of an object: a ClsMtd with one class that is related to a ClsMtd with all of them. Classifications by other
/// elements do not have this form and are ignored.
fn emotion(meta: &gst::MetaRef<'_, AnalyticsRelationMeta>, object: u32) -> Option<EmotionResult> {
    let tops = meta.iter_direct_related::<AnalyticsClassificationMtd>(object, RelTypes::CONTAIN);
    tops.filter(|top| top.len() == 1).filter_map(|top| distribution(meta, &top)).last()
}

fn distribution(
    meta: &gst::MetaRef<'_, AnalyticsRelationMeta>,
    top: &AnalyticsMtdRef<'_, AnalyticsClassificationMtd>,
) -> Option<EmotionResult> {
    let mut related = meta.iter_direct_related::<AnalyticsClassificationMtd>(top.id(), RelTypes::RELATE_TO);
    let all = related.find(|all| all.len() > 1)?;
    let mut classes: Vec<(&'static str, f32)> = all.iterate().map(|(label, score)| (label.as_str().as_str(), score)).collect();
    let ferplus_index = |label: &str| FERPLUS_LABELS.iter().position(|known| *known == label).unwrap_or(FERPLUS_LABELS.len());
    classes.sort_by_key(|&(label, _)| (ferplus_index(label), label));
    let shown = top.quark(0);
    Some(EmotionResult {
        label_id: classes.iter().position(|(label, _)| *label == shown.as_str().as_str()),
        labels: LabelSet::new(classes.iter().map(|(label, _)| *label)),
        scores: Scores::from_probabilities(classes.iter().map(|(_, score)| *score)),
        reason: None,
        smoothed: false,
        age: Duration::ZERO,
    })
}

type Meta<'a> = gst::MetaRefMut<'a, AnalyticsRelationMeta, gst::meta::Standalone>;

/// Calls `write` with the buffer's relation meta. If there is none and `faces` is above 0, it is added with room for as many
/// faces.
fn with_meta(
    buffer: &mut gst::BufferRef,
    faces: usize,
    write: impl FnOnce(&mut Meta) -> Result<(), glib::BoolError>,
) -> Result<(), glib::BoolError> {
    if let Some(mut meta) = buffer.meta_mut::<AnalyticsRelationMeta>() {
        return write(&mut meta);
    }
    if faces == 0 {
        return Ok(());
    }
    let capacity = AnalyticsRelationMetaInitParams::new(MTDS_PER_FACE * faces, BYTES_PER_FACE * faces);
    write(&mut AnalyticsRelationMeta::add_full(buffer, &capacity))
}

fn add_object(meta: &mut Meta, frame: Size, face: &FaceRecord, seen: Option<gst::ClockTime>) -> Result<u32, glib::BoolError> {
    let (x, y, w, h) = roi::pixels(face.rect_norm, frame);
    let confidence = face.detection.as_ref().map_or(1.0, |detection| detection.confidence);
    let object = meta.add_od_mtd(face_type(), x as i32, y as i32, w as i32, h as i32, confidence)?.id();
    if face.id != 0 {
        add_track(meta, object, face.id, seen)?;
    }
    Ok(object)
}

/// Records do not contain when a face was first seen, so `first seen` and `last seen` are both this buffer's time.
fn add_track(meta: &mut Meta, object: u32, id: u32, seen: Option<gst::ClockTime>) -> Result<(), glib::BoolError> {
    let track = meta.add_tracking_mtd(u64::from(id), seen.unwrap_or(gst::ClockTime::ZERO))?.id();
    meta.set_relation(RelTypes::RELATE_TO, object, track)
}

/// Adds the scores of the whole picture, best first, related to no object.
#[cfg(feature = "v1_28")]
pub fn write_classification(buffer: &mut gst::BufferRef, labels: &LabelSet, scores: &Scores) {
    let mut quarks = Quarks::default();
    let Some(labels) = quarks.of(labels) else { return };
    let (labels, scores) = sorted(labels, scores);
    // Adding fails only if the meta cannot grow.
    let _ = with_meta(buffer, 1, |meta| meta.add_cls_mtd(&scores, &labels).map(|_| ()));
}

/// Labels and their scores, best first.
fn sorted(labels: &[glib::Quark], scores: &Scores) -> (Vec<glib::Quark>, Vec<f32>) {
    let mut classes: Vec<(glib::Quark, f32)> = labels.iter().copied().zip(scores.as_slice().iter().copied()).collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    classes.into_iter().unzip()
}

fn add_classes(meta: &mut Meta, object: u32, result: &EmotionResult, quarks: &mut Quarks) -> Result<(), glib::BoolError> {
    let Some(labels) = quarks.of(&result.labels) else { return Ok(()) };
    let shown = match result.label_id.and_then(|id| labels.get(id)) {
        Some(label) => *label,
        None => glib::Quark::from_str(result.label()),
    };
    let (labels, scores) = sorted(labels, &result.scores);

    let top = meta.add_one_cls_mtd(result.confidence(), shown)?.id();
    meta.set_relation(RelTypes::CONTAIN | RelTypes::RELATE_TO, object, top)?;
    meta.set_relation(RelTypes::IS_PART_OF, top, object)?;
    let all = meta.add_cls_mtd(&scores, &labels)?.id();
    meta.set_relation(RelTypes::RELATE_TO, top, all)?;
    meta.set_relation(RelTypes::IS_PART_OF, all, object)
}

fn face_type() -> glib::Quark {
    glib::Quark::from_str(roi::FACE)
}

/// The labels as quarks, looked up once for all faces of a buffer; none if one is missing in GLib's string table. Missing ones
/// are not added, because entries of that table are never freed and the number of other elements' labels is unbounded.
#[derive(Default)]
struct Quarks(Option<(LabelSet, Option<Vec<glib::Quark>>)>);

impl Quarks {
    fn of(&mut self, labels: &LabelSet) -> Option<&[glib::Quark]> {
        if !self.0.as_ref().is_some_and(|(last, _)| last.is_same(labels)) {
            let quarks = labels.as_slice().iter().map(|label| glib::Quark::try_from_str(label)).collect();
            self.0 = Some((labels.clone(), quarks));
        }
        self.0.as_ref()?.1.as_deref()
    }
}
