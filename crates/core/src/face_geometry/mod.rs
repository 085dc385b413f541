// SPDX-License-Identifier: MIT OR Apache-2.0
//! The geometry of a face: 68 landmarks and two irises, the pose of the head, and 52 blendshapes.

pub mod blendshapes;
pub mod landmarks;
pub mod pose;

use std::sync::Arc;
use std::time::Duration;

pub use blendshapes::{BLENDSHAPES, Blendshapes};
pub use landmarks::{LANDMARKS, Landmarks70};
pub use pose::{HeadPose, PoseLimits};

use crate::geometry::AxisMap;

/// The geometry of a face.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceGeometry {
    /// Where the head turns, in the picture.
    pub pose: HeadPose,
    /// The landmarks in 0..1 of the frame. They may lie outside of it.
    pub landmarks_norm: Landmarks70,
    /// How far each blendshape is activated.
    pub blendshapes: Blendshapes,
    /// How far the estimate is to be trusted, 0..1.
    pub trust: f32,
    /// Time since the frame on which the geometry was estimated. Above zero, the landmarks were moved along with the box.
    pub age: Duration,
    /// Name of the model; the faces of a frame share it.
    pub model_name: Arc<str>,
}

/// Trust from which landmarks and blendshapes are used for drawing, events and crops.
pub const MIN_TRUST: f32 = 0.5;
/// Trust from which the pose is used. Trust is about the landmarks, in units of the distance between the eyes, which is short in
/// profile; there the pose is right long before they are.
pub const MIN_POSE_TRUST: f32 = 0.1;

impl FaceGeometry {
    /// True if the trust reaches [`MIN_TRUST`].
    pub fn is_reliable(&self) -> bool {
        self.trust >= MIN_TRUST
    }

    /// True if the trust reaches [`MIN_POSE_TRUST`].
    pub fn is_pose_reliable(&self) -> bool {
        self.trust >= MIN_POSE_TRUST
    }

    /// The geometry of the face in a picture that `change` turned, mirrored, cropped or scaled. In a mirrored picture, the
    /// person's left side appears as the right one, so landmarks and blendshapes change sides.
    pub fn moved(&self, change: AxisMap) -> Self {
        let landmarks = self.landmarks_norm.map(|point| change.point(point));
        let (mirrored, blendshapes) = (change.is_mirrored(), self.blendshapes);
        Self {
            pose: self.pose.moved(change),
            landmarks_norm: if mirrored { landmarks.mirrored() } else { landmarks },
            blendshapes: if mirrored { blendshapes.mirrored() } else { blendshapes },
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;

    fn geometry() -> FaceGeometry {
        let mut blendshapes = Blendshapes::default();
        blendshapes.0[blendshapes::index("eyeBlinkLeft").expect("a name")] = 0.75;
        FaceGeometry {
            pose: HeadPose { yaw: 30.0, pitch: 10.0, roll: -5.0 },
            landmarks_norm: Landmarks70(std::array::from_fn(|n| Point::new(0.25 + n as f32 / 256.0, 0.5))),
            blendshapes,
            trust: 0.5,
            age: Duration::ZERO,
            model_name: "test".into(),
        }
    }

    #[test]
    fn a_mirror_exchanges_left_and_right() {
        let mirror = AxisMap { scale: (-1.0, 1.0), offset: (1.0, 0.0), ..AxisMap::IDENTITY };
        let (before, after) = (geometry(), geometry().moved(mirror));
        let HeadPose { yaw, pitch, roll } = after.pose;
        assert!((yaw + 30.0).abs() < 1e-3 && (pitch - 10.0).abs() < 1e-3 && (roll - 5.0).abs() < 1e-3, "{:?}", after.pose);
        assert_eq!(after.landmarks_norm.0[36], Point::new(1.0 - before.landmarks_norm.0[45].x, 0.5), "the right eye was the left one");
        assert_eq!(after.blendshapes.get("eyeBlinkRight"), Some(0.75));
        assert_eq!(after.blendshapes.get("eyeBlinkLeft"), Some(0.0));
        assert_eq!(after.moved(mirror).landmarks_norm, before.landmarks_norm);
    }

    #[test]
    fn a_crop_moves_the_points_only() {
        let crop = AxisMap { swap: false, scale: (2.0, 2.0), offset: (-0.5, -0.5) };
        let after = geometry().moved(crop);
        assert_eq!(after.landmarks_norm.0[0], Point::new(0.0, 0.5));
        assert_eq!(after.blendshapes, geometry().blendshapes);
        assert!((after.pose.yaw - 30.0).abs() < 1e-3);
    }
}
