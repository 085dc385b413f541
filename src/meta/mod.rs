// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces on buffers: the only module that spells a metadata name.
//!
//! | encoding | name | carries |
//! |---|---|---|
//! | [`roi`] | `GstVideoRegionOfInterestMeta` of type `face` | id, box in pixels; params `detection`, `object_id`, `emotion` |
//! | [`custom`] | `GstEmotionMeta`, one for each buffer | when the frame was searched; id, box in 0..1 and the scores of every face |
//! | `analytics` (feature `v1_24`) | `GstAnalyticsRelationMeta`, one for each buffer | id, box in pixels, confidence and scores |
//!
//! `GstEmotionMeta` exists because a format-changing `videoconvert` and every `videoscale` drop a region's params but keep
//! its id, while untagged custom metadata survives them; [`read`] joins them by id. It alone says when the scene was last
//! searched. Readers ignore unknown fields; a buffer without any of this has no faces.
//!
#![doc = include_str!("../../docs/metadata.md")]

#[cfg(feature = "v1_24")]
pub mod analytics;
pub mod custom;
mod emotion;
mod field;
mod matching;
pub mod message;
pub mod roi;
mod value;

use crate::geometry::{AxisMap, Rect, Size};
use crate::record::{FaceRecord, SearchAge};

/// Version of the metadata's fields, written into every structure.
pub const VERSION: i32 = 1;

const WHOLE_PICTURE: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);

/// A track id as the encodings store it.
fn int_id(id: u32) -> i32 {
    i32::try_from(id).unwrap_or(0)
}

/// Adds `texts` to GLib's table of strings, which makes writing them faster. They stay there until the process ends, so this
/// is for our own labels and model names only: the number of foreign ones has no bound.
pub fn intern<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) {
    for text in texts {
        gst::glib::Quark::from_str(text.as_ref());
    }
}

/// True if the buffer shows that a detector has seen it: it has a face, or a `GstEmotionMeta`. Detectors of other plugins
/// leave no trace on a frame without faces.
pub fn detector_seen(buffer: &gst::BufferRef) -> bool {
    #[cfg(feature = "v1_24")]
    if analytics::has_faces(buffer) {
        return true;
    }
    custom::is_on(buffer) || roi::is_on(buffer)
}

/// What [`read`] found on a buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FacesOnBuffer {
    /// The faces, one record for each: first those with a region, in the order of the regions.
    pub faces: Vec<FaceRecord>,
    /// How long ago the scene was last searched.
    pub searched: SearchAge,
    /// How many of `faces` are in `GstEmotionMeta` only.
    pub without_region: usize,
    /// Faces of `GstEmotionMeta` that are not in `faces`, since their position in this picture is unknown.
    pub left_out: usize,
}

/// Reads all encodings on a buffer whose picture has `frame` pixels, and joins what they say of the same face.
///
/// `change` maps positions in the picture that was analysed to positions in this one, both 0..1. Faces outside this picture
/// are left out. Without a `change`, boxes are taken as they are; but those of `GstEmotionMeta`, which is kept by elements
/// that crop, are only used if the picture still has its proportions.
pub fn read(buffer: &gst::BufferRef, frame: Size, change: Option<AxisMap>) -> FacesOnBuffer {
    let mut scores = emotion::Reader::default();
    let mut faces = roi::read_with(buffer, frame, &mut scores);
    #[cfg(feature = "v1_24")]
    analytics::join(buffer, frame, &mut faces);
    let joined = match change {
        None => custom::join(buffer, frame, &mut faces, &mut scores, custom::unmoved(frame)),
        Some(change) => {
            faces.iter_mut().for_each(|face| move_face(face, change));
            custom::join(buffer, frame, &mut faces, &mut scores, |_, rect_norm| Some(change.rect(rect_norm)))
        }
    };
    if change.is_some() {
        faces.retain_mut(|face| {
            face.rect_norm = face.rect_norm.intersection(WHOLE_PICTURE);
            face.rect_norm.is_valid()
        });
    }
    FacesOnBuffer { faces, searched: custom::searched(buffer), without_region: joined.added, left_out: joined.left_out }
}

/// The faces that [`read`] finds without a change of the picture.
pub fn read_faces(buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
    read(buffer, frame, None).faces
}

fn move_face(face: &mut FaceRecord, change: AxisMap) {
    face.rect_norm = change.rect(face.rect_norm);
    if let Some(landmarks) = face.detection.as_mut().and_then(|detection| detection.landmarks_norm.as_mut()) {
        *landmarks = landmarks.map(|point| change.point(point));
    }
}

/// Writes detected faces and when the scene was last searched: a region for each face, from GStreamer 1.24 on an object,
/// and all of them in the buffer's `GstEmotionMeta`.
pub fn write_search(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], searched: SearchAge) {
    write_detections(buffer, frame, faces);
    custom::write_search(buffer, frame, faces, searched);
}

/// Writes a region for each face and, from GStreamer 1.24 on, an object.
pub fn write_detections(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    roi::write(buffer, frame, faces);
    #[cfg(feature = "v1_24")]
    analytics::write_detections(buffer, frame, faces);
}

/// Writes the scores of faces, and the ids of those that had none, to each face's region and object and to the buffer's
/// `GstEmotionMeta`. Faces without a region or object get one.
pub fn write_emotions(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    roi::write_emotions(buffer, frame, faces);
    #[cfg(feature = "v1_24")]
    analytics::write_emotions(buffer, frame, faces);
    custom::write(buffer, frame, faces);
}
