// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stable ids for detections: boxes of one frame are joined to the tracks of earlier ones by overlap after a
//! constant-velocity prediction.
//!
//! Two confidence thresholds keep faces from blinking without letting ghosts in (the idea of ByteTrack, Zhang et al.,
//! 2021): only a sure detection founds a track, a weaker one may continue it.

use std::time::Duration;

use crate::detector::Detection;
use crate::geometry::{Landmarks5, Point, Rect, Size};

/// Least overlap of a detection with a track's predicted box.
const MIN_IOU: f32 = 0.2;
/// Where boxes do not overlap: furthest distance of the centres, in mean sides of the two boxes, and the largest ratio of
/// their areas. It serves fast motion and low frame rates.
const MAX_DISTANCE: f32 = 0.7;
const MAX_AREA_RATIO: f32 = 2.0;
/// Share of the newly measured velocity in a track's velocity; more of it while there are few measurements.
const VELOCITY_GAIN: f32 = 0.4;
/// A prediction reaches no further than this beyond the last detection.
const MAX_PREDICTION: Duration = Duration::from_millis(500);
/// A face that was found so often is shown for a while when it is missed; fewer may have been a mistake.
const HITS_TO_COAST: u32 = 3;
/// For how long, and for how many detections where those are rarer.
const COAST: Duration = Duration::from_millis(200);
const COAST_DETECTIONS: u32 = 2;
/// A missed face that another one covers by this intersection over union is behind it.
const HIDDEN_IOU: f32 = 0.3;

/// A face as the tracker knows it at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// From 1, unique for the life of the tracker.
    pub id: u32,
    /// The box in pixels: detected on this frame, or predicted.
    pub rect: Rect,
    /// Landmarks of the last detection, moved along with the box.
    pub landmarks: Option<Landmarks5>,
    /// Confidence of the last detection, 0..1.
    pub confidence: f32,
    /// Time since the last detection.
    pub age: Duration,
    velocity: Point,
    seen: Duration,
    hits: u32,
}

impl Track {
    fn predicted(&self, now: Duration) -> Rect {
        let elapsed = now.saturating_sub(self.seen).min(MAX_PREDICTION).as_secs_f32();
        self.rect.translated(self.velocity.x * elapsed, self.velocity.y * elapsed)
    }

    fn follow(&mut self, found: &Detection, now: Duration) {
        let elapsed = now.saturating_sub(self.seen).as_secs_f32();
        if elapsed > 0.0 {
            let (from, to) = (self.rect.center(), found.rect.center());
            let gain = VELOCITY_GAIN.max(1.0 / self.hits as f32);
            self.velocity.x += gain * ((to.x - from.x) / elapsed - self.velocity.x);
            self.velocity.y += gain * ((to.y - from.y) / elapsed - self.velocity.y);
        }
        self.hits = self.hits.saturating_add(1);
        (self.rect, self.landmarks, self.confidence, self.seen) = (found.rect, found.landmarks, found.confidence, now);
    }

    fn at(&self, now: Duration) -> Self {
        let rect = self.predicted(now);
        let (dx, dy) = (rect.x - self.rect.x, rect.y - self.rect.y);
        let landmarks = self.landmarks.map(|landmarks| landmarks.map(|point| Point::new(point.x + dx, point.y + dy)));
        Self { rect, landmarks, age: now.saturating_sub(self.seen), ..self.clone() }
    }
}

/// Joins detections over time.
#[derive(Debug)]
pub struct Tracker {
    tracks: Vec<Track>,
    /// Time of the last detection, whether it found anything or not, and how long after the one before.
    updated: Duration,
    period: Duration,
    next_id: u32,
    timeout: Duration,
}

impl Tracker {
    /// A tracker that forgets a face which was not seen for `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { tracks: Vec::new(), updated: Duration::ZERO, period: Duration::ZERO, next_id: 1, timeout }
    }

    /// Changes the time after which an unseen face is forgotten.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Forgets all faces, as after a seek; ids go on and are not used again.
    pub fn clear(&mut self) {
        self.tracks.clear();
    }

    /// Keeps `id`, which someone else gave, out of the ids that are still to be given.
    pub fn reserve(&mut self, id: u32) {
        self.next_id = self.next_id.max(id.saturating_add(1));
    }

    /// Takes the detections of the frame at `now` and gives the face of each, in their order. A detection below
    /// `min_new_confidence` that no track claims is left out.
    pub fn update(&mut self, detections: &[Detection], min_new_confidence: f32, now: Duration) -> Vec<Track> {
        // Time that goes back is a new timeline; the boxes of the old one say nothing about it.
        self.tracks.retain(|track| now >= track.seen && now - track.seen <= self.timeout);
        self.period = now.saturating_sub(self.updated);
        self.updated = now;
        let assigned = self.assign(detections, now);
        let mut present = Vec::with_capacity(detections.len());
        for (found, track) in detections.iter().zip(assigned) {
            let index = match track {
                Some(index) => {
                    self.tracks[index].follow(found, now);
                    index
                }
                None if found.confidence >= min_new_confidence => self.found(found, now),
                None => continue,
            };
            present.push(self.tracks[index].clone());
        }
        present
    }

    /// The faces of the frame of `size` pixels at `now`: those of the last detection, moved to `now`, and those that it
    /// missed but that are likely to be there still.
    pub fn predict(&self, now: Duration, size: Size) -> Vec<Track> {
        let alive = || self.tracks.iter().filter(|track| now >= track.seen && now - track.seen <= self.timeout);
        let mut present: Vec<_> = alive().filter(|track| track.seen == self.updated).map(|track| track.at(now)).collect();
        let found = present.len();
        let coast = COAST.max(self.period * COAST_DETECTIONS).min(MAX_PREDICTION);
        let missed = alive().filter(|track| track.seen != self.updated && track.hits >= HITS_TO_COAST && now - track.seen <= coast);
        for track in missed.map(|track| track.at(now)) {
            let hidden = present[..found].iter().any(|nearer| nearer.rect.iou(track.rect) > HIDDEN_IOU);
            if !hidden && size.rect().contains(track.rect.center()) {
                present.push(track);
            }
        }
        present
    }

    fn found(&mut self, found: &Detection, now: Duration) -> usize {
        let id = self.next_id;
        self.next_id += 1;
        let Detection { rect, confidence, landmarks } = found.clone();
        self.tracks.push(Track { id, rect, landmarks, confidence, age: Duration::ZERO, velocity: Point::default(), seen: now, hits: 1 });
        self.tracks.len() - 1
    }

    /// For each detection the track that it continues: the best pairs first.
    fn assign(&self, detections: &[Detection], now: Duration) -> Vec<Option<usize>> {
        let mut pairs = Vec::new();
        for (t, track) in self.tracks.iter().enumerate() {
            let predicted = track.predicted(now);
            pairs.extend(detections.iter().enumerate().filter_map(|(d, found)| Some((affinity(predicted, found.rect)?, d, t))));
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut of_detection = vec![None; detections.len()];
        let mut taken = vec![false; self.tracks.len()];
        for (_, d, t) in pairs {
            if of_detection[d].is_none() && !taken[t] {
                of_detection[d] = Some(t);
                taken[t] = true;
            }
        }
        of_detection
    }
}

/// How well two boxes fit one face: the overlap, or below every overlap the nearness; none if they cannot be one.
fn affinity(a: Rect, b: Rect) -> Option<f32> {
    let iou = a.iou(b);
    if iou >= MIN_IOU {
        return Some(iou);
    }
    let side = (a.w + a.h + b.w + b.h) / 4.0;
    let distance = a.center().distance(b.center()) / side;
    let ratio = (a.area() / b.area()).max(b.area() / a.area());
    (distance < MAX_DISTANCE && ratio < MAX_AREA_RATIO).then_some(-distance)
}

#[cfg(test)]
mod tests {
    use super::*;
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
