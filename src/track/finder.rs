// SPDX-License-Identifier: MIT OR Apache-2.0
//! What to search and when, and what is known of the faces on every frame in between.
//!
//! Each frame goes through [`observe`](FaceFinder::observe), [`begin`](FaceFinder::begin) and
//! [`faces`](FaceFinder::faces). A search that `begin` gives out is run by a detector, at once or on another thread, and
//! comes back through [`finish`](FaceFinder::finish).

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

/// A face that is being tracked needs this share of the confidence that founds a track.
const CONTINUED_SHARE: f32 = 0.6;

/// What faces are wanted; may differ from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FindOptions {
    /// What the detector heeds. With tracks its confidence is that of a new face; a tracked one needs less.
    pub detect: DetectOptions,
    /// Frames from one search to the next, at least 1.
    pub interval_frames: u32,
    /// True to give faces an id and to follow them between searches.
    pub track: bool,
    /// Time after which a face that is not found again is forgotten.
    pub track_timeout: Duration,
}

/// A frame to be searched, and what was found on it.
#[derive(Debug)]
pub struct Search {
    options: DetectOptions,
    /// The time of the frame.
    time: Duration,
    detections: Vec<Detection>,
    tile_schedule: TileSchedule,
}

impl Search {
    /// Searches `view`.
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
    /// The interval is not over.
    Interval,
    /// The stream is late; the interval may be over.
    Late {
        /// True if the frame would have been searched otherwise.
        due: bool,
    },
}

/// Knows the faces of a stream.
#[derive(Debug)]
pub struct FaceFinder {
    detector_name: Arc<str>,
    /// Frames without a search of their own have faces, though faces get no id.
    holds: bool,
    tracker: Tracker,
    cuts: CutDetector,
    /// Of the last search that ended; reused by the next one.
    detections: Vec<Detection>,
    /// True if `detections` are of the present frame.
    fresh: bool,
    /// Frames since the last search began; none has begun in this scene if it is 0.
    frames_since: u32,
    /// Time of the frame of the last search that began.
    begun: Duration,
    /// Time of the frame of the last search that ended; none before the first one of a scene.
    searched: Option<Duration>,
}

impl FaceFinder {
    /// A finder that has seen no frame yet, for a detector of that name. With `holds`, faces stay between searches even
    /// without tracks: a search may end later than its frame is passed on, or look at a part of the frame alone.
    pub fn new(detector_name: &str, holds: bool) -> Self {
        Self {
            detector_name: detector_name.into(),
            holds,
            tracker: Tracker::new(Duration::ZERO),
            cuts: CutDetector::default(),
            detections: Vec::new(),
            fresh: false,
            frames_since: 0,
            begun: Duration::ZERO,
            searched: None,
        }
    }

    /// Looks at the next frame. True at a scene cut: faces are forgotten, and searches that have not ended must be too.
    pub fn observe(&mut self, view: &FrameView) -> bool {
        self.fresh = false;
        let cut = self.cuts.observe(view);
        if cut {
            self.clear();
        }
        cut
    }

    /// The search of the frame at `now`. `is_late` says whether a late stream had better skip it, given the frames and the
    /// time since the last search began; it is not asked in a new scene, of which nothing is known.
    ///
    /// # Errors
    /// Why there is none.
    pub fn begin(
        &mut self,
        options: &FindOptions,
        now: Duration,
        is_late: impl FnOnce(u32, Duration) -> bool,
    ) -> std::result::Result<Search, Skipped> {
        let due = self.frames_since == 0 || self.frames_since >= options.interval_frames;
        // After time has gone back, the last search is as good as none.
        let idle = now.checked_sub(self.begun).unwrap_or(Duration::MAX);
        let late = self.frames_since > 0 && is_late(self.frames_since, idle);
        if !due || late {
            self.frames_since = self.frames_since.saturating_add(1);
            return Err(if late { Skipped::Late { due } } else { Skipped::Interval });
        }
        (self.frames_since, self.begun) = (1, now);
        let share = if options.track { CONTINUED_SHARE } else { 1.0 };
        let detect = DetectOptions { score_threshold: options.detect.score_threshold * share, ..options.detect };
        Ok(Search { options: detect, time: now, detections: std::mem::take(&mut self.detections), tile_schedule: TileSchedule::default() })
    }

    /// Takes a search that has ended.
    pub fn finish(&mut self, search: Search, options: &FindOptions) {
        self.tracker.set_timeout(options.track_timeout);
        self.tracker.set_tile_schedule(search.tile_schedule);
        self.tracker.update(&search.detections, options.detect.score_threshold, search.time);
        (self.detections, self.searched, self.fresh) = (search.detections, Some(search.time), true);
    }

    /// The faces of the frame of `size` pixels at `now`, and when they were last searched for.
    pub fn faces(&self, options: &FindOptions, size: Size, now: Duration) -> (Vec<FaceRecord>, SearchAge) {
        let faces = if options.track || self.holds {
            self.predicted(options, size, now)
        } else if self.fresh {
            self.detections.iter().map(|found| self.record(found, size)).collect()
        } else {
            Vec::new()
        };
        (faces, self.search_age(now))
    }

    /// Searches the next frame, however short ago the last search was.
    pub fn search_next(&mut self) {
        self.frames_since = 0;
    }

    /// Forgets every face and that this scene was searched; ids go on.
    pub fn clear(&mut self) {
        self.tracker.clear();
        self.frames_since = 0;
        self.searched = None;
    }

    /// [`clear`](Self::clear), and the next frame is not compared with the one before, as after a seek.
    pub fn restart(&mut self) {
        self.clear();
        self.cuts.reset();
    }

    /// How long before `now` the last search was; a search of a time to come is none.
    fn search_age(&self, now: Duration) -> SearchAge {
        self.searched.and_then(|searched| now.checked_sub(searched)).map_or(SearchAge::Never, SearchAge::Ago)
    }

    /// The tracked faces where they are at `now`; a missed one is held to the same limits as one that was found.
    fn predicted(&self, options: &FindOptions, size: Size, now: Duration) -> Vec<FaceRecord> {
        let DetectOptions { min_face_size, max_faces, .. } = options.detect;
        let most = if max_faces == 0 { usize::MAX } else { max_faces };
        let mut tracks = self.tracker.predict(now, size);
        tracks.retain(|track| track.rect.w.min(track.rect.h) >= min_face_size);
        if tracks.len() > most {
            tracks.sort_by(|a, b| a.is_missed().cmp(&b.is_missed()).then(b.confidence.total_cmp(&a.confidence)));
        }
        tracks.iter().take(most).map(|track| self.tracked(track, options.track, size)).collect()
    }

    fn tracked(&self, track: &Track, with_id: bool, size: Size) -> FaceRecord {
        let found = Detection { rect: track.rect, confidence: track.confidence, landmarks: track.landmarks };
        let mut face = self.record(&found, size);
        face.detection.iter_mut().for_each(|detection| detection.age = track.age);
        FaceRecord { id: if with_id { track.id } else { 0 }, ..face }
    }

    /// A face without an id.
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
        FindOptions { detect: DetectOptions::default(), interval_frames, track, track_timeout: Duration::from_secs(1) }
    }

    fn time(frame: u64) -> Duration {
        Duration::from_millis(40 * frame)
    }

    /// Shows `finder` a picture that is dark on the left, or one that is bright there; true at a cut.
    fn look(finder: &mut FaceFinder, bright: bool) -> bool {
        let shade = |x: u32| if bright { 255 - 2 * x as u8 } else { 2 * x as u8 };
        let data: Vec<u8> = (0..SIZE.width * SIZE.height).map(|at| shade(at % SIZE.width)).collect();
        let plane = Plane { data: &data, stride: SIZE.width as usize };
        finder.observe(&FrameView::new(PixelFormat::Gray8, SIZE, &[plane], Colorimetry::default()).unwrap())
    }

    /// A search that finds one face with that confidence.
    fn found(mut search: Search, confidence: f32) -> Search {
        search.detections = vec![Detection { rect: FACE, confidence, landmarks: None }];
        search
    }

    /// Ids of the faces on each of the first `frames` frames, where every search finds one, and the ages of the searches.
    fn followed(finder: &mut FaceFinder, options: &FindOptions, frames: u64) -> Vec<(Vec<u32>, SearchAge)> {
        let mut frame = |number| {
            look(finder, false);
            if let Ok(search) = finder.begin(options, time(number), |_, _| false) {
                finder.finish(found(search, 0.9), options);
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
        let faces = followed(&mut FaceFinder::new("test", false), &options(true, 3), 4);
        assert_eq!(faces, [(vec![1], ago(0)), (vec![1], ago(1)), (vec![1], ago(2)), (vec![1], ago(0))]);
    }

    #[test]
    fn without_tracks_only_a_searched_frame_has_faces_unless_they_are_held() {
        let faces = followed(&mut FaceFinder::new("test", false), &options(false, 2), 3);
        assert_eq!(faces, [(vec![0], ago(0)), (vec![], ago(1)), (vec![0], ago(0))]);
        let faces = followed(&mut FaceFinder::new("test", true), &options(false, 2), 3);
        assert_eq!(faces, [(vec![0], ago(0)), (vec![0], ago(1)), (vec![0], ago(0))]);
    }

    #[test]
    fn a_late_stream_skips_searches_but_not_the_first_of_a_scene() {
        let mut finder = FaceFinder::new("test", false);
        let options = options(true, 1);
        let begin = |finder: &mut FaceFinder, frame| finder.begin(&options, time(frame), |_, _| true).map(|_| ());
        assert!(!look(&mut finder, false));
        assert_eq!(begin(&mut finder, 0), Ok(()));
        assert_eq!(begin(&mut finder, 1), Err(Skipped::Late { due: true }));
        assert!(look(&mut finder, true), "another picture");
        assert_eq!(finder.faces(&options, SIZE, time(2)), (vec![], SearchAge::Never));
        assert_eq!(begin(&mut finder, 2), Ok(()));
    }

    #[test]
    fn how_long_a_late_stream_was_idle_is_told() {
        let (mut finder, options) = (FaceFinder::new("test", false), options(true, 1));
        finder.begin(&options, time(10), |_, _| true).expect("the first search");
        let mut told = Vec::new();
        for now in [time(11), time(12), time(3)] {
            let _ = finder.begin(&options, now, |frames, idle| {
                told.push((frames, idle));
                true
            });
        }
        assert_eq!(told, [(1, time(1)), (2, time(2)), (3, Duration::MAX)], "time that goes back");
    }

    #[test]
    fn a_tracked_face_may_be_less_sure_than_a_new_one() {
        let options = options(true, 1);
        let faces = |confidences: &[f32]| {
            let mut finder = FaceFinder::new("test", false);
            for (frame, &confidence) in (0..).zip(confidences) {
                let search = finder.begin(&options, time(frame), |_, _| false).expect("a search");
                assert!((search.options.score_threshold - 0.3).abs() < 1e-6);
                finder.finish(found(search, confidence), &options);
            }
            finder.faces(&options, SIZE, time(confidences.len() as u64 - 1)).0.len()
        };
        assert_eq!((faces(&[0.4]), faces(&[0.6, 0.4])), (0, 1));
    }

    #[test]
    fn a_search_of_a_time_to_come_is_none() {
        let mut finder = FaceFinder::new("test", false);
        followed(&mut finder, &options(true, 1), 5);
        assert_eq!(finder.faces(&options(true, 1), SIZE, time(1)).1, SearchAge::Never);
    }
}
