// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether faces face the camera, and how often they blink.

use emotion_core::behaviour::{ActivitySums, FaceActivity};

use crate::faces::Track;

/// A face whose pose is not known, one that faces the camera, and one that does not, as the page's script has them.
const NO_POSE: u8 = 0;
const FACING: u8 = 1;
const TURNED: u8 = 2;

/// What one face did.
pub(crate) struct Activity {
    /// For each record, whether the face faces the camera.
    pub(crate) facing: Vec<u8>,
    /// The sums of all records.
    pub(crate) sums: ActivitySums,
}

/// Follows a face. Those without an id may be different ones, so nothing is followed from one of them to the next.
pub(crate) fn of_track(track: &Track<'_>) -> Activity {
    let (mut activity, mut sums) = (FaceActivity::default(), ActivitySums::default());
    let facing = track.shown.iter().map(|shown| {
        if track.id.is_none() {
            activity = FaceActivity::default();
        }
        let observation = activity.see(shown.seen.signs.as_ref(), shown.times.pts_ns);
        sums.add(&observation, u64::from(observation.blink_ns.is_some()));
        match observation.is_facing {
            None => NO_POSE,
            Some(true) => FACING,
            Some(false) => TURNED,
        }
    });
    Activity { facing: facing.collect(), sums }
}
