// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the faces of a slice do by their geometry: whether they face the camera, and where they blink.
//!
//! A blink is known when the eyes have opened again, and belongs to the frame on which they closed. So the faces of a whole slice
//! are followed before a row of them is written.

use std::collections::HashMap;

use emotion_core::behaviour::{FaceActivity, Observation};

use crate::findings::{Face, Geometry};

/// Ids of slice n begin at n times this number. No minute of video has as many tracks.
const IDS_PER_SLICE: u64 = 1_000_000;

/// What a frame and those before it say about a face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Whether it faces the camera, and for how long its eyes were watched.
    pub observation: Observation,
    /// True if a blink begins with this frame; `None` if no frame of the track is close enough to see one.
    pub is_blink: Option<bool>,
}

/// A face of a table with its activity.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The face.
    pub face: &'a Face,
    /// What it does.
    pub activity: Activity,
}

/// The id of a face of slice `slice` in the tables; `None` if faces are not tracked.
pub fn face_id(slice: usize, face: &Face) -> Option<u64> {
    face.track.map(|track| slice as u64 * IDS_PER_SLICE + u64::from(track))
}

/// A track, with the indices of its faces.
#[derive(Default)]
struct Followed {
    activity: FaceActivity,
    faces: Vec<usize>,
}

/// The activity of each of the faces of a slice, which are in the order of the frames. Faces without an id do not blink, since
/// nobody knows which of them are the same.
pub fn activities(faces: &[Face]) -> Vec<Activity> {
    let mut tracks: HashMap<u32, Followed> = HashMap::new();
    let mut found = vec![Activity::default(); faces.len()];
    for (index, face) in faces.iter().enumerate() {
        let signs = face.geometry.as_ref().map(Geometry::signs);
        let Some(track) = face.track.map(|track| tracks.entry(track).or_default()) else {
            found[index].observation = FaceActivity::default().see(signs.as_ref(), face.time_ns);
            continue;
        };
        let observation = track.activity.see(signs.as_ref(), face.time_ns);
        found[index].observation = observation;
        if observation.eyes_ns > 0 {
            track.faces.last().into_iter().chain([&index]).for_each(|watched| _ = found[*watched].is_blink.get_or_insert(false));
        }
        if let Some(began_ns) = observation.blink_ns {
            let first = track.faces.iter().rev().find(|index| faces[**index].time_ns == began_ns);
            first.into_iter().for_each(|first| found[*first].is_blink = Some(true));
        }
        track.faces.push(index);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::{face, posed};

    fn at(time_ms: u64, track: Option<u32>, yaw: f32, lids: f32) -> Face {
        Face { time_ns: time_ms * 1_000_000, track, ..posed(face(0, "neutral", &[]), yaw, lids) }
    }

    #[test]
    fn a_blink_belongs_to_the_frame_on_which_the_eyes_close() {
        let lids = [0.0, 0.9, 0.9, 0.0, 0.0];
        // The other face has its eyes closed all the time.
        let faces: Vec<Face> = lids
            .iter()
            .enumerate()
            .flat_map(|(n, lids)| [at(40 * n as u64, Some(1), 0.0, *lids), at(40 * n as u64, Some(2), 40.0, 0.9)])
            .collect();
        let found = activities(&faces);
        let blinks = |track: usize| found.iter().skip(track).step_by(2).map(|found| found.is_blink).collect::<Vec<_>>();
        assert_eq!(blinks(0), [Some(false), Some(true), Some(false), Some(false), Some(false)]);
        assert_eq!(blinks(1), [Some(false); 5]);
        assert!(found.iter().step_by(2).all(|found| found.observation.is_facing == Some(true)), "{found:?}");
        assert!(found.iter().skip(1).step_by(2).all(|found| found.observation.is_facing == Some(false)), "{found:?}");
    }

    #[test]
    fn frames_that_are_far_apart_and_faces_without_an_id_say_nothing_of_blinks() {
        for track in [Some(1), None] {
            let step_ms = if track.is_some() { 200 } else { 40 };
            let faces: Vec<Face> = [0.0, 0.9, 0.0].iter().enumerate().map(|(n, lids)| at(step_ms * n as u64, track, 0.0, *lids)).collect();
            let found = activities(&faces);
            assert!(found.iter().all(|found| found.is_blink.is_none() && found.observation.is_facing == Some(true)), "{found:?}");
        }
    }
}
