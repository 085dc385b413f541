// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pose of a head.
//!
//! A pose is the rotation `Ry(yaw) Rx(-pitch) Rz(-roll)` from a head that faces the camera, in the camera's axes: x to the
//! right of the picture, y up, z towards the camera.

use crate::geometry::AxisMap;

/// The pose of a head in degrees; all angles are 0 for a head that faces the camera upright.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeadPose {
    /// Above 0 if the person has turned to the own left, which is the right of the picture; -180 to 180.
    pub yaw: f32,
    /// Above 0 if the head is raised; -90 to 90.
    pub pitch: f32,
    /// Above 0 if the head is tilted clockwise in the picture; -180 to 180.
    pub roll: f32,
}

/// How far a head may turn. Without a limit, any turn is within it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoseLimits {
    /// Maximum yaw to either side, in degrees.
    pub yaw: Option<f32>,
    /// Maximum pitch up or down, in degrees.
    pub pitch: Option<f32>,
}

impl PoseLimits {
    /// True if `pose` is within the limits.
    pub fn allow(&self, pose: HeadPose) -> bool {
        let is_within = |angle: f32, limit: Option<f32>| limit.is_none_or(|limit| angle.abs() <= limit);
        is_within(pose.yaw, self.yaw) && is_within(pose.pitch, self.pitch)
    }
}

/// A rotation matrix, row by row.
type Rotation = [[f32; 3]; 3];

impl HeadPose {
    /// The angles in the order of the metadata: yaw, pitch, roll.
    pub fn to_array(self) -> [f32; 3] {
        [self.yaw, self.pitch, self.roll]
    }

    /// The pose in a picture that was turned clockwise by `radians`.
    pub fn turned(self, radians: f32) -> Self {
        let (sin, cos) = radians.sin_cos();
        // A clockwise turn is one by a negative angle, since y points up.
        let [right, up, towards] = self.rotation();
        Self::from_rotation([
            std::array::from_fn(|column| cos * right[column] + sin * up[column]),
            std::array::from_fn(|column| cos * up[column] - sin * right[column]),
            towards,
        ])
    }

    /// The pose in a picture whose left and right were exchanged.
    pub fn mirrored(self) -> Self {
        Self { yaw: -self.yaw, pitch: self.pitch, roll: -self.roll }
    }

    /// The pose in a picture that `change` turned or mirrored. A change of size or proportions changes no angle.
    pub fn moved(self, change: AxisMap) -> Self {
        let pose = if change.is_mirrored() { self.mirrored() } else { self };
        match change.turn() {
            0.0 => pose,
            radians => pose.turned(radians),
        }
    }

    /// The directions of the picture (right, up, towards the camera) in which the person's left, the top of the head and the nose
    /// point, one in each column.
    pub fn rotation(self) -> Rotation {
        let [(sy, cy), (sp, cp), (sr, cr)] = self.to_array().map(|angle| angle.to_radians().sin_cos());
        [
            [cy * cr + sy * sp * sr, cy * sr - sy * sp * cr, sy * cp],
            [-cp * sr, cp * cr, sp],
            [-sy * cr + cy * sp * sr, -sy * sr - cy * sp * cr, cy * cp],
        ]
    }

    fn from_rotation(rotation: Rotation) -> Self {
        let [right, up, towards] = rotation;
        Self {
            yaw: right[2].atan2(towards[2]).to_degrees(),
            pitch: up[2].clamp(-1.0, 1.0).asin().to_degrees(),
            roll: -up[0].atan2(up[1]).to_degrees(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f32::consts::FRAC_PI_2;

    fn pose(yaw: f32, pitch: f32, roll: f32) -> HeadPose {
        HeadPose { yaw, pitch, roll }
    }

    fn distance(a: HeadPose, b: HeadPose) -> f32 {
        a.to_array().into_iter().zip(b.to_array()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn the_nose_points_where_the_angles_say() {
        let nose = |pose: HeadPose| pose.rotation().map(|row| row[2]);
        assert_eq!(nose(pose(0.0, 0.0, 0.0)), [0.0, 0.0, 1.0]);
        assert!(nose(pose(30.0, 0.0, 0.0))[0] > 0.49, "to the right of the picture");
        assert!(nose(pose(0.0, 30.0, 0.0))[1] > 0.49, "up");
        let crown = pose(0.0, 0.0, 30.0).rotation().map(|row| row[1]);
        assert!(crown[0] > 0.49, "the top of the head tilts to the right: {crown:?}");
    }

    #[test]
    fn a_turned_picture_adds_to_the_roll_of_a_frontal_face_and_turns_yaw_into_pitch() {
        assert!(distance(pose(0.0, 0.0, 10.0).turned(0.3), pose(0.0, 0.0, 10.0 + 0.3_f32.to_degrees())) < 1e-3);
        // A face that looks to the right of the picture looks down after a quarter turn clockwise.
        let turned = pose(40.0, 0.0, 0.0).turned(FRAC_PI_2);
        assert!((turned.pitch + 40.0).abs() < 1e-3 && turned.yaw.abs() < 1e-3, "{turned:?}");
        let quarter = AxisMap { swap: true, scale: (-1.0, 1.0), offset: (1.0, 0.0) };
        assert!(distance(pose(40.0, 0.0, 0.0).moved(quarter), turned) < 1e-3);
    }

    proptest! {
        #[test]
        fn angles_survive_a_turn_and_back(yaw in -80.0_f32..80.0, pitch in -70.0_f32..70.0, roll in -80.0_f32..80.0, turn in -1.5_f32..1.5) {
            let pose = pose(yaw, pitch, roll);
            prop_assert!(distance(HeadPose::from_rotation(pose.rotation()), pose) < 0.05);
            prop_assert!(distance(pose.turned(turn).turned(-turn), pose) < 0.05);
        }

        #[test]
        fn two_changes_one_after_the_other_are_one(yaw in -60.0_f32..60.0, pitch in -40.0_f32..40.0, kind in 0usize..8, next in 0usize..8) {
            let map = |kind: usize| AxisMap {
                swap: kind & 1 == 1,
                scale: (if kind & 2 == 2 { -1.0 } else { 1.0 }, if kind & 4 == 4 { -1.0 } else { 1.0 }),
                offset: (0.0, 0.0),
            };
            let (pose, first, second) = (pose(yaw, pitch, 5.0), map(kind), map(next));
            let (steps, once) = (pose.moved(first).moved(second), pose.moved(first.then(second)));
            let turned = |pose: HeadPose| pose.rotation().into_iter().flatten().collect::<Vec<_>>();
            let difference = turned(steps).iter().zip(turned(once)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            prop_assert!(difference < 1e-3, "{steps:?} {once:?}");
        }
    }
}
