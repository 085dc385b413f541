// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happens to the faces of a frame between detection and metadata: ids, choice, classification, smoothing.

use std::collections::HashMap;
use std::time::Duration;

use crate::classifier::{Classifier, Face};
use crate::detector::Detection;
use crate::emotion::Scores;
use crate::error::Result;
use crate::geometry::Size;
use crate::image::FrameView;
use crate::record::{EmotionResult, FaceRecord};
use crate::schedule::{Candidate, choose};
use crate::smoothing::ScoreSmoother;
use crate::tracker::Tracker;

/// A face that was not on the frame for this long loses its scores.
const FORGET_AFTER: Duration = Duration::from_secs(5);
/// Faces without an id are tracked across gaps up to this long.
const TRACK_TIMEOUT: Duration = Duration::from_secs(1);

/// How faces are scored; may differ from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoringOptions {
    /// Frames from one classification of a face to the next, at least 1.
    pub reclassify_interval: u64,
    /// Most faces that are classified on one frame.
    pub budget: usize,
    /// Half-life of the mean over time; zero for none.
    pub half_life: Duration,
    /// A top score below is `unknown`, 0..1.
    pub min_confidence: f32,
    /// A face with a side below, in pixels of the frame, is `unknown`.
    pub min_face_size: f32,
}

/// The last scores of a face.
struct Kept {
    scores: Scores,
    classified: Duration,
    frame: u64,
}

/// Scores the faces of a stream, frame by frame.
pub struct FaceScorer {
    classifier: Classifier,
    smoother: ScoreSmoother,
    tracker: Tracker,
    kept: HashMap<u32, Kept>,
    frame: u64,
}

impl FaceScorer {
    /// A scorer that has seen no face yet.
    pub fn new(classifier: Classifier) -> Self {
        Self { classifier, smoother: ScoreSmoother::default(), tracker: Tracker::new(TRACK_TIMEOUT), kept: HashMap::new(), frame: 0 }
    }

    /// The model that scores.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Forgets every face, as after a seek.
    pub fn clear(&mut self) {
        self.smoother.clear();
        self.tracker.clear();
        self.kept.clear();
    }

    /// Gives every face an id and, as far as it was ever classified, its scores. `now` is the time of `view`; with
    /// `infer` false nothing is classified and the faces keep their last scores. The result is how many were classified.
    ///
    /// # Errors
    /// Those of [`Classifier::classify`].
    pub fn score(
        &mut self,
        view: &FrameView,
        faces: &mut [FaceRecord],
        options: &ScoringOptions,
        now: Duration,
        infer: bool,
    ) -> Result<usize> {
        self.frame += 1;
        self.kept.retain(|_, kept| kept.classified <= now && now - kept.classified <= FORGET_AFTER);
        self.smoother.forget_old(now);
        self.identify(faces, view.size(), now);
        let large: Vec<usize> = (0..faces.len()).filter(|&index| side_px(&faces[index], view.size()) >= options.min_face_size).collect();
        let classified = if infer { self.classify(view, faces, &large, options, now)? } else { 0 };
        for (index, face) in faces.iter_mut().enumerate() {
            let result = self.result(face.id, large.contains(&index), options, now);
            if result.is_some() {
                face.emotion = result;
            }
        }
        Ok(classified)
    }

    /// Faces that came without an id get one; ids of others are not used for them.
    fn identify(&mut self, faces: &mut [FaceRecord], frame: Size, now: Duration) {
        faces.iter().for_each(|face| self.tracker.reserve(face.id));
        if faces.iter().all(|face| face.id != 0) {
            return;
        }
        let boxed = faces.iter().filter(|face| face.id == 0).map(|face| Detection {
            rect: face.rect_norm.from_norm(frame),
            confidence: face.detection.as_ref().map_or(1.0, |detection| detection.confidence),
            landmarks: None,
        });
        let tracks = self.tracker.update(&boxed.collect::<Vec<_>>(), 0.0, now);
        for (face, track) in faces.iter_mut().filter(|face| face.id == 0).zip(tracks) {
            face.id = track.id;
        }
    }

    fn classify(
        &mut self,
        view: &FrameView,
        faces: &[FaceRecord],
        large: &[usize],
        options: &ScoringOptions,
        now: Duration,
    ) -> Result<usize> {
        let candidates: Vec<_> = large
            .iter()
            .map(|&index| Candidate {
                age: self.kept.get(&faces[index].id).map(|kept| self.frame - kept.frame),
                area: faces[index].rect_norm.area(),
            })
            .collect();
        let chosen: Vec<_> = choose(&candidates, options.reclassify_interval, options.budget)
            .into_iter()
            .map(|candidate| &faces[large[candidate]])
            .collect();
        if chosen.is_empty() {
            return Ok(0);
        }
        let crops: Vec<_> = chosen
            .iter()
            .map(|face| {
                let (rect, detection) = (face.rect_norm.from_norm(view.size()), face.detection.as_ref());
                let landmarks = detection.and_then(|detection| detection.landmarks_norm).map(|marks| marks.from_norm(view.size()));
                Face { rect, detector: detection.map(|detection| detection.model_name.as_str()), landmarks }
            })
            .collect();
        let scores = self.classifier.classify(view, &crops)?;
        let classified = scores.len();
        for (face, scores) in chosen.into_iter().zip(scores) {
            let scores = self.smoother.update(face.id, scores, options.half_life, now);
            self.kept.insert(face.id, Kept { scores, classified: now, frame: self.frame });
        }
        Ok(classified)
    }

    /// What is known of face `id` at `now`; `unknown` if it is too small and never was larger.
    fn result(&self, id: u32, large_enough: bool, options: &ScoringOptions, now: Duration) -> Option<EmotionResult> {
        let labels = self.classifier.labels().clone();
        let smoothed = !options.half_life.is_zero();
        if let Some(kept) = self.kept.get(&id) {
            let (top, confidence) = kept.scores.top();
            let label_id = (large_enough && confidence >= options.min_confidence).then_some(top);
            return Some(EmotionResult { labels, scores: kept.scores.clone(), label_id, smoothed, age: now - kept.classified });
        }
        let uniform = || Scores::from_probabilities(labels.as_slice().iter().map(|_| 1.0));
        (!large_enough).then(|| EmotionResult { scores: uniform(), label_id: None, smoothed, age: Duration::ZERO, labels: labels.clone() })
    }
}

fn side_px(face: &FaceRecord, frame: Size) -> f32 {
    let rect = face.rect_norm.from_norm(frame);
    // Boxes are written in whole pixels, so one of just the least size may come back a rounding error smaller.
    rect.w.min(rect.h) + 0.01
}
