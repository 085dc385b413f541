// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads and writes the faces in a buffer's metadata. No other module contains the name of a structure or field.
//!
//! | encoding | name | contents |
//! |---|---|---|
//! | [`roi`] | `GstVideoRegionOfInterestMeta` of type `face` | id, box in pixels; params `detection`, `object_id`, `geometry`, `emotion` |
//! | [`custom`] | `GstEmotionMeta`, one for each buffer | when the frame was searched; id, box in 0..1, geometry and scores of every face |
//! | `analytics` (feature `v1_24`) | `GstAnalyticsRelationMeta`, one for each buffer | id, box in pixels, confidence and scores |
//!
//! `GstEmotionMeta` exists for two reasons. First, `videoscale`, and `videoconvert` to another format, drop the params of a
//! region but keep its id. They keep custom metadata without tags, and [`read`] joins both by the region's id. Second, no
//! other encoding has a field for the time since the last search. Readers ignore unknown fields. A buffer without any of this
//! metadata has no faces.
//!
#![doc = include_str!("../../docs/metadata.md")]

#[cfg(feature = "v1_24")]
pub mod analytics;
pub mod custom;
mod emotion;
mod field;
mod geometry;
mod matching;
pub mod message;
pub mod roi;
#[cfg(feature = "v1_28")]
pub mod tensors;
mod value;

use std::sync::Arc;

use crate::geometry::{AxisMap, Rect, Size};
use crate::record::{FaceRecord, SearchAge};

/// Version of the metadata's fields, written to every structure.
pub const VERSION: i32 = 1;

const WHOLE_FRAME: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);

/// A track id as the signed number that the encodings store.
fn int_id(id: u32) -> i32 {
    i32::try_from(id).unwrap_or(0)
}

/// Adds `texts` to GLib's string table, which makes writing them faster. They stay there until the process ends, so use it
/// only for labels and names of models that this plugin loads: the number of texts from other elements is unbounded.
pub fn intern<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) {
    for text in texts {
        gst::glib::Quark::from_str(text.as_ref());
    }
}

/// True if a detector has processed the buffer: it has a face or a `GstEmotionMeta`. Detectors of other plugins leave no sign
/// on a frame without faces.
pub fn detector_seen(buffer: &gst::BufferRef) -> bool {
    #[cfg(feature = "v1_24")]
    if analytics::has_faces(buffer) {
        return true;
    }
    custom::is_on(buffer) || roi::is_on(buffer)
}

/// The result of [`read`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FacesOnBuffer {
    /// One record per face: first those with a region, in the order of the regions.
    pub faces: Vec<FaceRecord>,
    /// How long ago the scene was last searched.
    pub searched: SearchAge,
    /// Number of faces in `GstEmotionMeta` that are not in `faces`, because their position in this picture is unknown.
    pub left_out: usize,
}

/// What elements did to the picture since it was analysed, as a map from positions in it to positions in the present one, both in
/// 0..1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Change {
    /// Nothing, or nothing that is known.
    #[default]
    None,
    /// All metadata is as it was written.
    All(AxisMap),
    /// GStreamer has moved the regions, so only `GstEmotionMeta` is as it was written.
    CustomOnly(AxisMap),
}

impl Change {
    /// The map of the boxes in `GstEmotionMeta`; none if nothing is known.
    fn of_custom(self) -> Option<AxisMap> {
        match self {
            Self::None => None,
            Self::All(map) | Self::CustomOnly(map) => Some(map),
        }
    }
}

/// Reads all encodings on a buffer whose picture has the size `frame`, and joins the records of each face.
///
/// Faces outside this picture are left out. With [`Change::None`], boxes are used unchanged. Those of `GstEmotionMeta` are then only
/// used if the picture still has its proportions, because elements that crop keep this metadata.
pub fn read(buffer: &gst::BufferRef, frame: Size, change: Change) -> FacesOnBuffer {
    let mut scores = emotion::Reader::default();
    let mut regions = roi::read_with(buffer, frame, &mut scores);
    custom::resolve(buffer, &mut regions);
    #[cfg(feature = "v1_24")]
    analytics::join(buffer, frame, &mut regions);
    let mut faces = regions.finish();
    if let Change::All(map) = change {
        faces.iter_mut().for_each(|face| move_face(face, map));
        faces.retain(|face| face.rect_norm.is_valid());
    }
    let left_out = match change.of_custom() {
        Some(map) => custom::join(buffer, frame, &mut faces, &mut scores, change, |_, rect_norm| Some(moved_rect(map, rect_norm))),
        None => custom::join(buffer, frame, &mut faces, &mut scores, change, custom::unless_cropped(frame)),
    };
    FacesOnBuffer { faces, searched: custom::searched(buffer), left_out }
}

/// The faces that [`read`] finds without a `change`.
pub fn read_faces(buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
    read(buffer, frame, Change::None).faces
}

/// Where a box is now, cut at the edges of this picture; empty if it is outside.
fn moved_rect(change: AxisMap, rect_norm: Rect) -> Rect {
    change.rect(rect_norm).intersection(WHOLE_FRAME)
}

fn move_face(face: &mut FaceRecord, change: AxisMap) {
    face.rect_norm = moved_rect(change, face.rect_norm);
    if let Some(landmarks) = face.detection.as_mut().and_then(|detection| detection.landmarks_norm.as_mut()) {
        let moved = landmarks.map(|point| change.point(point));
        *landmarks = if change.is_mirrored() { moved.mirrored() } else { moved };
    }
    if let Some(geometry) = &mut face.geometry {
        *geometry = Arc::new(geometry.moved(change));
    }
}

/// Writes detected faces and when the scene was last searched: a region for each face, an object from GStreamer 1.24 on, and
/// all faces in the buffer's `GstEmotionMeta`.
pub fn write_search(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], searched: SearchAge) {
    let region_ids = write_detections(buffer, frame, faces);
    custom::write_search(buffer, frame, faces, &region_ids, searched);
}

/// Writes a region and, from GStreamer 1.24 on, an object for each face. Returns the ids of the regions, for
/// `GstEmotionMeta`.
pub fn write_detections(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) -> Vec<i32> {
    #[cfg(feature = "v1_24")]
    let objects = analytics::write_detections(buffer, frame, faces);
    #[cfg(not(feature = "v1_24"))]
    let objects = Vec::new();
    let region_ids = region_ids(faces, &objects);
    roi::write(buffer, frame, faces, &region_ids);
    region_ids
}

/// Moves all metadata on a buffer by `change`. `faces` are those that [`read`] found with it. Without a move, nothing is done.
pub fn settle(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], change: Change) {
    match change {
        Change::All(map) if map != AxisMap::IDENTITY => rewrite(buffer, frame, faces, map),
        Change::CustomOnly(map) if map != AxisMap::IDENTITY => custom::write(buffer, frame, faces, &roi::ids(buffer)),
        _ => {}
    }
}

/// Writes regions, objects and `GstEmotionMeta` anew for `faces`. Regions of other kinds are moved by `map`. Objects of other kinds are
/// removed: they would be in the wrong place.
fn rewrite(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], map: AxisMap) {
    roi::move_all(buffer, frame, map);
    #[cfg(feature = "v1_24")]
    analytics::remove(buffer);
    let region_ids = write_detections(buffer, frame, faces);
    custom::write(buffer, frame, faces, &region_ids);
    #[cfg(feature = "v1_24")]
    analytics::write_findings(buffer, frame, faces, Finding::Emotion);
}

/// What an element has found out about faces that others detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Geometry,
    Emotion,
}

/// Writes the scores, and new ids, to each face's region and object and to the buffer's `GstEmotionMeta`. Faces without a
/// region or object get one.
pub fn write_emotions(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    write_findings(buffer, frame, faces, Finding::Emotion);
}

/// Writes the geometry, and new ids, to each face's region and to the buffer's `GstEmotionMeta`. Faces without a region or object
/// get one. Relation metadata has no place for a geometry.
pub fn write_geometries(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    write_findings(buffer, frame, faces, Finding::Geometry);
}

fn write_findings(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], finding: Finding) {
    #[cfg(feature = "v1_24")]
    let objects = analytics::write_findings(buffer, frame, faces, finding);
    #[cfg(not(feature = "v1_24"))]
    let objects = Vec::new();
    let region_ids = region_ids(faces, &objects);
    roi::write_findings(buffer, frame, faces, &region_ids, finding);
    custom::write(buffer, frame, faces, &region_ids);
}

/// The ids of the faces' regions: the numbers of their objects, by which DL Streamer looks them up. Faces beyond `objects`
/// have none, and their regions have the track id.
fn region_ids(faces: &[FaceRecord], objects: &[u32]) -> Vec<i32> {
    let objects = objects.iter().map(|&object| i32::try_from(object).ok()).chain(std::iter::repeat(None));
    faces.iter().zip(objects).map(|(face, object)| object.unwrap_or(int_id(face.id))).collect()
}
