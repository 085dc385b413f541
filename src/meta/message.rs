// SPDX-License-Identifier: MIT OR Apache-2.0
//! Element messages on the bus.
//!
//! The message `facedetect` has the fields of the message that GStreamer's OpenCV element posts. `emotion` adds the scores, and
//! `geometry` landmarks, pose and blendshapes:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | timestamp, stream-time, running-time, duration | uint64 | of the buffer, in ns; 2^64 - 1 if unknown |
//! | faces | list of structures `face` | x, y, width, height (uint, pixels); id (int); also the fields of `emotion` or `geometry` |

use super::emotion::Writer;
use super::geometry;
use crate::geometry::Size;
use crate::record::FaceRecord;

/// The times of a buffer that a message contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferTimes {
    /// Presentation timestamp.
    pub timestamp: Option<gst::ClockTime>,
    /// Position in the stream.
    pub stream_time: Option<gst::ClockTime>,
    /// Time since the pipeline started to play.
    pub running_time: Option<gst::ClockTime>,
    /// How long the buffer is shown.
    pub duration: Option<gst::ClockTime>,
}

/// The message `facedetect`, with the confirmed ones of `faces`.
pub fn facedetect(times: &BufferTimes, frame: Size, faces: &[FaceRecord]) -> gst::Structure {
    message("facedetect", times, confirmed(faces).map(|face| face_structure(face, frame)))
}

/// The message `emotion`, with the confirmed ones of `faces`.
pub fn emotion(times: &BufferTimes, frame: Size, faces: &[FaceRecord]) -> gst::Structure {
    with_findings("emotion", times, frame, faces, |structure, face, writer| {
        if let Some(result) = &face.emotion {
            writer.set_fields(structure, result);
        }
    })
}

/// The message `geometry`, with the confirmed ones of `faces`.
pub fn geometry(times: &BufferTimes, frame: Size, faces: &[FaceRecord]) -> gst::Structure {
    with_findings("geometry", times, frame, faces, |structure, face, writer| {
        if let Some(geometry) = &face.geometry {
            geometry::set_fields(structure, geometry, writer);
        }
    })
}

/// The message `name`; `add` adds what was found out about each face.
fn with_findings(
    name: &str,
    times: &BufferTimes,
    frame: Size,
    faces: &[FaceRecord],
    add: impl Fn(&mut gst::StructureRef, &FaceRecord, &mut Writer),
) -> gst::Structure {
    let mut writer = Writer::default();
    let structures = confirmed(faces).map(|face| {
        let mut structure = face_structure(face, frame);
        add(&mut structure, face, &mut writer);
        structure
    });
    message(name, times, structures)
}

fn confirmed(faces: &[FaceRecord]) -> impl Iterator<Item = &FaceRecord> {
    faces.iter().filter(|face| face.confirmed)
}

fn message(name: &str, times: &BufferTimes, faces: impl Iterator<Item = gst::Structure>) -> gst::Structure {
    let ns = |time: Option<gst::ClockTime>| time.map_or(u64::MAX, gst::ClockTime::nseconds);
    gst::Structure::builder(name)
        .field("timestamp", ns(times.timestamp))
        .field("stream-time", ns(times.stream_time))
        .field("running-time", ns(times.running_time))
        .field("duration", ns(times.duration))
        .field("faces", gst::List::new(faces))
        .build()
}

fn face_structure(face: &FaceRecord, frame: Size) -> gst::Structure {
    let (x, y, w, h) = super::roi::pixels(face.rect_norm, frame);
    gst::Structure::builder("face")
        .field("x", x)
        .field("y", y)
        .field("width", w)
        .field("height", h)
        .field("id", super::int_id(face.id))
        .build()
}
