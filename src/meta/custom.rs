// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as the custom meta `GstEmotionMeta`: one for each buffer, registered without tags so that elements which
//! change size or format keep it.
//!
//! Fields: `version` (int) and `faces`, an array of structures `face` with id (int), x, y, w, h (double, 0..1 of the
//! frame it was written on) and, once the face was classified, the fields of `emotion`.

use std::sync::Once;

use gst::meta::CustomMeta;

use super::{VERSION, emotion};
use crate::geometry::Rect;
use crate::record::FaceRecord;

/// Name of the meta.
pub const NAME: &str = "GstEmotionMeta";
const FACES: &str = "faces";

/// Makes the meta known to GStreamer; once is enough, more do no harm.
pub fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        if !CustomMeta::is_registered(NAME) {
            CustomMeta::register_simple(NAME);
        }
    });
}

/// The faces of the buffer's `GstEmotionMeta`; none if it has none.
pub fn read(buffer: &gst::BufferRef) -> Vec<FaceRecord> {
    register();
    let Ok(meta) = CustomMeta::from_buffer(buffer, NAME) else { return Vec::new() };
    let Ok(faces) = meta.structure().get::<gst::Array>(FACES) else { return Vec::new() };
    faces.iter().filter_map(|face| face.get::<gst::Structure>().ok()).filter_map(|face| read_one(&face)).collect()
}

/// Sets the buffer's `GstEmotionMeta` to `faces`, in place of an earlier one.
pub fn write(buffer: &mut gst::BufferRef, faces: &[FaceRecord]) {
    register();
    if CustomMeta::from_buffer(buffer, NAME).is_err() && CustomMeta::add(buffer, NAME).is_err() {
        return;
    }
    if let Ok(mut meta) = CustomMeta::from_mut_buffer(buffer, NAME) {
        let structure = meta.mut_structure();
        structure.set("version", VERSION);
        structure.set(FACES, gst::Array::new(faces.iter().map(face_structure)));
    }
}

fn face_structure(face: &FaceRecord) -> gst::Structure {
    let Rect { x, y, w, h } = face.rect_norm;
    let mut structure = gst::Structure::builder("face")
        .field("id", face.id as i32)
        .field("x", f64::from(x))
        .field("y", f64::from(y))
        .field("w", f64::from(w))
        .field("h", f64::from(h))
        .build();
    if let Some(result) = &face.emotion {
        emotion::set_fields(&mut structure, result);
    }
    structure
}

fn read_one(face: &gst::StructureRef) -> Option<FaceRecord> {
    let side = |name: &str| face.get::<f64>(name).ok().map(|value| value as f32);
    Some(FaceRecord {
        id: face.get::<i32>("id").ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(0),
        rect_norm: Rect::new(side("x")?, side("y")?, side("w")?, side("h")?),
        detection: None,
        emotion: emotion::from_fields(face),
    })
}
