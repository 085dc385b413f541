// SPDX-License-Identifier: MIT OR Apache-2.0
//! One track: where its face was found last, how it moves, and when it is due to be found again.

use std::time::Duration;

use crate::detector::{Detection, TileSchedule};
use crate::geometry::{Landmarks5, Point, Rect};

/// A face that was found once may have gone so much further in a second, which is how fast heads go by, and at most so
/// much in all.
const UNKNOWN_SPEED: f32 = 6.0;
const MAX_UNKNOWN_DISTANCE: f32 = 1.5;
/// Share of the newly measured velocity in a track's velocity; more of it while there are few measurements.
const VELOCITY_GAIN: f32 = 0.4;
/// A prediction reaches no further than this beyond the last detection.
pub(super) const MAX_PREDICTION: Duration = Duration::from_millis(500);

/// A face as the tracker knows it at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// 1..=[`MAX_ID`](crate::ids::MAX_ID), unique for the life of the tracker.
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
    pub(super) seen: Duration,
    pub(super) hits: u32,
    /// Detections since the last one that found it, in [`follow`](Self::follow) with the present one.
    pub(super) unseen: u32,
    /// One search out of this many finds it.
    pub(super) searches_per_hit: u32,
}

impl Track {
    /// The track of a face that was not known before.
    pub(super) fn new(id: u32, found: &Detection, tile_schedule: TileSchedule, now: Duration) -> Self {
        let Detection { rect, confidence, landmarks } = found.clone();
        let (age, velocity) = (Duration::ZERO, Point::default());
        let searches_per_hit = searches_per_hit(rect, tile_schedule);
        Self { id, rect, landmarks, confidence, age, velocity, seen: now, hits: 1, unseen: 0, searches_per_hit }
    }

    /// True if the face should have been found again by now, and was not.
    pub fn is_missed(&self) -> bool {
        self.unseen >= self.searches_per_hit
    }

    /// How far beyond the usual distance it may be at `now`.
    pub(super) fn uncertainty(&self, now: Duration) -> f32 {
        let speed = if self.hits == 1 { UNKNOWN_SPEED } else { 0.0 };
        (speed * now.saturating_sub(self.seen).as_secs_f32()).min(MAX_UNKNOWN_DISTANCE)
    }

    pub(super) fn predicted(&self, now: Duration) -> Rect {
        let elapsed = now.saturating_sub(self.seen).min(MAX_PREDICTION).as_secs_f32();
        self.rect.translated(self.velocity.x * elapsed, self.velocity.y * elapsed)
    }

    pub(super) fn follow(&mut self, found: &Detection, tile_schedule: TileSchedule, now: Duration) {
        let elapsed = now.saturating_sub(self.seen).as_secs_f32();
        if elapsed > 0.0 {
            let (from, to) = (self.rect.center(), found.rect.center());
            // What is measured over a part of the round for which it is to hold is inexact by as much.
            let gain = VELOCITY_GAIN.max(1.0 / self.hits as f32) * (self.unseen as f32 / self.searches_per_hit as f32).min(1.0);
            self.velocity.x += gain * ((to.x - from.x) / elapsed - self.velocity.x);
            self.velocity.y += gain * ((to.y - from.y) / elapsed - self.velocity.y);
        }
        self.hits = self.hits.saturating_add(1);
        // A large face that is found in its tile alone is not expected sooner; what is found more often is, after a while.
        let scheduled = searches_per_hit(found.rect, tile_schedule);
        self.searches_per_hit = scheduled.max(self.unseen.min(tile_schedule.searches)).max(self.searches_per_hit - 1);
        self.unseen = 0;
        (self.rect, self.landmarks, self.confidence, self.seen) = (found.rect, found.landmarks, found.confidence, now);
    }

    pub(super) fn at(&self, now: Duration) -> Self {
        let rect = self.predicted(now);
        let (dx, dy) = (rect.x - self.rect.x, rect.y - self.rect.y);
        let landmarks = self.landmarks.map(|landmarks| landmarks.map(|point| Point::new(point.x + dx, point.y + dy)));
        Self { rect, landmarks, age: now.saturating_sub(self.seen), ..self.clone() }
    }
}

/// Searches out of which one finds a face at `rect`, if it is there.
fn searches_per_hit(rect: Rect, schedule: TileSchedule) -> u32 {
    if rect.w.max(rect.h) < schedule.small_face_px { schedule.searches.max(1) } else { 1 }
}

/// True if `track` is not forgotten at `now`. One that was not missed waits as long as the detector goes on looking, which
/// it did last at `updated`. Time that goes back is a new timeline; the boxes of the old one say nothing about it.
pub(super) fn is_alive(track: &Track, updated: Duration, timeout: Duration, now: Duration) -> bool {
    let since = if track.is_missed() { track.seen } else { track.seen.max(updated) };
    now >= track.seen && now.saturating_sub(since) <= timeout
}
