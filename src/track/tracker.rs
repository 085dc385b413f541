// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stable ids for detections: boxes of one frame are joined to the tracks of earlier ones by overlap after a
//! constant-velocity prediction.
//!
//! Two confidence thresholds keep faces from blinking without letting ghosts in (the idea of ByteTrack, Zhang et al.,
//! 2021): only a sure detection founds a track, a weaker one may continue it.
//!
//! Where a detector searches for small faces in turns ([`TileSchedule`]), a face is missed only if no turn of a whole cycle
//! found it.

use std::time::Duration;

use super::assignment::assign;
use super::motion::{MAX_PREDICTION, Track, is_alive};
use crate::detector::{Detection, TileSchedule};
use crate::geometry::Size;
use crate::ids::TrackIds;

/// A face that was found so often is shown for a while when it is missed; fewer may have been a mistake.
const HITS_TO_COAST: u32 = 3;
/// For how long, and for how many detections that should have found it where those are rarer.
const COAST: Duration = Duration::from_millis(200);
const COAST_DETECTIONS: u32 = 2;
/// Of more detections on a frame only the first ones are followed, and of more tracks the ones seen last are kept: each is
/// compared with each, and noise must not fill the memory for as long as the timeout.
pub const MAX_DETECTIONS: usize = 1_000;
const MAX_TRACKS: usize = 2 * MAX_DETECTIONS;
/// A missed face that another one covers by this intersection over union is behind it.
const HIDDEN_IOU: f32 = 0.3;

/// Joins detections over time.
#[derive(Debug)]
pub struct Tracker {
    tracks: Vec<Track>,
    /// Time of the last detection, whether it found anything or not, and how long after the one before.
    updated: Duration,
    period: Duration,
    ids: TrackIds,
    timeout: Duration,
    tile_schedule: TileSchedule,
}

impl Tracker {
    /// A tracker that forgets a face which was missed and not seen for `timeout`.
    pub fn new(timeout: Duration) -> Self {
        let (updated, period, tile_schedule) = (Duration::ZERO, Duration::ZERO, TileSchedule::default());
        Self { tracks: Vec::new(), updated, period, ids: TrackIds::default(), timeout, tile_schedule }
    }

    /// Changes the time after which an unseen face is forgotten.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sets how often the detector searches for a face, from the next [`update`](Self::update) on.
    pub fn set_tile_schedule(&mut self, tile_schedule: TileSchedule) {
        self.tile_schedule = tile_schedule;
    }

    /// Forgets all faces, as after a seek; ids go on and are not used again.
    pub fn clear(&mut self) {
        self.tracks.clear();
    }

    /// Keeps `id`, which someone else gave, out of the ids that are still to be given; see [`TrackIds::reserve`].
    pub fn reserve(&mut self, id: u32) {
        self.ids.reserve(id);
    }

    /// Takes the detections of the frame at `now` and gives the face of each, in their order. A detection below
    /// `min_new_confidence` that no track claims is left out, and so are those after the first [`MAX_DETECTIONS`].
    pub fn update(&mut self, detections: &[Detection], min_new_confidence: f32, now: Duration) -> Vec<Track> {
        let detections = &detections[..detections.len().min(MAX_DETECTIONS)];
        let (updated, timeout) = (self.updated, self.timeout);
        self.tracks.retain(|track| is_alive(track, updated, timeout, now));
        self.make_room(detections.len());
        self.period = now.saturating_sub(self.updated);
        self.updated = now;
        let assigned = assign(&self.tracks, detections, now);
        self.tracks.iter_mut().for_each(|track| track.unseen += 1);
        let mut present = Vec::with_capacity(detections.len());
        for (found, track) in detections.iter().zip(assigned) {
            let index = match track {
                Some(index) => {
                    self.tracks[index].follow(found, self.tile_schedule, now);
                    index
                }
                None if found.confidence >= min_new_confidence => self.found(found, now),
                None => continue,
            };
            present.push(self.tracks[index].clone());
        }
        present
    }

    /// The faces of the frame of `size` pixels at `now`, moved to `now`: those of the last detection first, then those that
    /// it did not look for, or missed though they are likely to be there still.
    pub fn predict(&self, now: Duration, size: Size) -> Vec<Track> {
        let alive = || self.tracks.iter().filter(|track| is_alive(track, self.updated, self.timeout, now));
        let mut present: Vec<_> = alive().filter(|track| track.seen == self.updated).map(|track| track.at(now)).collect();
        let found = present.len();
        let awaited = alive().filter(|track| track.seen != self.updated && (!track.is_missed() || self.coasts(track, now)));
        for track in awaited.map(|track| track.at(now)) {
            let hidden = present[..found].iter().any(|nearer| nearer.rect.iou(track.rect) > HIDDEN_IOU);
            if !hidden && size.rect().contains(track.rect.center()) {
                present.push(track);
            }
        }
        present
    }

    /// True if a track that was missed is to be shown at `now`.
    fn coasts(&self, track: &Track, now: Duration) -> bool {
        // Of what is looked for in turns one turn may miss it; nothing else is shown for longer than it can be predicted.
        let longest = if track.searches_per_hit > 1 { self.timeout } else { MAX_PREDICTION };
        let coast = COAST.max(self.period * track.searches_per_hit * COAST_DETECTIONS).min(longest);
        track.hits >= HITS_TO_COAST && now.saturating_sub(track.seen) <= coast
    }

    /// Forgets the tracks that were not seen for longest, if there are too many for `more` new ones.
    fn make_room(&mut self, more: usize) {
        if self.tracks.len() + more > MAX_TRACKS {
            self.tracks.sort_by_key(|track| std::cmp::Reverse(track.seen));
            self.tracks.truncate(MAX_TRACKS - more);
        }
    }

    fn found(&mut self, found: &Detection, now: Duration) -> usize {
        let id = self.ids.give(|id| self.tracks.iter().any(|track| track.id == id));
        self.tracks.push(Track::new(id, found, self.tile_schedule, now));
        self.tracks.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const FRAME: Duration = Duration::from_millis(40);
    const SIZE: Size = Size::new(640, 480);

    fn face(x: f32, y: f32) -> Detection {
        Detection { rect: Rect::new(x, y, 40.0, 40.0), confidence: 0.9, landmarks: None }
    }

    fn ids(tracks: &[Track]) -> Vec<u32> {
        tracks.iter().map(|track| track.id).collect()
    }

    fn tracker() -> Tracker {
        Tracker::new(Duration::from_secs(1))
    }

    #[test]
    fn a_moving_face_keeps_its_id() {
        let mut tracker = tracker();
        for step in 0..20u32 {
            let tracks = tracker.update(&[face(step as f32 * 12.0, 10.0)], 0.5, FRAME * step);
            assert_eq!(ids(&tracks), [1]);
        }
    }

    #[test]
    fn faces_that_cross_keep_their_ids() {
        let mut tracker = tracker();
        for step in 0..30u32 {
            let offset = step as f32 * 8.0;
            let tracks = tracker.update(&[face(offset, 0.0), face(240.0 - offset, 26.0)], 0.5, FRAME * step);
            assert_eq!(ids(&tracks), [1, 2], "step {step}");
        }
    }

    #[test]
    fn a_short_miss_keeps_the_id_and_a_long_one_ends_it() {
        let mut tracker = tracker();
        tracker.update(&[face(0.0, 0.0)], 0.5, Duration::ZERO);
        assert!(tracker.update(&[], 0.5, Duration::from_millis(500)).is_empty());
        assert_eq!(ids(&tracker.update(&[face(4.0, 0.0)], 0.5, Duration::from_millis(900))), [1]);
        assert_eq!(ids(&tracker.update(&[face(4.0, 0.0)], 0.5, Duration::from_millis(2000))), [2], "timed out, and 1 is not used again");
    }

    #[test]
    fn weak_detections_continue_a_track_but_found_none() {
        let mut tracker = tracker();
        let weak = Detection { confidence: 0.4, ..face(0.0, 0.0) };
        assert!(tracker.update(std::slice::from_ref(&weak), 0.5, Duration::ZERO).is_empty());
        tracker.update(&[face(0.0, 0.0)], 0.5, FRAME);
        assert_eq!(ids(&tracker.update(&[weak], 0.5, FRAME * 2)), [1]);
    }

    #[test]
    fn predictions_move_on_and_end_when_nobody_is_found() {
        let mut tracker = tracker();
        for step in 0..10u32 {
            tracker.update(&[face(step as f32 * 10.0, 0.0), face(0.0, 200.0)], 0.5, FRAME * step);
        }
        tracker.update(&[face(100.0, 0.0)], 0.5, FRAME * 10);
        let tracks = tracker.predict(FRAME * 11, SIZE);
        assert_eq!(ids(&tracks), [1, 2], "one was found, one missed for the first time");
        assert!((tracks[0].rect.x - 110.0).abs() < 2.0, "{:?}", tracks[0].rect);
        (11..=17).for_each(|step| drop(tracker.update(&[], 0.5, FRAME * step)));
        assert!(tracker.predict(FRAME * 17, SIZE).is_empty(), "nobody was there");
    }

    #[test]
    fn a_missed_face_is_shown_for_a_while_unless_it_is_hidden_or_gone() {
        let mut tracker = tracker();
        for step in 0..5u32 {
            tracker.update(&[face(100.0, 100.0), face(300.0, 100.0), face(585.0 + 10.0 * step as f32, 300.0)], 0.5, FRAME * step);
        }
        tracker.update(&[face(310.0, 110.0)], 0.5, FRAME * 5);
        let tracks = tracker.predict(FRAME * 5, SIZE);
        assert_eq!(ids(&tracks), [2, 1], "the third has left the frame");
        assert_eq!((tracks[0].age, tracks[1].age), (Duration::ZERO, FRAME));
        tracker.update(&[face(110.0, 110.0)], 0.5, FRAME * 6);
        tracker.update(&[face(110.0, 110.0), face(130.0, 110.0)], 0.5, FRAME * 7);
        assert_eq!(tracker.predict(FRAME * 7, SIZE).len(), 3);
        (8..=12).for_each(|step| drop(tracker.update(&[face(110.0, 110.0)], 0.5, FRAME * step)));
        assert_eq!(ids(&tracker.predict(FRAME * 12, SIZE)), [1], "missed for too long, or seen too rarely");
    }

    /// Detections of a small face that is looked for on every fifth frame only, and of a large one.
    fn in_turns(tracker: &mut Tracker, step: u32, small: bool) -> Vec<u32> {
        tracker.set_tile_schedule(TileSchedule { searches: 5, small_face_px: 60.0 });
        let large = Detection { rect: Rect::new(300.0, 100.0, 100.0, 100.0), ..face(0.0, 0.0) };
        let both = [large, face(50.0, 50.0)];
        tracker.update(&both[..if small && step % 5 == 2 { 2 } else { 1 }], 0.5, FRAME * step);
        ids(&tracker.predict(FRAME * step, SIZE))
    }

    #[test]
    fn a_small_face_is_there_until_its_turn_comes_again() {
        let mut tracker = Tracker::new(FRAME * 3);
        for step in 0..40 {
            let shown = in_turns(&mut tracker, step, true);
            assert_eq!(shown, if step < 2 { vec![1] } else { vec![1, 2] }, "step {step}, whatever the timeout");
        }
        let gone = (40..60).find(|&step| in_turns(&mut tracker, step, false) == [1]);
        assert_eq!(gone, Some(42), "it was found at step 37, and is missed at its next turn");
    }

    #[test]
    fn one_turn_may_miss_a_small_face_and_two_end_it() {
        let mut tracker = tracker();
        for step in 0..33 {
            // The turn of step 22 misses it.
            let shown = in_turns(&mut tracker, step, step != 22);
            assert_eq!(shown, if step < 2 { vec![1] } else { vec![1, 2] }, "step {step}");
        }
        let gone = (33..60).find(|&step| in_turns(&mut tracker, step, false) == [1]);
        assert_eq!(gone, Some(43), "found at step 32, two turns after");
    }

    #[test]
    fn a_large_face_that_only_its_tile_shows_does_not_blink() {
        let mut tracker = tracker();
        let mut shown = Vec::new();
        for step in 0..40u32 {
            tracker.set_tile_schedule(TileSchedule { searches: 5, small_face_px: 10.0 });
            let found = [face(50.0, 50.0)];
            // Two tiles show it, one after the other.
            tracker.update(&found[..usize::from(step % 5 < 2)], 0.5, FRAME * step);
            shown.push(tracker.predict(FRAME * step, SIZE).len());
        }
        assert_eq!(shown[10..], [1; 30]);
    }

    #[test]
    fn what_is_measured_shortly_does_not_carry_a_face_away() {
        let mut tracker = tracker();
        tracker.set_tile_schedule(TileSchedule { searches: 8, small_face_px: 60.0 });
        // A box that trembles by two pixels from one tile to the next, and is not seen for six frames after.
        for step in 0..64u32 {
            if step % 8 < 2 {
                tracker.update(&[face(50.0 + (step % 8) as f32 * 2.0, 50.0)], 0.5, FRAME * step);
            } else {
                tracker.update(&[], 0.5, FRAME * step);
            }
            let shown = tracker.predict(FRAME * step, SIZE);
            assert!((shown[0].rect.x - 51.0).abs() < 5.0, "step {step}: {:?}", shown[0].rect);
        }
    }

    #[test]
    fn a_small_face_that_walks_is_found_again() {
        let mut tracker = tracker();
        tracker.set_tile_schedule(TileSchedule { searches: 8, small_face_px: 60.0 });
        for step in 0..64u32 {
            let walker = Detection { rect: Rect::new(5.0 * step as f32, 50.0, 20.0, 20.0), ..face(0.0, 0.0) };
            tracker.update(&[walker][..usize::from(step % 8 == 0)], 0.5, FRAME * step);
            assert_eq!(ids(&tracker.predict(FRAME * step, SIZE)), [1], "step {step}");
        }
    }

    #[test]
    fn time_that_goes_back_starts_over_with_new_ids() {
        let mut tracker = tracker();
        tracker.update(&[face(0.0, 0.0)], 0.5, Duration::from_secs(10));
        assert_eq!(ids(&tracker.update(&[face(0.0, 0.0)], 0.5, Duration::from_secs(2))), [2]);
    }

    proptest! {
        #[test]
        fn ids_are_never_given_twice_on_one_frame(
            frames in prop::collection::vec(prop::collection::vec((0.0f32..300.0, 0.0f32..300.0), 0..8), 1..20)
        ) {
            let mut tracker = tracker();
            for (step, faces) in frames.iter().enumerate() {
                let found: Vec<_> = faces.iter().map(|&(x, y)| face(x, y)).collect();
                let given = ids(&tracker.update(&found, 0.5, FRAME * step as u32));
                prop_assert_eq!(given.len(), found.len());
                prop_assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len());
            }
        }
    }
}
