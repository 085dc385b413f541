// SPDX-License-Identifier: MIT OR Apache-2.0
//! One track: where its face was last found, how it moves, and when it should be found again.

use std::time::Duration;

use crate::detector::{Detection, TileSchedule};
use crate::geometry::{Landmarks5, Point, Rect};

/// A face that was found only once has no known velocity. It may have moved by this many mean sides per second beyond the
/// usual maximum distance: the speed of a head that passes by.
const MAX_UNKNOWN_SPEED: f32 = 6.0;
/// Upper limit of that additional distance, in mean sides.
const MAX_UNKNOWN_DISTANCE: f32 = 1.5;
/// Weight of a newly measured velocity. The first measurements get a higher weight: the velocity starts as their mean.
const VELOCITY_GAIN: f32 = 0.4;
/// Seconds over which a velocity is measured with that weight, at least: frames that arrived at once may have times that are much closer.
const VELOCITY_TIME: f32 = 1.0 / 60.0;
/// Positions are extrapolated no further than this beyond the last detection.
pub(super) const MAX_PREDICTION: Duration = Duration::from_millis(500);

/// A face is steady if its velocity is at most this many mean sides per second, which are a few pixels per frame.
const MAX_STEADY_SPEED: f32 = 0.5;
/// Number of hits after which the velocity is known well enough for that.
const HITS_TO_BE_STEADY: u32 = 3;
/// A face is confirmed if one of this many searches after a hit finds it again: two hits in three searches.
const SEARCHES_TO_CONFIRM: u32 = 2;

/// A face as the tracker knows it at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Id, 1..=[`MAX_ID`](crate::ids::MAX_ID), unique for the life of the tracker.
    pub id: u32,
    /// The box in pixels, either detected on this frame or predicted.
    pub rect: Rect,
    /// Landmarks of the last detection, moved along with the box.
    pub landmarks: Option<Landmarks5>,
    /// Confidence of the last detection, 0..1.
    pub confidence: f32,
    /// Time since the last detection.
    pub age: Duration,
    /// False until the face is found again, if tracks need a confirmation; see [`Tracker`](super::tracker::Tracker).
    pub confirmed: bool,
    /// Pixels per second.
    velocity: Point,
    /// Time of the last detection.
    pub(super) last_seen: Duration,
    /// Number of detections.
    pub(super) hits: u32,
    /// Number of searches since the last detection; within [`update`](Self::update) including the current search.
    pub(super) searches_unseen: u32,
    /// One out of this many searches is expected to find the face.
    pub(super) searches_per_hit: u32,
}

impl Track {
    /// A new track for `found`.
    pub(super) fn new(id: u32, found: &Detection, tile_schedule: TileSchedule, confirmed: bool, now: Duration) -> Self {
        let Detection { rect, confidence, landmarks } = found.clone();
        let searches_per_hit = searches_per_hit(rect, tile_schedule);
        let (age, velocity, searches_unseen) = (Duration::ZERO, Point::default(), 0);
        Self { id, rect, landmarks, confidence, age, confirmed, velocity, last_seen: now, hits: 1, searches_unseen, searches_per_hit }
    }

    /// True if a search should have found the face again by now and none did.
    pub fn is_missed(&self) -> bool {
        self.searches_unseen >= self.searches_per_hit
    }

    /// True if the next searches are likely to find the face where it is now.
    pub(super) fn is_steady(&self) -> bool {
        let side = (self.rect.w + self.rect.h) / 2.0;
        let is_slow = self.velocity.x.hypot(self.velocity.y) <= MAX_STEADY_SPEED * side;
        is_slow && self.searches_unseen == 0 && self.hits >= HITS_TO_BE_STEADY
    }

    /// True if the next search of a whole frame may confirm the face. A small face is confirmed by a search of its tile.
    pub(super) fn awaits_confirmation(&self) -> bool {
        !self.confirmed && self.searches_per_hit == 1 && self.searches_unseen < SEARCHES_TO_CONFIRM
    }

    /// True if the track is not forgotten at `now`. A face that is not missed stays as long as the detector keeps searching;
    /// `last_search` is the time of the last search. If time goes back, a new timeline begins and all older tracks end.
    pub(super) fn is_alive(&self, last_search: Duration, timeout: Duration, now: Duration) -> bool {
        let since = if self.is_missed() { self.last_seen } else { self.last_seen.max(last_search) };
        now >= self.last_seen && now.saturating_sub(since) <= timeout
    }

    /// How much further than usual the face may have moved by `now`, in mean sides.
    pub(super) fn uncertainty(&self, now: Duration) -> f32 {
        let speed = if self.hits == 1 { MAX_UNKNOWN_SPEED } else { 0.0 };
        (speed * now.saturating_sub(self.last_seen).as_secs_f32()).min(MAX_UNKNOWN_DISTANCE)
    }

    /// The box at `now`, at constant velocity.
    pub(super) fn predicted_rect(&self, now: Duration) -> Rect {
        let elapsed_s = now.saturating_sub(self.last_seen).min(MAX_PREDICTION).as_secs_f32();
        self.rect.translated(self.velocity.x * elapsed_s, self.velocity.y * elapsed_s)
    }

    /// Continues the track with the detection `found`.
    pub(super) fn update(&mut self, found: &Detection, tile_schedule: TileSchedule, now: Duration) {
        let elapsed_s = now.saturating_sub(self.last_seen).as_secs_f32();
        if elapsed_s > 0.0 {
            let (from, to) = (self.rect.center(), found.rect.center());
            // The velocity must hold until the next hit. A measurement over a shorter time gets a proportionally lower weight:
            // two adjacent tiles may show the face on successive frames, and the jitter between them is not motion.
            let share_of_round = (self.searches_unseen as f32 / self.searches_per_hit as f32).min(1.0);
            let gain = VELOCITY_GAIN.max(1.0 / self.hits as f32) * share_of_round * (elapsed_s / VELOCITY_TIME).min(1.0);
            self.velocity.x += gain * ((to.x - from.x) / elapsed_s - self.velocity.x);
            self.velocity.y += gain * ((to.y - from.y) / elapsed_s - self.velocity.y);
        }
        self.hits = self.hits.saturating_add(1);
        self.confirmed |= self.searches_unseen <= SEARCHES_TO_CONFIRM * self.searches_per_hit;
        // Some large faces are found only in their tile, so the expectation follows the observed interval up to a whole round.
        // If a face is found more often, the expectation falls by one search with each hit.
        let scheduled = searches_per_hit(found.rect, tile_schedule);
        self.searches_per_hit = scheduled.max(self.searches_unseen.min(tile_schedule.searches)).max(self.searches_per_hit - 1);
        self.searches_unseen = 0;
        (self.rect, self.landmarks, self.confidence, self.last_seen) = (found.rect, found.landmarks, found.confidence, now);
    }

    /// A copy of the track with box and landmarks moved to `now`.
    pub(super) fn predicted(&self, now: Duration) -> Self {
        let rect = self.predicted_rect(now);
        let (dx, dy) = (rect.x - self.rect.x, rect.y - self.rect.y);
        let landmarks = self.landmarks.map(|landmarks| landmarks.map(|point| Point::new(point.x + dx, point.y + dy)));
        Self { rect, landmarks, age: now.saturating_sub(self.last_seen), ..self.clone() }
    }
}

/// One out of this many searches finds a face at `rect`.
fn searches_per_hit(rect: Rect, schedule: TileSchedule) -> u32 {
    if rect.w.max(rect.h) < schedule.small_face_px { schedule.searches.max(1) } else { 1 }
}
