// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds the faces of a stream: decides which frames are searched, and gives the faces of each frame.
//!
//! This is the entry point of the module. A [`FaceFinder`] combines the [tracker](super::tracker) and the detection of
//! [scene cuts](super::scene_cut). It does not run the detector itself, so a search may run on another thread while more frames
//! pass. For each frame, call in this order:
//!
//! 1. [`observe`](FaceFinder::observe) looks for a scene cut, which ends all tracks. The caller then discards searches that are
//!    still running. It also measures what [changed](super::change).
//! 2. [`begin`](FaceFinder::begin) returns a [`Search`] if the frame is to be searched, of the whole frame or of the part that
//!    changed, else the reason why not ([`Skipped`]).
//! 3. [`Search::run`] runs the detector, at once or on another thread.
//! 4. [`finish`](FaceFinder::finish) takes the completed search and updates the tracks. This may be on a later frame.
//! 5. [`faces`](FaceFinder::faces) returns the faces of the frame. Tracks fill in between searches.

use std::sync::Arc;
use std::time::Duration;

use super::change::{Change, ChangeMap};
use super::motion::Track;
use super::scene_cut::CutDetector;
use super::search::{FindOptions, Search, Skipped};
use super::tracker::Tracker;
use crate::detector::{DetectOptions, Detection, TileSchedule};
use crate::geometry::{Rect, Size};
use crate::image::FrameView;
use crate::record::{DetectionInfo, FaceRecord, SearchAge};

/// A tracked face needs this share of the confidence of a new face (see [`tracker`](super::tracker)).
const CONTINUED_SHARE: f32 = 0.6;

/// Decides which frames of a stream are searched, and knows the faces of each frame. See the [module](self).
#[derive(Debug)]
pub struct FaceFinder {
    detector_name: Arc<str>,
    /// Set if frames between searches have faces even without tracking.
    keeps_faces: bool,
    tracker: Tracker,
    cuts: CutDetector,
    changes: ChangeMap,
    /// Detections of the last completed search; empty while a search of a whole frame runs, which reuses the allocation.
    detections: Vec<Detection>,
    /// Set while a search runs.
    is_searching: bool,
    /// Set if a search was completed since the last call of `observe`.
    is_fresh: bool,
    /// Number of frames from the last searched frame to the next frame; 0 if the next frame must be searched.
    frames_since_search: u32,
    /// Time of the frame on which the last search began.
    last_begun: Duration,
    /// Time and options of the last search of a whole frame.
    last_whole: (Duration, DetectOptions),
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
            changes: ChangeMap::default(),
            detections: Vec::new(),
            is_searching: false,
            is_fresh: false,
            frames_since_search: 0,
            last_begun: Duration::ZERO,
            last_whole: (Duration::ZERO, DetectOptions::default()),
            last_completed: None,
        }
    }

    /// The name of the detector.
    pub fn detector_name(&self) -> &str {
        &self.detector_name
    }

    /// Examines the next frame, which is at `now`. Returns true at a scene cut: all faces are then forgotten, and the caller must discard
    /// searches that are still running.
    pub fn observe(&mut self, view: &FrameView, options: &FindOptions, now: Duration) -> bool {
        self.is_fresh = false;
        let cut = self.cuts.observe_at(view, now);
        if cut {
            self.clear();
        }
        match options.motion_gate {
            Some(gate) => self.changes.observe(view, gate.scale(view.size())),
            None => self.changes.reset(),
        }
        cut
    }

    /// Returns the search of the frame at `now`. `is_late` gets the number of frames and the time since the last search began,
    /// and returns whether the stream is too late for a search. It is not called for the first search of a scene, which is
    /// never skipped.
    ///
    /// # Errors
    /// The reason why the frame is not searched.
    pub fn begin(&mut self, options: &FindOptions, now: Duration, is_late: impl FnOnce(u32, Duration) -> bool) -> Result<Search, Skipped> {
        let confirms = options.confirms() && self.tracker.awaits_confirmation();
        let due = self.frames_since_search == 0 || self.frames_since_search >= options.interval_frames || confirms;
        // If time went back, the last search belongs to another timeline and does not count.
        let since_search = now.checked_sub(self.last_begun).unwrap_or(Duration::MAX);
        let late = self.frames_since_search > 0 && is_late(self.frames_since_search, since_search);
        if !due || late {
            self.frames_since_search = self.frames_since_search.saturating_add(1);
            return Err(if late { Skipped::Late { due } } else { Skipped::Interval });
        }
        let part = match if confirms { Ok(None) } else { self.part(options, now) } {
            Ok(part) => part,
            Err(Skipped::Unchanged) => {
                self.frames_since_search = 1;
                if !self.is_searching {
                    self.repeat(options, now);
                }
                return Err(Skipped::Unchanged);
            }
            Err(skipped) => {
                self.frames_since_search += 1;
                return Err(skipped);
            }
        };
        (self.frames_since_search, self.last_begun, self.is_searching) = (1, now, true);
        self.changes.mark_searched();
        // Less confident detections may continue a track; `finish` applies the full threshold to new faces.
        let share = if options.track { CONTINUED_SHARE } else { 1.0 };
        let detect = DetectOptions { score_threshold: options.detect.score_threshold * share, ..options.detect };
        let mut detections = std::mem::take(&mut self.detections);
        match part {
            Some(part) => detections.retain(|found| found.rect.intersection(part).area() <= 0.0),
            None => self.last_whole = (now, options.detect),
        }
        Ok(Search { options: detect, time: now, part, detections, tile_schedule: TileSchedule::default() })
    }

    /// Takes a completed search and updates the tracks.
    pub fn finish(&mut self, search: Search, options: &FindOptions) {
        self.tracker.set_timeout(options.track_timeout);
        self.tracker.set_tile_schedule(search.tile_schedule);
        self.tracker.set_confirmation(options.confirms());
        self.tracker.update(&search.detections, options.detect.score_threshold, search.time);
        (self.detections, self.last_completed, self.is_fresh) = (search.detections, Some(search.time), true);
        self.is_searching = search.time != self.last_begun;
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
        self.changes.reset();
        self.frames_since_search = 0;
        self.last_completed = None;
        self.is_searching = false;
    }

    /// Same as [`clear`](Self::clear), and the next frame is not compared with the previous one. For use after a seek.
    pub fn restart(&mut self) {
        self.clear();
        self.cuts.reset();
    }

    /// The part of the frame at `now` that has to be searched; `None` for all of it.
    fn part(&self, options: &FindOptions, now: Duration) -> Result<Option<Rect>, Skipped> {
        // If time went back, the last search belongs to another timeline.
        let (last, detect) = self.last_whole;
        let since_whole = now.checked_sub(last).unwrap_or(Duration::MAX);
        let is_idle = options.motion_gate.is_none_or(|gate| since_whole >= gate.idle_interval);
        if is_idle || detect != options.detect || self.frames_since_search == 0 {
            return Ok(None);
        }
        match self.changes.change().including(self.detections.iter().map(|found| found.rect), self.changes.size()) {
            Change::None => Err(Skipped::Unchanged),
            _ if self.frames_since_search == 1 && self.is_steady(options) => Err(Skipped::Steady),
            // The other faces are known only after the search that is still running.
            Change::Part(part) if !self.is_searching => Ok(Some(part)),
            Change::Part(_) | Change::All => Ok(None),
        }
    }

    /// True if the faces hardly move, and nothing changed except around them: another face can hardly have appeared.
    fn is_steady(&self, options: &FindOptions) -> bool {
        let around = |found: &Detection| {
            let Rect { x, y, w, h } = found.rect;
            Rect::new(x - w, y - h / 2.0, 3.0 * w, 5.0 * h)
        };
        let can_predict = options.track && !self.is_searching && !self.detections.is_empty();
        can_predict && self.tracker.is_steady() && self.changes.is_within(&self.detections.iter().map(around).collect::<Vec<_>>())
    }

    /// Updates the tracks with the detections of the last search, which hold for the frame at `now` too.
    fn repeat(&mut self, options: &FindOptions, now: Duration) {
        self.tracker.set_timeout(options.track_timeout);
        self.tracker.update(&self.detections, options.detect.score_threshold, now);
        (self.last_completed, self.is_fresh) = (Some(now), true);
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
            geometry: None,
            confirmed: true,
        }
    }
}

#[cfg(test)]
mod gate_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    pub(super) const SIZE: Size = Size::new(64, 48);
    const FACE: Rect = Rect::new(10.0, 10.0, 20.0, 20.0);

    pub(super) fn options(track: bool, interval_frames: u32) -> FindOptions {
        FindOptions {
            detect: DetectOptions::default(),
            interval_frames,
            track,
            track_timeout: Duration::from_secs(1),
            confirm: false,
            motion_gate: None,
        }
    }

    pub(super) fn time(frame: u64) -> Duration {
        Duration::from_millis(40 * frame)
    }

    /// Lets `finder` observe a picture that is bright or dark on the left. Returns true at a cut.
    fn observe(finder: &mut FaceFinder, bright: bool, now: Duration) -> bool {
        let shade = |x: u32| if bright { 255 - 2 * x as u8 } else { 2 * x as u8 };
        let data: Vec<u8> = (0..SIZE.width * SIZE.height).map(|at| shade(at % SIZE.width)).collect();
        let plane = Plane { data: &data, stride: SIZE.width as usize };
        finder.observe(&FrameView::new(PixelFormat::Gray8, SIZE, &[plane], Colorimetry::default()).unwrap(), &options(true, 1), now)
    }

    /// Completes `search` with one face of this confidence.
    pub(super) fn completed(mut search: Search, confidence: f32) -> Search {
        search.detections = vec![Detection { rect: FACE, confidence, landmarks: None }];
        search
    }

    /// Ids of the faces, and age of the last search, on each of the first `frames` frames. Each search finds one face.
    fn find_on_frames(finder: &mut FaceFinder, options: &FindOptions, frames: u64) -> Vec<(Vec<u32>, SearchAge)> {
        let mut frame = |number| {
            observe(finder, false, time(number));
            if let Ok(search) = finder.begin(options, time(number), |_, _| false) {
                finder.finish(completed(search, 0.9), options);
            }
            let (faces, age) = finder.faces(options, SIZE, time(number));
            (faces.iter().map(|face| face.id).collect(), age)
        };
        (0..frames).map(&mut frame).collect()
    }

    pub(super) fn ago(frames: u64) -> SearchAge {
        SearchAge::Ago(time(frames))
    }

    #[test]
    fn tracks_fill_in_between_searches() {
        let faces = find_on_frames(&mut FaceFinder::new("test", false), &options(true, 3), 4);
        assert_eq!(faces, [(vec![1], ago(0)), (vec![1], ago(1)), (vec![1], ago(2)), (vec![1], ago(0))]);
    }

    #[test]
    fn a_face_that_another_one_dissolves_into_keeps_its_id_to_itself() {
        let (mut finder, options) = (FaceFinder::new("test", false), options(true, 1));
        let mut id = |number: u64| {
            let share = (number.saturating_sub(10).min(10)) as f32 / 10.0;
            // From darker at the left to brighter at the top.
            let mixture = |x: f32, y: f32| (2.0 * x + share * (255.0 - 2.0 * y - 2.0 * x)) as u8;
            let at = |at: u32| mixture((at % SIZE.width) as f32, (at / SIZE.width) as f32);
            let data: Vec<u8> = (0..SIZE.width * SIZE.height).map(at).collect();
            let plane = Plane { data: &data, stride: SIZE.width as usize };
            let view = FrameView::new(PixelFormat::Gray8, SIZE, &[plane], Colorimetry::default()).unwrap();
            finder.observe(&view, &options, time(number));
            let search = finder.begin(&options, time(number), |_, _| false).expect("each frame is searched");
            finder.finish(completed(search, 0.9), &options);
            finder.faces(&options, SIZE, time(number)).0[0].id
        };
        let ids: Vec<u32> = (0..40).map(&mut id).collect();
        assert!(ids[..13].iter().all(|id| *id == 1) && ids[21..].iter().all(|id| *id == 2) && ids.is_sorted(), "{ids:?}");
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
        assert!(!observe(&mut finder, false, time(0)));
        assert_eq!(begin(&mut finder, 0), Ok(()));
        assert_eq!(begin(&mut finder, 1), Err(Skipped::Late { due: true }));
        assert!(observe(&mut finder, true, time(2)), "a new scene");
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
