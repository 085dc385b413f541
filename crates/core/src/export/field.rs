// SPDX-License-Identifier: MIT OR Apache-2.0
//! Field values that several formats share: rounded numbers and track ids.

pub(super) use emotion_records::rounding::{angle, coordinate, score, seconds};

use crate::record::FaceRecord;

/// The track id; none for 0, which means that the face is not tracked.
pub(super) fn id(face: &FaceRecord) -> Option<u32> {
    (face.id != 0).then_some(face.id)
}
