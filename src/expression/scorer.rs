// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happens to the faces of a frame between detection and metadata: ids, choice, classification, smoothing.

use std::collections::HashMap;
use std::time::Duration;

use crate::detector::Detection;
use crate::error::Result;
use crate::expression::classifier::{Classifier, Face};
use crate::expression::schedule::{Candidate, choose};
use crate::expression::smoothing::{ScoreSmoother, steady_label};
use crate::geometry::Size;
use crate::image::FrameView;
use crate::record::{EmotionResult, FaceRecord};
use crate::scores::{LabelSet, Scores};
use crate::track::tracker::Tracker;

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
struct LastScores {
    scores: Scores,
    label: usize,
    classified: Duration,
    frame: u64,
}

/// Faces that are to be classified on one frame.
#[derive(Clone, Debug)]
pub struct Batch {
    faces: Vec<FaceRecord>,
    /// The time of the frame.
    time: Duration,
    frame: u64,
}

impl Batch {
    /// True if there is nothing to classify.
    pub fn is_empty(&self) -> bool {
        self.faces.is_empty()
    }

    /// The scores of each face, from its frame.
    ///
    /// # Errors
    /// Those of [`Classifier::classify`].
    pub fn classify(&self, classifier: &mut Classifier, view: &FrameView) -> Result<Vec<Scores>> {
        let crops = self.faces.iter().map(|face| {
            let (rect, detection) = (face.rect_norm.from_norm(view.size()), face.detection.as_ref());
            let landmarks = detection.and_then(|detection| detection.landmarks_norm).map(|marks| marks.from_norm(view.size()));
            Face { rect, detector: detection.map(|detection| &*detection.model_name), landmarks }
        });
        Ok(classifier.classify(view, &crops.collect::<Vec<_>>())?.to_vec())
    }
}

/// Knows the faces of a stream and their scores. Each frame goes through [`choose`](Self::choose) and
/// [`complete`](Self::complete); in between, or on any later frame, [`take`](Self::take) brings the scores.
pub struct FaceScorer {
    labels: LabelSet,
    smoother: ScoreSmoother,
    tracker: Tracker,
    last: HashMap<u32, LastScores>,
    /// Faces whose scores are on their way, with the number of their frame.
    pending: HashMap<u32, u64>,
    frame: u64,
    /// Of the last frame with faces that came without an id. Their tracks are in its pixels.
    tracked_size: Size,
}

impl FaceScorer {
    /// A scorer that has seen no face yet, for a model with these classes.
    pub fn new(labels: LabelSet) -> Self {
        let (smoother, tracker) = (ScoreSmoother::default(), Tracker::new(TRACK_TIMEOUT));
        Self { labels, smoother, tracker, last: HashMap::new(), pending: HashMap::new(), frame: 0, tracked_size: Size::default() }
    }

    /// Forgets every face, as after a seek.
    pub fn clear(&mut self) {
        self.smoother.clear();
        self.tracker.clear();
        self.last.clear();
        self.pending.clear();
    }

    /// Ends the tracks of faces that came without an id, as at a scene cut: whoever follows is somebody else.
    pub fn end_tracks(&mut self) {
        self.tracker.clear();
    }

    /// Gives an id to every face of the frame of `size` pixels at `now`, and chooses those that are worth a classification.
    pub fn choose(&mut self, faces: &mut [FaceRecord], size: Size, options: &ScoringOptions, now: Duration) -> Batch {
        self.frame += 1;
        self.last.retain(|_, last| last.classified <= now && now - last.classified <= FORGET_AFTER);
        self.smoother.forget_old(now);
        self.identify(faces, size, now);
        let chosen = self.due(faces, size, options);
        self.pending.extend(chosen.iter().map(|&index| (faces[index].id, self.frame)));
        Batch { faces: chosen.into_iter().map(|index| faces[index].clone()).collect(), time: now, frame: self.frame }
    }

    /// Takes back a batch that will not be classified.
    pub fn give_up(&mut self, batch: &Batch) {
        for face in &batch.faces {
            self.pending.remove(&face.id);
        }
    }

    /// Takes back every batch whose scores have not come, as after an error.
    pub fn give_up_all(&mut self) {
        self.pending.clear();
    }

    /// Takes the scores of a batch, one for each of its faces.
    pub fn take(&mut self, batch: &Batch, scores: Vec<Scores>, options: &ScoringOptions) {
        self.give_up(batch);
        for (face, scores) in batch.faces.iter().zip(scores) {
            let scores = self.smoother.update(face.id, scores, options.half_life, batch.time);
            // Scores that are not smoothed are pending for as they are.
            let shown = self.last.get(&face.id).filter(|_| !options.half_life.is_zero()).map(|last| last.label);
            let label = steady_label(&scores, shown);
            self.last.insert(face.id, LastScores { scores, label, classified: batch.time, frame: batch.frame });
        }
    }

    /// Gives every face of the frame at `now` its scores, as far as it was ever classified.
    pub fn complete(&self, faces: &mut [FaceRecord], size: Size, options: &ScoringOptions, now: Duration) {
        for face in faces {
            let result = self.result(face.id, is_large(face, size, options), options, now);
            if result.is_some() {
                face.emotion = result;
            }
        }
    }

    /// Faces that came without an id get one; ids of others are not used for them. Where the size of the frame changes,
    /// nobody can tell who is who.
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
        if std::mem::replace(&mut self.tracked_size, frame) != frame {
            self.tracker.clear();
        }
        let tracks = self.tracker.update(&boxed.collect::<Vec<_>>(), 0.0, now);
        for (face, track) in faces.iter_mut().filter(|face| face.id == 0).zip(tracks) {
            face.id = track.id;
        }
    }

    /// Indices of the faces whose turn it is.
    fn due(&self, faces: &[FaceRecord], size: Size, options: &ScoringOptions) -> Vec<usize> {
        // Where there are too many to be followed, some have no id.
        let large: Vec<usize> = (0..faces.len()).filter(|&index| faces[index].id != 0 && is_large(&faces[index], size, options)).collect();
        let last = |id: u32| self.pending.get(&id).copied().max(self.last.get(&id).map(|last| last.frame));
        let candidates = large
            .iter()
            .map(|&index| Candidate { age: last(faces[index].id).map(|frame| self.frame - frame), area: faces[index].rect_norm.area() });
        let chosen = choose(&candidates.collect::<Vec<_>>(), options.reclassify_interval, options.budget);
        chosen.into_iter().map(|candidate| large[candidate]).collect()
    }

    /// What is known of face `id` at `now`; `unknown` if it is too small and never was larger.
    fn result(&self, id: u32, large_enough: bool, options: &ScoringOptions, now: Duration) -> Option<EmotionResult> {
        let labels = self.labels.clone();
        let smoothed = !options.half_life.is_zero();
        if let Some(last) = self.last.get(&id) {
            let confidence = last.scores.as_slice()[last.label];
            let label_id = (large_enough && confidence >= options.min_confidence).then_some(last.label);
            return Some(EmotionResult {
                labels,
                scores: last.scores.clone(),
                label_id,
                smoothed,
                age: now.saturating_sub(last.classified),
            });
        }
        let uniform = || Scores::from_probabilities(labels.as_slice().iter().map(|_| 1.0));
        (!large_enough).then(|| EmotionResult { scores: uniform(), label_id: None, smoothed, age: Duration::ZERO, labels: labels.clone() })
    }
}

fn is_large(face: &FaceRecord, frame: Size, options: &ScoringOptions) -> bool {
    let rect = face.rect_norm.from_norm(frame);
    // Boxes are written in whole pixels, so one of just the least size may come back a rounding error smaller.
    rect.w.min(rect.h) + 0.01 >= options.min_face_size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;

    const OPTIONS: ScoringOptions =
        ScoringOptions { reclassify_interval: 1, budget: 16, half_life: Duration::ZERO, min_confidence: 0.0, min_face_size: 1.0 };
    const VGA: Size = Size::new(640, 480);

    /// The ids of faces at `rects_px` on a frame of `size`.
    fn ids(scorer: &mut FaceScorer, size: Size, rects_px: &[(u32, Rect)], time_ms: u64) -> Vec<u32> {
        let record = |&(id, rect): &(u32, Rect)| FaceRecord { id, rect_norm: rect.to_norm(size), detection: None, emotion: None };
        let mut faces: Vec<_> = rects_px.iter().map(record).collect();
        scorer.choose(&mut faces, size, &OPTIONS, Duration::from_millis(time_ms));
        faces.iter().map(|face| face.id).collect()
    }

    #[test]
    fn a_face_at_the_same_pixels_of_a_smaller_frame_is_another_one() {
        let mut scorer = FaceScorer::new(LabelSet::new(["neutral"]));
        let face = [(0, Rect::new(20.0, 20.0, 60.0, 60.0))];
        assert_eq!(ids(&mut scorer, VGA, &face, 0), [1]);
        assert_eq!(ids(&mut scorer, VGA, &face, 40), [1]);
        assert_eq!(ids(&mut scorer, Size::new(320, 240), &face, 80), [2]);
        assert_eq!(ids(&mut scorer, Size::new(320, 240), &face, 120), [2]);
    }

    #[test]
    fn ids_stay_in_range_whatever_others_give() {
        let mut scorer = FaceScorer::new(LabelSet::new(["neutral"]));
        let foreign = i32::MAX as u32;
        let faces = [(foreign, Rect::new(0.0, 0.0, 60.0, 60.0)), (0, Rect::new(200.0, 0.0, 60.0, 60.0))];
        assert_eq!(ids(&mut scorer, VGA, &faces, 0), [foreign, 1]);
        assert_eq!(ids(&mut scorer, VGA, &faces, 40), [foreign, 1]);
    }
}
