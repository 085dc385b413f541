// SPDX-License-Identifier: MIT OR Apache-2.0
//! Facing the camera and blinking as numbers, for shares of the time and rates.
//!
//! The definitions are those of the events (see [`face_states`](super::face_states)). An event of a turned face has to last, which
//! a share does not need: here every frame counts.

use serde::{Deserialize, Serialize};

use super::face_states::{Eyes, FaceSigns, MAX_BLINK_NS, Orientation};

/// Time between two frames up to which no blink is missed between them, in nanoseconds. At 15 frames a second, eyes that are
/// closed for longer than that are closed on at least one frame.
pub const BLINK_STEP_NS: u64 = 70_000_000;

/// What a frame shows of a face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// True if the face faces the camera; none if its pose is not known.
    pub is_facing: Option<bool>,
    /// Time since the face's frame before, if no blink was missed in between, in nanoseconds; otherwise 0.
    pub eyes_ns: u64,
    /// When a blink began that has ended with this frame.
    pub blink_ns: Option<u64>,
}

/// Follows one face from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct FaceActivity {
    orientation: Orientation,
    eyes: Eyes<u64>,
    /// Time of the last frame on which the lids were reliable.
    last_ns: Option<u64>,
}

impl FaceActivity {
    /// Takes the frame at `time_ns`, which is later than the one before. `signs` is none if the face has no geometry there.
    pub fn see(&mut self, signs: Option<&FaceSigns>, time_ns: u64) -> Observation {
        let is_facing = signs.and_then(FaceSigns::reliable_pose).map(|pose| self.orientation.see(pose).is_none());
        let Some(lids) = signs.and_then(FaceSigns::reliable_lids) else {
            self.forget_eyes();
            return Observation { is_facing, ..Observation::default() };
        };
        let step_ns = self.last_ns.map(|last_ns| time_ns.abs_diff(last_ns));
        if step_ns.is_none_or(|step_ns| step_ns > BLINK_STEP_NS) {
            self.forget_eyes();
        }
        let eyes_ns = step_ns.filter(|step_ns| *step_ns <= BLINK_STEP_NS).unwrap_or_default();
        self.last_ns = Some(time_ns);
        let closed_ns = self.eyes.see(lids, time_ns);
        Observation { is_facing, eyes_ns, blink_ns: closed_ns.filter(|closed_ns| time_ns.abs_diff(*closed_ns) < MAX_BLINK_NS) }
    }

    /// Eyes that close where nobody looks may have been closed for any time.
    fn forget_eyes(&mut self) {
        (self.eyes, self.last_ns) = (Eyes::default(), None);
    }
}

/// Sums of the observations of faces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivitySums {
    /// Number of faces whose pose is known.
    pub posed: u64,
    /// Number of those that face the camera.
    pub facing: u64,
    /// Time in which no blink was missed, in nanoseconds.
    pub eyes_ns: u64,
    /// Number of blinks in this time.
    pub blinks: u64,
}

impl ActivitySums {
    /// Adds a face. `blinks` is the number of blinks that are counted for it.
    pub fn add(&mut self, observation: &Observation, blinks: u64) {
        self.posed += u64::from(observation.is_facing.is_some());
        self.facing += u64::from(observation.is_facing == Some(true));
        self.eyes_ns += observation.eyes_ns;
        self.blinks += blinks;
    }

    /// Adds the faces of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.posed += other.posed;
        self.facing += other.facing;
        self.eyes_ns += other.eyes_ns;
        self.blinks += other.blinks;
    }

    /// The share of the faces that face the camera, 0..1; none if no pose is known.
    pub fn facing_share(&self) -> Option<f64> {
        (self.posed > 0).then(|| self.facing as f64 / self.posed as f64)
    }

    /// The number of blinks; none if no frames were close enough to each other to see one.
    pub fn seen_blinks(&self) -> Option<u64> {
        (self.eyes_ns > 0).then_some(self.blinks)
    }

    /// Blinks a minute; none as for [`Self::seen_blinks`].
    pub fn blinks_per_minute(&self) -> Option<f64> {
        self.seen_blinks().map(|blinks| blinks as f64 * 60e9 / self.eyes_ns as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face_geometry::HeadPose;

    fn signs(yaw: f32, pitch: f32, lids: f32, trust: f32) -> FaceSigns {
        FaceSigns { pose: HeadPose { yaw, pitch, roll: 0.0 }, lids, trust }
    }

    /// The observations of frames that are `step_ms` apart.
    fn observed(frames: &[FaceSigns], step_ms: u64) -> Vec<Observation> {
        let mut activity = FaceActivity::default();
        frames.iter().enumerate().map(|(n, signs)| activity.see(Some(signs), n as u64 * step_ms * 1_000_000)).collect()
    }

    fn sums(observations: &[Observation]) -> ActivitySums {
        let mut sums = ActivitySums::default();
        observations.iter().for_each(|found| sums.add(found, found.blink_ns.iter().count() as u64));
        sums
    }

    #[test]
    fn a_face_is_turned_beyond_the_limits_until_it_has_returned_within_easier_ones() {
        let facing = |poses: &[(f32, f32)]| {
            let frames: Vec<_> = poses.iter().map(|(yaw, pitch)| signs(*yaw, *pitch, 0.0, 0.9)).collect();
            observed(&frames, 40).iter().map(|found| found.is_facing == Some(true)).collect::<Vec<_>>()
        };
        assert_eq!(facing(&[(30.0, 25.0), (-30.5, 0.0), (-24.5, 0.0), (-24.0, 19.0)]), [true, false, false, true]);
        assert_eq!(facing(&[(0.0, -25.5), (0.0, -19.5), (0.0, -18.5)]), [false, false, true]);
    }

    #[test]
    fn a_pose_that_is_not_reliable_is_left_out_of_the_share() {
        let found = observed(&[signs(0.0, 0.0, 0.0, 0.9), signs(80.0, 0.0, 0.0, 0.05), signs(60.0, 0.0, 0.0, 0.2)], 40);
        assert_eq!(found.iter().map(|found| found.is_facing).collect::<Vec<_>>(), [Some(true), None, Some(false)]);
        assert_eq!(sums(&found).facing_share(), Some(0.5));
        assert_eq!(FaceActivity::default().see(None, 0), Observation::default());
        assert_eq!(ActivitySums::default().facing_share(), None);
    }

    #[test]
    fn eyes_that_close_and_open_within_half_a_second_have_blinked() {
        let lids = |values: &[f32], step_ms| {
            let frames: Vec<_> = values.iter().map(|lids| signs(0.0, 0.0, *lids, 0.9)).collect();
            observed(&frames, step_ms)
        };
        let found = lids(&[0.0, 0.6, 0.4, 0.6, 0.2, 0.0], 40);
        assert_eq!(found[4].blink_ns, Some(40_000_000), "it began with the second frame: {found:?}");
        let sum = sums(&found);
        assert_eq!((sum.seen_blinks(), sum.eyes_ns), (Some(1), 200_000_000));
        assert!((sum.blinks_per_minute().unwrap() - 300.0).abs() < 1e-9);
        let long = [[0.0].as_slice(), &[0.8; 13], &[0.0]].concat();
        assert_eq!(sums(&lids(&long, 40)).seen_blinks(), Some(0), "closed for 520 ms");
        assert_eq!(sums(&lids(&long[1..], 40)).seen_blinks(), Some(0));
        assert_eq!(sums(&lids(&[0.0, 0.8, 0.0], 200)).blinks_per_minute(), None, "frames are too far apart");
    }

    #[test]
    fn a_gap_ends_what_is_known_of_the_eyes() {
        let mut activity = FaceActivity::default();
        let open = signs(0.0, 0.0, 0.0, 0.9);
        let closed = signs(0.0, 0.0, 0.9, 0.9);
        let hidden = signs(0.0, 0.0, 0.9, 0.3);
        let times = [(open, 0), (closed, 40), (open, 200), (open, 240), (closed, 280), (hidden, 320), (open, 360)];
        let found: Vec<_> = times.iter().map(|(signs, ms)| activity.see(Some(signs), ms * 1_000_000)).collect();
        assert_eq!((sums(&found).seen_blinks(), sums(&found).eyes_ns), (Some(0), 120_000_000), "{found:?}");
        assert!(found.iter().all(|found| found.is_facing == Some(true)), "the pose of a face with a trust of .3 is reliable");
    }
}
