// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces on buffers: the only module that spells a metadata name.
//!
//! | encoding | name | carries |
//! |---|---|---|
//! | [`roi`] | `GstVideoRegionOfInterestMeta` of type `face` | id, box in pixels; params `detection`, `object_id`, `emotion` |
//! | [`custom`] | `GstEmotionMeta`, one for each buffer | id, box in 0..1 and the scores of every face |
//!
//! Both say the same. The second exists because a format-changing `videoconvert` and every `videoscale` drop a region's
//! params but keep its id, while untagged custom metadata survives them; [`read_faces`] joins the two by id. Readers
//! ignore fields they do not know, and a buffer without any of this simply has no faces.

pub mod custom;
mod emotion;
pub mod message;
pub mod roi;

use crate::geometry::Size;
use crate::record::FaceRecord;

/// Version of the metadata's fields, written into every structure.
pub const VERSION: i32 = 1;

/// All faces on a frame of `frame` pixels, whoever put them there, in the order of the regions.
pub fn read_faces(buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
    let mut faces = roi::read(buffer, frame);
    for face in custom::read(buffer) {
        match faces.iter_mut().find(|known| known.id == face.id && face.id != 0) {
            Some(known) => {
                if known.emotion.is_none() {
                    known.emotion = face.emotion;
                }
            }
            None => faces.push(face),
        }
    }
    faces
}

/// Adds one region for each face that a detector found.
pub fn write_detections(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    for face in faces {
        roi::write(buffer, frame, face);
    }
}

/// Adds the scores of faces that are already on the buffer: to each one's region, and all of them to the buffer's
/// `GstEmotionMeta`. Faces that have no region yet get one.
pub fn write_emotions(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord]) {
    roi::write_emotions(buffer, frame, faces);
    custom::write(buffer, faces);
}
