// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces on buffers: the only module that spells a metadata name.
//!
//! | encoding | name | carries |
//! |---|---|---|
//! | [`roi`] | `GstVideoRegionOfInterestMeta` of type `face` | id, box in pixels; params `detection`, `object_id`, `emotion` |
//! | [`custom`] | `GstEmotionMeta`, one for each buffer | when the frame was searched; id, box in 0..1 and the scores of every face |
//! | `analytics` (feature `v1_24`) | `GstAnalyticsRelationMeta`, one for each buffer | id, box in pixels, confidence and scores |
//!
//! The second exists because a format-changing `videoconvert` and every `videoscale` drop a region's params but keep its
//! id, while untagged custom metadata survives them; [`read_faces`] joins them by id. It alone says when the frame was
//! last searched. Readers ignore fields they do not know, and a buffer without any of this simply has no faces.
//!
#![doc = include_str!("../../docs/metadata.md")]

#[cfg(feature = "v1_24")]
pub mod analytics;
pub mod custom;
mod emotion;
mod field;
pub mod message;
mod moved;
pub mod roi;
mod same;
mod value;

pub use self::moved::Moved;
use crate::geometry::Size;
use crate::record::{FaceRecord, SearchAge};

/// Version of the metadata's fields, written into every structure.
pub const VERSION: i32 = 1;

/// A track id as the encodings store it.
fn int_id(id: u32) -> i32 {
    i32::try_from(id).unwrap_or(0)
}

/// Keeps `texts` in GLib's table of strings, where each stays until the process ends, so that writing them is quick. It is
/// for what this process names itself, its labels and models; there is no end to what others may write.
pub fn intern<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) {
    for text in texts {
        gst::glib::Quark::from_str(text.as_ref());
    }
}

/// True if somebody has looked for faces on the buffer: there is one, or a `GstEmotionMeta`. Detectors that only write what
/// they find leave no trace on a frame without faces.
pub fn detector_seen(buffer: &gst::BufferRef) -> bool {
    #[cfg(feature = "v1_24")]
    if analytics::has_faces(buffer) {
        return true;
    }
    custom::is_on(buffer) || roi::is_on(buffer)
}

/// All faces on a frame of `frame` pixels, whoever put them there: those with a region in the order of the regions,
/// then the others. What the encodings say of one face is one record. Boxes are taken as they are; [`Moved`] puts them
/// right where elements on the way have moved the picture under them.
pub fn read_faces(buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
    let mut scores = emotion::Reader::default();
    let mut faces = roi::read_with(buffer, frame, &mut scores);
    #[cfg(feature = "v1_24")]
    analytics::join(buffer, frame, &mut faces);
    custom::join(buffer, frame, &mut faces, &mut scores, custom::unmoved(frame));
    faces
}

/// Adds the faces that a detector found on a frame that was last searched `searched` ago: a region for each, from
/// GStreamer 1.24 on an object, and all of them to the buffer's `GstEmotionMeta`.
pub fn write_search(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], searched: SearchAge) {
    write_detections(buffer, frame, faces);
    custom::write_search(buffer, frame, faces, searched);
}

/// Adds the faces that a detector found: a region for each and, from GStreamer 1.24 on, an object.
pub fn write_detections(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    roi::write(buffer, frame, faces);
    #[cfg(feature = "v1_24")]
    analytics::write_detections(buffer, frame, faces);
}

/// Adds the scores of faces that are already on the buffer, and the ids of those that came without: to each one's
/// region, to its object, and all of them to the buffer's `GstEmotionMeta`. Faces that have no region or object yet get
/// one.
pub fn write_emotions(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    roi::write_emotions(buffer, frame, faces);
    #[cfg(feature = "v1_24")]
    analytics::write_emotions(buffer, frame, faces);
    custom::write(buffer, frame, faces);
}
