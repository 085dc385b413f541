// SPDX-License-Identifier: MIT OR Apache-2.0
//! The states of a face that a single frame shows: where the head is turned, and whether the eyes are closed. Events, tables and
//! pages share them.
//!
//! Each state has a threshold to begin and an easier one to go on, so that a face at the threshold does not flicker.

pub use emotion_records::Direction;

use crate::face_geometry::{Blendshapes, FaceGeometry, HeadPose, MIN_POSE_TRUST, MIN_TRUST};

/// Yaw in degrees, to either side, beyond which a face does not face the camera.
pub const AWAY_YAW: f32 = 30.0;
/// Pitch in degrees, up or down, beyond which a face does not face the camera.
pub const AWAY_PITCH: f32 = 25.0;
/// Yaw in degrees to which a face that was turned away must return.
pub const BACK_YAW: f32 = 24.0;
/// Pitch in degrees to which a face that was turned away must return.
pub const BACK_PITCH: f32 = 19.0;
/// The lower of `eyeBlinkLeft` and `eyeBlinkRight` above which both eyes are closed. A wink closes one.
pub const CLOSED: f32 = 0.45;
/// The same, to which eyes that were closed must return to be open.
pub const OPEN: f32 = 0.35;
/// The blendshapes of both eyes' lids.
const LIDS: [&str; 2] = ["eyeBlinkLeft", "eyeBlinkRight"];
/// Eyes that were closed for less than this have blinked, in nanoseconds.
pub const MAX_BLINK_NS: u64 = 500_000_000;

/// What the states of a face depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaceSigns {
    /// The pose of the head.
    pub pose: HeadPose,
    /// The lower of `eyeBlinkLeft` and `eyeBlinkRight`, 0..1.
    pub lids: f32,
    /// How far both are to be trusted, 0..1.
    pub trust: f32,
}

impl FaceSigns {
    /// Those of a record, if it has them.
    pub fn of_record(geometry: &emotion_records::Geometry<'_>) -> Option<Self> {
        let (pose, shapes) = (geometry.pose?, geometry.blendshapes.as_ref()?);
        let [yaw, pitch, roll] = [pose.yaw, pose.pitch, pose.roll].map(|degrees| degrees as f32);
        let [left, right] = LIDS.map(|name| shapes.get(name).map(|value| value as f32));
        Some(Self { pose: HeadPose { yaw, pitch, roll }, lids: left?.min(right?), trust: geometry.trust? as f32 })
    }

    /// The pose, if it is reliable.
    pub fn reliable_pose(&self) -> Option<HeadPose> {
        (self.trust >= MIN_POSE_TRUST).then_some(self.pose)
    }

    /// How far the eyes are closed, if that is reliable.
    pub fn reliable_lids(&self) -> Option<f32> {
        (self.trust >= MIN_TRUST).then_some(self.lids)
    }
}

impl From<&FaceGeometry> for FaceSigns {
    fn from(geometry: &FaceGeometry) -> Self {
        Self { pose: geometry.pose, lids: lids(&geometry.blendshapes), trust: geometry.trust }
    }
}

/// How far both eyes are closed: the lower of the blendshapes of their lids.
pub fn lids(shapes: &Blendshapes) -> f32 {
    let [left, right] = LIDS.map(|name| shapes.get(name).unwrap_or_default());
    left.min(right)
}

/// Where the head of a face is turned, from frame to frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation(Option<Direction>);

impl Orientation {
    /// Takes the pose of the next frame. Returns where the face looks; none if it faces the camera.
    pub fn see(&mut self, pose: HeadPose) -> Option<Direction> {
        let (yaw_limit, pitch_limit) = if self.0.is_some() { (BACK_YAW, BACK_PITCH) } else { (AWAY_YAW, AWAY_PITCH) };
        let (sideways, upwards) = (pose.yaw.abs() / yaw_limit, pose.pitch.abs() / pitch_limit);
        self.0 = (sideways.max(upwards) > 1.0).then_some(match (sideways >= upwards, pose.yaw > 0.0, pose.pitch > 0.0) {
            (true, true, _) => Direction::Left,
            (true, false, _) => Direction::Right,
            (false, _, true) => Direction::Up,
            (false, _, false) => Direction::Down,
        });
        self.0
    }
}

/// The eyes of a face, from frame to frame. `T` is the time of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Eyes<T>(Option<T>);

impl<T> Default for Eyes<T> {
    /// Open eyes.
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Eyes<T> {
    /// True if they were closed on the last frame.
    pub fn are_closed(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the lids of the next frame, at `time`. Returns since when the eyes were closed if they open with it.
    pub fn see(&mut self, lids: f32, time: T) -> Option<T> {
        if lids > if self.are_closed() { OPEN } else { CLOSED } {
            self.0.get_or_insert(time);
            return None;
        }
        self.0.take()
    }
}
