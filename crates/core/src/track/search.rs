// SPDX-License-Identifier: MIT OR Apache-2.0
//! The search of one frame: what to find, where, and what was found.

use std::time::Duration;

use crate::detector::{DetectOptions, Detection, FaceDetector, TileSchedule};
use crate::error::Result;
use crate::geometry::{Rect, Size};
use crate::image::FrameView;
use crate::statistics::StepTimes;

/// Which faces are reported, and how often frames are searched. May differ from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FindOptions {
    /// Options of the detector. With tracking, its score threshold applies to new faces; a tracked face needs less confidence.
    pub detect: DetectOptions,
    /// Number of frames from one search to the next, at least 1.
    pub interval_frames: u32,
    /// True if faces get ids and are tracked between searches.
    pub track: bool,
    /// Time after which a missed face is forgotten.
    pub track_timeout: Duration,
    /// True if a face is confirmed only when a second search finds it. Only with `track`.
    pub confirm: bool,
    /// Limits searches to what changed; `None` to search whole frames.
    pub motion_gate: Option<MotionGate>,
}

/// How searches are limited to the part of the picture that changed. Elsewhere the faces of the last search stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MotionGate {
    /// Longest time between two searches of the whole frame.
    pub idle_interval: Duration,
    /// Longer side in pixels of the picture that is searched; 0 if frames are not scaled.
    pub detect_size: u32,
}

impl MotionGate {
    /// The factor by which frames of `size` are scaled.
    pub(super) fn scale(&self, size: Size) -> f32 {
        match self.detect_size {
            0 => 1.0,
            longer_side => longer_side as f32 / size.width.max(size.height) as f32,
        }
    }
}

impl FindOptions {
    /// True if a new face needs a second hit.
    pub(super) fn confirms(&self) -> bool {
        self.confirm && self.track
    }
}

/// The search of one frame: its options, and the detections after it has run.
#[derive(Debug)]
pub struct Search {
    pub(super) options: DetectOptions,
    /// Time of the frame.
    pub(super) time: Duration,
    /// The region that is searched; `None` for the whole frame.
    pub(super) part: Option<Rect>,
    /// Before the search of a part: the detections of the last search outside of it. After each search: all detections.
    pub(super) detections: Vec<Detection>,
    pub(super) tile_schedule: TileSchedule,
}

impl Search {
    /// Runs `detector` on `view` and returns the duration of each step, if the detector measures them.
    ///
    /// # Errors
    /// Those of [`FaceDetector::detect`].
    pub fn run(&mut self, detector: &mut dyn FaceDetector, view: &FrameView) -> Result<Option<StepTimes>> {
        match self.part {
            None => detector.detect(view, &self.options, &mut self.detections)?,
            Some(part) => {
                let mut in_part = Vec::new();
                detector.detect_part(view, part, &self.options, &mut in_part)?;
                self.add(in_part, part);
            }
        }
        self.tile_schedule = detector.tile_schedule();
        Ok(detector.step_times())
    }

    /// True if only a part of the frame is searched.
    pub fn is_partial(&self) -> bool {
        self.part.is_some()
    }

    /// Adds the detections in `part` to those outside of it.
    pub(super) fn add(&mut self, mut in_part: Vec<Detection>, part: Rect) {
        in_part.retain(|found| part.contains(found.rect.center()));
        self.detections.retain(|other| in_part.iter().all(|found| found.rect.iou(other.rect) <= self.options.iou_threshold));
        self.detections.append(&mut in_part);
        self.detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    }
}

/// Why a frame is not searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Fewer frames than the interval have passed since the last search.
    Interval,
    /// The stream is late.
    Late {
        /// True if the frame would have been searched if the stream were not late.
        due: bool,
    },
    /// The last frame was searched, its faces hardly move, and nothing changed since except around them.
    Steady,
    /// Nothing changed since the last search. Its detections hold for this frame too.
    Unchanged,
}
