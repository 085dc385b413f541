// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stable ids for detections. Each track predicts its box at constant velocity; a detection that overlaps the predicted box
//! continues the track.
//!
//! Two confidence thresholds reduce flicker without adding false faces (the idea of ByteTrack, Zhang et al., 2021): a new
//! track needs a confident detection, a less confident one can continue a track.
//!
//! If the detector searches tiles in turn ([`TileSchedule`]), a small face counts as missed only after a whole round without a
//! detection.

use std::time::Duration;

use super::assignment::assign;
use super::motion::{MAX_PREDICTION, Track};
use crate::detector::{Detection, TileSchedule};
use crate::geometry::Size;
use crate::ids::TrackIds;

/// A missed face stays visible for a while ("coasts") if it was found at least this often. Fewer hits may be false detections.
const MIN_HITS_TO_COAST: u32 = 3;
/// Minimum time for which a missed face coasts.
const COAST: Duration = Duration::from_millis(200);
/// A missed face also coasts until this many searches should have found it, if that takes longer than [`COAST`].
const COAST_SEARCHES: u32 = 2;
/// Maximum number of detections that are tracked on one frame, the first ones. Each detection is compared with each track.
pub const MAX_DETECTIONS: usize = 1_000;
/// Maximum number of tracks, the most recently seen ones. It bounds the memory that noise can fill within the timeout.
const MAX_TRACKS: usize = 2 * MAX_DETECTIONS;
/// A missed face with a higher IoU with a detected face is hidden behind it.
const HIDDEN_IOU: f32 = 0.3;

/// All tracks of a stream.
#[derive(Debug)]
pub struct Tracker {
    tracks: Vec<Track>,
    /// Time of the last search, whether it found a face or not.
    last_search: Duration,
    /// Time between the last two searches.
    search_period: Duration,
    ids: TrackIds,
    timeout: Duration,
    tile_schedule: TileSchedule,
    needs_confirmation: bool,
}

impl Tracker {
    /// A tracker that forgets missed faces after `timeout`.
    pub fn new(timeout: Duration) -> Self {
        let (last_search, search_period) = (Duration::ZERO, Duration::ZERO);
        let (ids, tile_schedule) = (TrackIds::default(), TileSchedule::default());
        Self { tracks: Vec::new(), last_search, search_period, ids, timeout, tile_schedule, needs_confirmation: false }
    }

    /// Changes the time after which a missed face is forgotten.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sets how often the detector finds a face, starting with the next [`update`](Self::update).
    pub fn set_tile_schedule(&mut self, tile_schedule: TileSchedule) {
        self.tile_schedule = tile_schedule;
    }

    /// Sets whether a new face is unconfirmed until it is found by two of three successive searches, starting with the next
    /// [`update`](Self::update). A false detection is rarely found twice.
    pub fn set_confirmation(&mut self, needs_confirmation: bool) {
        self.needs_confirmation = needs_confirmation;
    }

    /// True if there is a new face that a search of the next frame may confirm.
    pub fn awaits_confirmation(&self) -> bool {
        self.tracks.iter().any(Track::awaits_confirmation)
    }

    /// True if all faces were found by the last search and hardly move.
    pub fn is_steady(&self) -> bool {
        self.tracks.iter().all(Track::is_steady)
    }

    /// Forgets all faces, for example after a seek. Ids continue and are not reused.
    pub fn clear(&mut self) {
        self.tracks.clear();
    }

    /// Excludes `id`, which another element assigned, from the ids of future tracks; see [`TrackIds::reserve`].
    pub fn reserve(&mut self, id: u32) {
        self.ids.reserve(id);
    }

    /// Updates the tracks with the detections of the frame at `now`. Returns the track of each detection, in their order. A
    /// detection that continues no track starts a new one, unless its confidence is below `min_new_confidence`; it is then left
    /// out. Detections after the first [`MAX_DETECTIONS`] are also left out.
    pub fn update(&mut self, detections: &[Detection], min_new_confidence: f32, now: Duration) -> Vec<Track> {
        let detections = &detections[..detections.len().min(MAX_DETECTIONS)];
        let (last_search, timeout) = (self.last_search, self.timeout);
        self.tracks.retain(|track| track.is_alive(last_search, timeout, now));
        self.make_room(detections.len());
        self.search_period = now.saturating_sub(self.last_search);
        self.last_search = now;
        let assigned = assign(&self.tracks, detections, now);
        // Tracks that continue are reset to 0 below.
        self.tracks.iter_mut().for_each(|track| track.searches_unseen += 1);
        let mut present = Vec::with_capacity(detections.len());
        for (found, index) in detections.iter().zip(assigned) {
            let index = match index {
                Some(index) => {
                    self.tracks[index].update(found, self.tile_schedule, now);
                    index
                }
                None if found.confidence >= min_new_confidence => self.start_track(found, now),
                None => continue,
            };
            present.push(self.tracks[index].clone());
        }
        present
    }

    /// The faces on the frame of `size` pixels at `now`, with boxes predicted for `now`. Faces of the last search come first.
    /// They are followed by faces that were not due in the last search, and by missed faces that are probably still there.
    pub fn predict(&self, now: Duration, size: Size) -> Vec<Track> {
        let alive = || self.tracks.iter().filter(|track| track.is_alive(self.last_search, self.timeout, now));
        let mut present: Vec<_> = alive().filter(|track| track.last_seen == self.last_search).map(|track| track.predicted(now)).collect();
        let detected = present.len();
        let others = alive().filter(|track| track.last_seen != self.last_search && (!track.is_missed() || self.coasts(track, now)));
        for track in others.map(|track| track.predicted(now)) {
            // Only a detected face hides another one: two predictions may both be wrong.
            let is_hidden = present[..detected].iter().any(|front| front.rect.iou(track.rect) > HIDDEN_IOU);
            if !is_hidden && size.rect().contains(track.rect.center()) {
                present.push(track);
            }
        }
        present
    }

    /// True if the missed face of `track` is still shown at `now`.
    fn coasts(&self, track: &Track, now: Duration) -> bool {
        // A small face may be missed in one round of tiles and coasts over the next. Other faces coast no longer than their
        // position can be predicted.
        let max_coast = if track.searches_per_hit > 1 { self.timeout } else { MAX_PREDICTION };
        let coast = COAST.max(self.search_period * track.searches_per_hit * COAST_SEARCHES).min(max_coast);
        track.hits >= MIN_HITS_TO_COAST && now.saturating_sub(track.last_seen) <= coast
    }

    /// Forgets the least recently seen tracks if there is not enough room for `new_tracks`.
    fn make_room(&mut self, new_tracks: usize) {
        if self.tracks.len() + new_tracks > MAX_TRACKS {
            self.tracks.sort_by_key(|track| std::cmp::Reverse(track.last_seen));
            self.tracks.truncate(MAX_TRACKS - new_tracks);
        }
    }

    /// Adds a track for `found` and returns its index.
    fn start_track(&mut self, found: &Detection, now: Duration) -> usize {
        let id = self.ids.give(|id| self.tracks.iter().any(|track| track.id == id));
        self.tracks.push(Track::new(id, found, self.tile_schedule, !self.needs_confirmation, now));
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
    fn crossing_faces_keep_their_ids() {
        let mut tracker = tracker();
        for step in 0..30u32 {
            let offset = step as f32 * 8.0;
            let tracks = tracker.update(&[face(offset, 0.0), face(240.0 - offset, 26.0)], 0.5, FRAME * step);
            assert_eq!(ids(&tracks), [1, 2], "step {step}");
        }
    }

    #[test]
    fn a_face_keeps_its_id_until_the_timeout() {
        let mut tracker = tracker();
        tracker.update(&[face(0.0, 0.0)], 0.5, Duration::ZERO);
        assert!(tracker.update(&[], 0.5, Duration::from_millis(500)).is_empty());
        assert_eq!(ids(&tracker.update(&[face(4.0, 0.0)], 0.5, Duration::from_millis(900))), [1]);
        assert_eq!(ids(&tracker.update(&[face(4.0, 0.0)], 0.5, Duration::from_millis(2000))), [2], "timed out, and id 1 is not reused");
    }

    #[test]
    fn weak_detections_continue_tracks_but_start_none() {
        let mut tracker = tracker();
        let weak = Detection { confidence: 0.4, ..face(0.0, 0.0) };
        assert!(tracker.update(std::slice::from_ref(&weak), 0.5, Duration::ZERO).is_empty());
        tracker.update(&[face(0.0, 0.0)], 0.5, FRAME);
        assert_eq!(ids(&tracker.update(&[weak], 0.5, FRAME * 2)), [1]);
    }

    /// For each search, whether it finds a face, and what is then known of it: shown and confirmed.
    fn confirmations(tracker: &mut Tracker, found: &[bool]) -> Vec<Option<bool>> {
        let search = |(step, &found): (u32, &bool)| {
            tracker.update(&[face(0.0, 0.0)][..usize::from(found)], 0.5, FRAME * step);
            tracker.predict(FRAME * step, SIZE).first().map(|track| track.confirmed)
        };
        (0..).zip(found).map(search).collect()
    }

    #[test]
    fn two_hits_in_three_searches_confirm_a_face() {
        let confirmed = |found: &[bool]| {
            let mut tracker = tracker();
            tracker.set_confirmation(true);
            confirmations(&mut tracker, found)
        };
        assert_eq!(confirmed(&[true, true, false]), [Some(false), Some(true), None]);
        assert_eq!(confirmed(&[true, false, true]), [Some(false), None, Some(true)]);
        assert_eq!(confirmed(&[true, false, false, true, true]), [Some(false), None, None, Some(false), Some(true)]);
        assert_eq!(confirmations(&mut tracker(), &[true, false]), [Some(true), None], "unless no confirmation is needed");
    }

    #[test]
    fn a_new_face_awaits_its_confirmation_for_two_searches() {
        let mut tracker = tracker();
        tracker.set_confirmation(true);
        let awaits: Vec<_> = [true, false, false]
            .iter()
            .zip(0..)
            .map(|(&found, step)| {
                tracker.update(&[face(0.0, 0.0)][..usize::from(found)], 0.5, FRAME * step);
                tracker.awaits_confirmation()
            })
            .collect();
        assert_eq!(awaits, [true, true, false]);
    }

    #[test]
    fn a_small_face_is_confirmed_by_the_next_search_of_its_tile() {
        let mut tracker = tracker();
        tracker.set_confirmation(true);
        for step in 0..16 {
            search_with_tiles(&mut tracker, step, true);
            let small = tracker.predict(FRAME * step, SIZE).into_iter().find(|track| track.rect.w < 60.0);
            assert_eq!(small.map(|track| track.confirmed), (step >= 2).then_some(step >= 7), "step {step}");
            assert!(!tracker.awaits_confirmation() || step == 0, "only the large face can be confirmed by the next search");
        }
    }

    #[test]
    fn predictions_follow_the_motion_and_end_without_detections() {
        let mut tracker = tracker();
        for step in 0..10u32 {
            tracker.update(&[face(step as f32 * 10.0, 0.0), face(0.0, 200.0)], 0.5, FRAME * step);
        }
        tracker.update(&[face(100.0, 0.0)], 0.5, FRAME * 10);
        let tracks = tracker.predict(FRAME * 11, SIZE);
        assert_eq!(ids(&tracks), [1, 2], "face 1 was found, face 2 is missed for the first time");
        assert!((tracks[0].rect.x - 110.0).abs() < 2.0, "{:?}", tracks[0].rect);
        (11..=17).for_each(|step| drop(tracker.update(&[], 0.5, FRAME * step)));
        assert!(tracker.predict(FRAME * 17, SIZE).is_empty(), "no face was found for 280 ms");
    }

    #[test]
    fn a_missed_face_coasts_unless_it_is_hidden_or_has_left_the_frame() {
        let mut tracker = tracker();
        for step in 0..5u32 {
            tracker.update(&[face(100.0, 100.0), face(300.0, 100.0), face(585.0 + 10.0 * step as f32, 300.0)], 0.5, FRAME * step);
        }
        tracker.update(&[face(310.0, 110.0)], 0.5, FRAME * 5);
        let tracks = tracker.predict(FRAME * 5, SIZE);
        assert_eq!(ids(&tracks), [2, 1], "face 3 has left the frame");
        assert_eq!((tracks[0].age, tracks[1].age), (Duration::ZERO, FRAME));
        tracker.update(&[face(110.0, 110.0)], 0.5, FRAME * 6);
        tracker.update(&[face(110.0, 110.0), face(130.0, 110.0)], 0.5, FRAME * 7);
        assert_eq!(tracker.predict(FRAME * 7, SIZE).len(), 3);
        (8..=12).for_each(|step| drop(tracker.update(&[face(110.0, 110.0)], 0.5, FRAME * step)));
        assert_eq!(ids(&tracker.predict(FRAME * 12, SIZE)), [1], "face 2 is missed for too long, the fourth face had too few hits");
    }

    /// Ids after a frame with a large face, and a small face that is searched for on one of five frames: step 2, 7, 12, ...
    fn search_with_tiles(tracker: &mut Tracker, step: u32, small_face_is_there: bool) -> Vec<u32> {
        tracker.set_tile_schedule(TileSchedule { searches: 5, small_face_px: 60.0 });
        let large = Detection { rect: Rect::new(300.0, 100.0, 100.0, 100.0), ..face(0.0, 0.0) };
        let both = [large, face(50.0, 50.0)];
        tracker.update(&both[..if small_face_is_there && step % 5 == 2 { 2 } else { 1 }], 0.5, FRAME * step);
        ids(&tracker.predict(FRAME * step, SIZE))
    }

    #[test]
    fn a_small_face_is_shown_until_its_tile_is_searched_again() {
        let mut tracker = Tracker::new(FRAME * 3);
        for step in 0..40 {
            let shown = search_with_tiles(&mut tracker, step, true);
            assert_eq!(shown, if step < 2 { vec![1] } else { vec![1, 2] }, "step {step}, although the timeout is shorter than a round");
        }
        let gone = (40..60).find(|&step| search_with_tiles(&mut tracker, step, false) == [1]);
        assert_eq!(gone, Some(42), "found at step 37, missed in its next search");
    }

    #[test]
    fn a_small_face_survives_one_miss_but_not_two() {
        let mut tracker = tracker();
        for step in 0..33 {
            // The search at step 22 misses it.
            let shown = search_with_tiles(&mut tracker, step, step != 22);
            assert_eq!(shown, if step < 2 { vec![1] } else { vec![1, 2] }, "step {step}");
        }
        let gone = (33..60).find(|&step| search_with_tiles(&mut tracker, step, false) == [1]);
        assert_eq!(gone, Some(43), "found at step 32, missed at 37 and 42");
    }

    #[test]
    fn a_large_face_that_is_found_only_in_tiles_does_not_flicker() {
        let mut tracker = tracker();
        let mut shown = Vec::new();
        for step in 0..40u32 {
            tracker.set_tile_schedule(TileSchedule { searches: 5, small_face_px: 10.0 });
            let found = [face(50.0, 50.0)];
            // Two successive tiles contain it.
            tracker.update(&found[..usize::from(step % 5 < 2)], 0.5, FRAME * step);
            shown.push(tracker.predict(FRAME * step, SIZE).len());
        }
        assert_eq!(shown[10..], [1; 30]);
    }

    #[test]
    fn a_velocity_measured_over_one_frame_has_little_weight() {
        let mut tracker = tracker();
        tracker.set_tile_schedule(TileSchedule { searches: 8, small_face_px: 60.0 });
        // The box jitters by two pixels between two successive tiles, then is not seen for six frames.
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
    fn a_face_on_two_frames_that_arrived_at_once_does_not_fly_away() {
        let mut tracker = tracker();
        let moving = |step: u32| [face(50.0 + step as f32 * 2.0, 50.0)];
        (0..10).for_each(|step| drop(tracker.update(&moving(step), 0.5, FRAME * step)));
        tracker.update(&moving(10), 0.5, FRAME * 9 + FRAME / 50);
        let shown = tracker.predict(FRAME * 14, SIZE);
        assert!(shown[0].rect.iou(moving(14)[0].rect) > 0.5, "{:?}", shown[0].rect);
    }

    #[test]
    fn a_small_moving_face_keeps_its_id() {
        let mut tracker = tracker();
        tracker.set_tile_schedule(TileSchedule { searches: 8, small_face_px: 60.0 });
        for step in 0..64u32 {
            let moving = Detection { rect: Rect::new(5.0 * step as f32, 50.0, 20.0, 20.0), ..face(0.0, 0.0) };
            tracker.update(&[moving][..usize::from(step % 8 == 0)], 0.5, FRAME * step);
            assert_eq!(ids(&tracker.predict(FRAME * step, SIZE)), [1], "step {step}");
        }
    }

    #[test]
    fn going_back_in_time_ends_all_tracks() {
        let mut tracker = tracker();
        tracker.update(&[face(0.0, 0.0)], 0.5, Duration::from_secs(10));
        assert_eq!(ids(&tracker.update(&[face(0.0, 0.0)], 0.5, Duration::from_secs(2))), [2]);
    }

    proptest! {
        #[test]
        fn ids_are_unique_on_each_frame(
            frames in prop::collection::vec(prop::collection::vec((0.0f32..300.0, 0.0f32..300.0), 0..8), 1..20)
        ) {
            let mut tracker = tracker();
            for (step, faces) in frames.iter().enumerate() {
                let found: Vec<_> = faces.iter().map(|&(x, y)| face(x, y)).collect();
                let assigned = ids(&tracker.update(&found, 0.5, FRAME * step as u32));
                prop_assert_eq!(assigned.len(), found.len());
                prop_assert_eq!(assigned.iter().collect::<HashSet<_>>().len(), assigned.len());
            }
        }
    }
}
