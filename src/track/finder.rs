// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds the faces of a stream: decides which frames are searched, and gives the faces of each frame.
//!
//! This is the entry point of the module. A [`FaceFinder`] combines the [tracker](super::tracker) and the detection of
//! [scene cuts](super::scene_cut). It does not run the detector itself, so a search may run on another thread while more frames
//! pass. For each frame, call in this order:
//!
//! 1. [`observe`](FaceFinder::observe) looks for a scene cut, which ends all tracks. The caller then discards searches that are
//!    still running.
//! 2. [`begin`](FaceFinder::begin) returns a [`Search`] if the frame is to be searched, else the reason why not
//!    ([`Skipped`]).
//! 3. [`Search::run`] runs the detector, at once or on another thread.
//! 4. [`finish`](FaceFinder::finish) takes the completed search and updates the tracks. This may be on a later frame.
//! 5. [`faces`](FaceFinder::faces) returns the faces of the frame. Tracks fill in between searches.

use std::sync::Arc;
use std::time::Duration;

use super::motion::Track;
use super::scene_cut::CutDetector;
use super::tracker::Tracker;
use crate::detector::{DetectOptions, Detection, FaceDetector, TileSchedule};
use crate::error::Result;
use crate::geometry::Size;
use crate::image::FrameView;
use crate::record::{DetectionInfo, FaceRecord, SearchAge};
use crate::statistics::StepTimes;

/// A tracked face needs this share of the confidence of a new face (see [`tracker`](super::tracker)).
const CONTINUED_SHARE: f32 = 0.6;

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
}

impl FindOptions {
    /// True if a new face needs a second hit.
    fn confirms(&self) -> bool {
        self.confirm && self.track
    }
}

/// The search of one frame: its options, and the detections after it has run.
#[derive(Debug)]
pub struct Search {
    options: DetectOptions,
    /// Time of the frame.
    time: Duration,
    detections: Vec<Detection>,
    tile_schedule: TileSchedule,
}

impl Search {
    /// Runs `detector` on `view` and returns the duration of each step, if the detector measures them.
    ///
    /// # Errors
    /// Those of [`FaceDetector::detect`].
    pub fn run(&mut self, detector: &mut dyn FaceDetector, view: &FrameView) -> Result<Option<StepTimes>> {
        detector.detect(view, &self.options, &mut self.detections)?;
        self.tile_schedule = detector.tile_schedule();
        Ok(detector.step_times())
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
}

/// Decides which frames of a stream are searched, and knows the faces of each frame. See the [module](self).
#[derive(Debug)]
pub struct FaceFinder {
    detector_name: Arc<str>,
    /// Set if frames between searches have faces even without tracking.
    keeps_faces: bool,
    tracker: Tracker,
    cuts: CutDetector,
    /// Detections of the last completed search; the next search reuses the allocation.
    detections: Vec<Detection>,
    /// Set if a search was completed since the last call of `observe`.
    is_fresh: bool,
    /// Number of frames from the last searched frame to the next frame; 0 if the next frame must be searched.
    frames_since_search: u32,
    /// Time of the frame on which the last search began.
    last_begun: Duration,
    /// Time of the frame of the last completed search; `None` before the first one of a scene.
    last_completed: Option<Duration>,
}

impl FaceFinder {
    /// A finder for the detector `detector_name`, before the first frame. Set `keeps_faces` if faces must stay between searches
    /// even without tracking: because a search may complete after its frame was passed on, or because it covers only a part of
    /// the frame.
    pub fn new(detector_name: &str, keeps_faces: bool) -> Self {
        Self {
            detector_name: detector_name.into(),
            keeps_faces,
            tracker: Tracker::new(Duration::ZERO),
            cuts: CutDetector::default(),
            detections: Vec::new(),
            is_fresh: false,
            frames_since_search: 0,
            last_begun: Duration::ZERO,
            last_completed: None,
        }
    }

    /// Examines the next frame. Returns true at a scene cut: all faces are then forgotten, and the caller must discard searches
    /// that are still running.
    pub fn observe(&mut self, view: &FrameView) -> bool {
        self.is_fresh = false;
        let cut = self.cuts.observe(view);
        if cut {
            self.clear();
        }
        cut
    }

    /// Returns the search of the frame at `now`. `is_late` gets the number of frames and the time since the last search began,
    /// and returns whether the stream is too late for a search. It is not called for the first search of a scene, which is
    /// never skipped.
    ///
    /// # Errors
    /// The reason why the frame is not searched.
    pub fn begin(
        &mut self,
        options: &FindOptions,
        now: Duration,
        is_late: impl FnOnce(u32, Duration) -> bool,
    ) -> std::result::Result<Search, Skipped> {
        let confirms = options.confirms() && self.tracker.awaits_confirmation();
        let due = self.frames_since_search == 0 || self.frames_since_search >= options.interval_frames || confirms;
        // If time went back, the last search belongs to another timeline and does not count.
        let since_search = now.checked_sub(self.last_begun).unwrap_or(Duration::MAX);
        let late = self.frames_since_search > 0 && is_late(self.frames_since_search, since_search);
        if !due || late {
            self.frames_since_search = self.frames_since_search.saturating_add(1);
            return Err(if late { Skipped::Late { due } } else { Skipped::Interval });
        }
        (self.frames_since_search, self.last_begun) = (1, now);
        // Less confident detections may continue a track; `finish` applies the full threshold to new faces.
        let share = if options.track { CONTINUED_SHARE } else { 1.0 };
        let detect = DetectOptions { score_threshold: options.detect.score_threshold * share, ..options.detect };
        Ok(Search { options: detect, time: now, detections: std::mem::take(&mut self.detections), tile_schedule: TileSchedule::default() })
    }

    /// Takes a completed search and updates the tracks.
    pub fn finish(&mut self, search: Search, options: &FindOptions) {
        self.tracker.set_timeout(options.track_timeout);
        self.tracker.set_tile_schedule(search.tile_schedule);
        self.tracker.set_confirmation(options.confirms());
        self.tracker.update(&search.detections, options.detect.score_threshold, search.time);
        (self.detections, self.last_completed, self.is_fresh) = (search.detections, Some(search.time), true);
    }

    /// The faces on the frame of `size` pixels at `now`, and the age of the last search.
    pub fn faces(&self, options: &FindOptions, size: Size, now: Duration) -> (Vec<FaceRecord>, SearchAge) {
        let faces = if options.track || self.keeps_faces {
            self.predicted(options, size, now)
        } else if self.is_fresh {
            self.detections.iter().map(|found| self.record(found, size)).collect()
        } else {
            Vec::new()
        };
        (faces, self.search_age(now))
    }

    /// Searches the next frame regardless of the interval.
    pub fn search_next(&mut self) {
        self.frames_since_search = 0;
    }

    /// Forgets all faces and starts a new scene, whose first frame is searched. Ids continue.
    pub fn clear(&mut self) {
        self.tracker.clear();
        self.frames_since_search = 0;
        self.last_completed = None;
    }

    /// Same as [`clear`](Self::clear), and the next frame is not compared with the previous one. For use after a seek.
    pub fn restart(&mut self) {
        self.clear();
        self.cuts.reset();
    }

    /// The time from the last completed search to `now`. A search in the future of `now` is ignored.
    fn search_age(&self, now: Duration) -> SearchAge {
        self.last_completed.and_then(|completed| now.checked_sub(completed)).map_or(SearchAge::Never, SearchAge::Ago)
    }

    /// The tracked faces, predicted for `now`. The limits of the detector apply again: a missed face adds to the number of faces,
    /// and a threshold may have changed since the search.
    fn predicted(&self, options: &FindOptions, size: Size, now: Duration) -> Vec<FaceRecord> {
        let DetectOptions { min_face_size, max_faces, .. } = options.detect;
        let max_faces = if max_faces == 0 { usize::MAX } else { max_faces };
        let mut tracks = self.tracker.predict(now, size);
        tracks.retain(|track| track.rect.w.min(track.rect.h) >= min_face_size);
        if tracks.len() > max_faces {
            // Missed faces are dropped first, then unconfirmed ones, then the least confident ones.
            let order = |track: &Track| (track.is_missed(), options.confirms() && !track.confirmed);
            tracks.sort_by(|a, b| order(a).cmp(&order(b)).then(b.confidence.total_cmp(&a.confidence)));
        }
        tracks.iter().take(max_faces).map(|track| self.tracked_record(track, options, size)).collect()
    }

    /// The record of a tracked face; its id is 0 if faces are not tracked.
    fn tracked_record(&self, track: &Track, options: &FindOptions, size: Size) -> FaceRecord {
        let found = Detection { rect: track.rect, confidence: track.confidence, landmarks: track.landmarks };
        let mut face = self.record(&found, size);
        face.detection.iter_mut().for_each(|detection| detection.age = track.age);
        let confirmed = track.confirmed || !options.confirms();
        FaceRecord { id: if options.track { track.id } else { 0 }, confirmed, ..face }
    }

    /// The record of a detection, without an id.
    fn record(&self, found: &Detection, size: Size) -> FaceRecord {
        FaceRecord {
            id: 0,
            rect_norm: found.rect.clamp_to(size).to_norm(size),
            detection: Some(DetectionInfo {
                confidence: found.confidence,
                landmarks_norm: found.landmarks.map(|landmarks| landmarks.to_norm(size)),
                model_name: self.detector_name.clone(),
                age: Duration::ZERO,
            }),
            emotion: None,
            confirmed: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    const SIZE: Size = Size::new(64, 48);
    const FACE: Rect = Rect::new(10.0, 10.0, 20.0, 20.0);

    fn options(track: bool, interval_frames: u32) -> FindOptions {
        FindOptions { detect: DetectOptions::default(), interval_frames, track, track_timeout: Duration::from_secs(1), confirm: false }
    }

    fn time(frame: u64) -> Duration {
        Duration::from_millis(40 * frame)
    }

    /// Lets `finder` observe a picture that is bright or dark on the left. Returns true at a cut.
    fn observe(finder: &mut FaceFinder, bright: bool) -> bool {
        let shade = |x: u32| if bright { 255 - 2 * x as u8 } else { 2 * x as u8 };
        let data: Vec<u8> = (0..SIZE.width * SIZE.height).map(|at| shade(at % SIZE.width)).collect();
        let plane = Plane { data: &data, stride: SIZE.width as usize };
        finder.observe(&FrameView::new(PixelFormat::Gray8, SIZE, &[plane], Colorimetry::default()).unwrap())
    }

    /// Completes `search` with one face of this confidence.
    fn completed(mut search: Search, confidence: f32) -> Search {
        search.detections = vec![Detection { rect: FACE, confidence, landmarks: None }];
        search
    }

    /// Ids of the faces, and age of the last search, on each of the first `frames` frames. Each search finds one face.
    fn find_on_frames(finder: &mut FaceFinder, options: &FindOptions, frames: u64) -> Vec<(Vec<u32>, SearchAge)> {
        let mut frame = |number| {
            observe(finder, false);
            if let Ok(search) = finder.begin(options, time(number), |_, _| false) {
                finder.finish(completed(search, 0.9), options);
            }
            let (faces, age) = finder.faces(options, SIZE, time(number));
            (faces.iter().map(|face| face.id).collect(), age)
        };
        (0..frames).map(&mut frame).collect()
    }

    fn ago(frames: u64) -> SearchAge {
        SearchAge::Ago(time(frames))
    }

    #[test]
    fn tracks_fill_in_between_searches() {
        let faces = find_on_frames(&mut FaceFinder::new("test", false), &options(true, 3), 4);
        assert_eq!(faces, [(vec![1], ago(0)), (vec![1], ago(1)), (vec![1], ago(2)), (vec![1], ago(0))]);
    }

    #[test]
    fn without_tracking_only_searched_frames_have_faces_unless_they_are_kept() {
        let faces = find_on_frames(&mut FaceFinder::new("test", false), &options(false, 2), 3);
        assert_eq!(faces, [(vec![0], ago(0)), (vec![], ago(1)), (vec![0], ago(0))]);
        let faces = find_on_frames(&mut FaceFinder::new("test", true), &options(false, 2), 3);
        assert_eq!(faces, [(vec![0], ago(0)), (vec![0], ago(1)), (vec![0], ago(0))]);
    }

    #[test]
    fn a_late_stream_skips_all_searches_but_the_first_of_a_scene() {
        let mut finder = FaceFinder::new("test", false);
        let options = options(true, 1);
        let begin = |finder: &mut FaceFinder, frame| finder.begin(&options, time(frame), |_, _| true).map(|_| ());
        assert!(!observe(&mut finder, false));
        assert_eq!(begin(&mut finder, 0), Ok(()));
        assert_eq!(begin(&mut finder, 1), Err(Skipped::Late { due: true }));
        assert!(observe(&mut finder, true), "a new scene");
        assert_eq!(finder.faces(&options, SIZE, time(2)), (vec![], SearchAge::Never));
        assert_eq!(begin(&mut finder, 2), Ok(()));
    }

    #[test]
    fn the_lateness_check_gets_frames_and_time_since_the_last_search() {
        let (mut finder, options) = (FaceFinder::new("test", false), options(true, 1));
        finder.begin(&options, time(10), |_, _| true).expect("the first search");
        let mut calls = Vec::new();
        for now in [time(11), time(12), time(3)] {
            let _ = finder.begin(&options, now, |frames, since_search| {
                calls.push((frames, since_search));
                true
            });
        }
        assert_eq!(calls, [(1, time(1)), (2, time(2)), (3, Duration::MAX)], "the last one goes back in time");
    }

    #[test]
    fn a_tracked_face_needs_less_confidence_than_a_new_one() {
        let options = options(true, 1);
        let faces = |confidences: &[f32]| {
            let mut finder = FaceFinder::new("test", false);
            for (frame, &confidence) in (0..).zip(confidences) {
                let search = finder.begin(&options, time(frame), |_, _| false).expect("a search");
                assert!((search.options.score_threshold - 0.3).abs() < 1e-6);
                finder.finish(completed(search, confidence), &options);
            }
            finder.faces(&options, SIZE, time(confidences.len() as u64 - 1)).0.len()
        };
        assert_eq!((faces(&[0.4]), faces(&[0.6, 0.4])), (0, 1));
    }

    /// Searched frames, and on each frame the confirmed flag of the face, which is there from frame 1 on.
    fn confirmations(options: &FindOptions, frames: u64) -> Vec<(bool, Option<bool>)> {
        let mut finder = FaceFinder::new("test", false);
        let frame = |number| {
            let search = finder.begin(options, time(number), |_, _| false);
            let searched = search.is_ok();
            if let Ok(search) = search {
                let confidence = if number == 0 { 0.0 } else { 0.9 };
                finder.finish(completed(search, confidence), options);
            }
            (searched, finder.faces(options, SIZE, time(number)).0.first().map(|face| face.confirmed))
        };
        (0..frames).map(frame).collect()
    }

    #[test]
    fn a_new_face_forces_the_search_that_confirms_it() {
        let live = FindOptions { confirm: true, ..options(true, 3) };
        let no = (false, Some(true));
        let expected = [(true, None), (false, None), (false, None), (true, Some(false)), (true, Some(true)), no, no, (true, Some(true))];
        assert_eq!(confirmations(&live, 8), expected);
    }

    #[test]
    fn without_confirmation_a_face_is_confirmed_at_once() {
        for options in [options(true, 1), FindOptions { confirm: true, ..options(false, 1) }] {
            assert_eq!(confirmations(&options, 3)[1], (true, Some(true)), "{options:?}");
        }
    }

    #[test]
    fn a_search_in_the_future_has_no_age() {
        let mut finder = FaceFinder::new("test", false);
        find_on_frames(&mut finder, &options(true, 1), 5);
        assert_eq!(finder.faces(&options(true, 1), SIZE, time(1)).1, SearchAge::Never);
    }
}
