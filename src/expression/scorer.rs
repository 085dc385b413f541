// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps the scores of all faces of a stream: ids, schedule, classification and smoothing.
//!
//! A [`FaceScorer`] does not run the classifier itself, so a classification may run on another thread while more frames pass.
//! For each frame, call in this order:
//!
//! 1. [`choose`](FaceScorer::choose) gives each face an id and returns the [`Batch`] of faces to classify.
//! 2. [`Batch::classify`] runs the classifier, at once or on another thread.
//! 3. [`store`](FaceScorer::store) keeps the scores of a classified batch. This may be on a later frame.
//! 4. [`complete`](FaceScorer::complete) gives each face its latest scores.

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

/// Scores are forgotten this long after the classification.
const FORGET_AFTER: Duration = Duration::from_secs(5);
/// Faces that arrive without an id are tracked across gaps of at most this duration.
const TRACK_TIMEOUT: Duration = Duration::from_secs(1);

/// How faces are scored. May differ from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoringOptions {
    /// Number of frames from one classification of a face to the next, at least 1.
    pub reclassify_interval: u64,
    /// Maximum number of faces that are classified on one frame.
    pub budget: usize,
    /// Half-life of the smoothing; zero switches it off.
    pub half_life: Duration,
    /// Minimum score of the label, 0..1; below it the label is `unknown`.
    pub min_confidence: f32,
    /// Minimum width and height of a face, in pixels of the frame. Smaller faces are not classified and their label is
    /// `unknown`.
    pub min_face_size: f32,
}

/// The latest scores of a face, after smoothing.
struct LastScores {
    scores: Scores,
    label: usize,
    /// Time of the classified frame.
    time: Duration,
    /// Number of the classified frame.
    frame: u64,
}

/// The faces to classify on one frame.
#[derive(Clone, Debug)]
pub struct Batch {
    faces: Vec<FaceRecord>,
    /// Time of the frame.
    time: Duration,
    /// Number of the frame.
    frame: u64,
}

impl Batch {
    /// True if there are no faces to classify.
    pub fn is_empty(&self) -> bool {
        self.faces.is_empty()
    }

    /// The scores of each face; `view` is the frame of the batch.
    ///
    /// # Errors
    /// Those of [`Classifier::classify`].
    pub fn classify(&self, classifier: &mut Classifier, view: &FrameView) -> Result<Vec<Scores>> {
        let crops = self.faces.iter().map(|face| {
            let (rect, detection) = (face.rect_norm.from_norm(view.size()), face.detection.as_ref());
            let landmarks = detection.and_then(|detection| detection.landmarks_norm).map(|landmarks| landmarks.from_norm(view.size()));
            Face { rect, detector: detection.map(|detection| &*detection.model_name), landmarks }
        });
        Ok(classifier.classify(view, &crops.collect::<Vec<_>>())?.to_vec())
    }
}

/// The faces of a stream and their scores. See the [module](self).
pub struct FaceScorer {
    labels: LabelSet,
    smoother: ScoreSmoother,
    /// Tracks faces that arrive without an id.
    tracker: Tracker,
    /// By id of the face.
    last: HashMap<u32, LastScores>,
    /// Ids of faces that are being classified, and the number of their frame.
    pending: HashMap<u32, u64>,
    /// Number of the current frame.
    frame: u64,
    /// Size of the last frame with faces that arrived without an id: the tracks are in pixels of that size.
    tracked_size: Size,
}

impl FaceScorer {
    /// A scorer for a model with these classes, before the first frame.
    pub fn new(labels: LabelSet) -> Self {
        let (smoother, tracker) = (ScoreSmoother::default(), Tracker::new(TRACK_TIMEOUT));
        Self { labels, smoother, tracker, last: HashMap::new(), pending: HashMap::new(), frame: 0, tracked_size: Size::default() }
    }

    /// Forgets all faces, for example after a seek.
    pub fn clear(&mut self) {
        self.smoother.clear();
        self.tracker.clear();
        self.last.clear();
        self.pending.clear();
    }

    /// Ends the tracks of faces that arrived without an id. For use at a scene cut, after which other faces follow.
    pub fn end_tracks(&mut self) {
        self.tracker.clear();
    }

    /// Gives an id to each face on the frame of `size` pixels at `now`, and returns the faces to classify.
    pub fn choose(&mut self, faces: &mut [FaceRecord], size: Size, options: &ScoringOptions, now: Duration) -> Batch {
        self.frame += 1;
        self.last.retain(|_, last| last.time <= now && now - last.time <= FORGET_AFTER);
        self.smoother.forget_old(now);
        self.assign_ids(faces, size, now);
        let chosen = self.due_faces(faces, size, options);
        self.pending.extend(chosen.iter().map(|&index| (faces[index].id, self.frame)));
        Batch { faces: chosen.into_iter().map(|index| faces[index].clone()).collect(), time: now, frame: self.frame }
    }

    /// Withdraws a batch that will not be classified, so that its faces can be chosen again.
    pub fn give_up(&mut self, batch: &Batch) {
        for face in &batch.faces {
            self.pending.remove(&face.id);
        }
    }

    /// Withdraws all batches without scores, for example after an error.
    pub fn give_up_all(&mut self) {
        self.pending.clear();
    }

    /// Stores the scores of a batch, which has one for each of its faces.
    pub fn store(&mut self, batch: &Batch, scores: Vec<Scores>, options: &ScoringOptions) {
        self.give_up(batch);
        for (face, scores) in batch.faces.iter().zip(scores) {
            let scores = self.smoother.update(face.id, scores, options.half_life, batch.time);
            // Without smoothing each frame gets the top class of its own scores.
            let shown = self.last.get(&face.id).filter(|_| !options.half_life.is_zero()).map(|last| last.label);
            let label = steady_label(&scores, shown);
            self.last.insert(face.id, LastScores { scores, label, time: batch.time, frame: batch.frame });
        }
    }

    /// Gives each face on the frame at `now` its latest scores. A face without scores remains unchanged, unless it is too small:
    /// it then becomes `unknown`.
    pub fn complete(&self, faces: &mut [FaceRecord], size: Size, options: &ScoringOptions, now: Duration) {
        for face in faces {
            let result = self.result(face.id, is_large_enough(face, size, options), options, now);
            if result.is_some() {
                face.emotion = result;
            }
        }
    }

    /// Gives an id to each face without one, which differs from the ids that other elements assigned. If the size of the frame
    /// changes, tracks cannot be continued and all get new ids.
    fn assign_ids(&mut self, faces: &mut [FaceRecord], frame: Size, now: Duration) {
        // Before any new id is assigned, all ids on this frame must be known.
        faces.iter().for_each(|face| self.tracker.reserve(face.id));
        if faces.iter().all(|face| face.id != 0) {
            return;
        }
        let detections = faces.iter().filter(|face| face.id == 0).map(|face| Detection {
            rect: face.rect_norm.from_norm(frame),
            confidence: face.detection.as_ref().map_or(1.0, |detection| detection.confidence),
            landmarks: None,
        });
        if std::mem::replace(&mut self.tracked_size, frame) != frame {
            self.tracker.clear();
        }
        let tracks = self.tracker.update(&detections.collect::<Vec<_>>(), 0.0, now);
        for (face, track) in faces.iter_mut().filter(|face| face.id == 0).zip(tracks) {
            face.id = track.id;
        }
    }

    /// Indices of the faces to classify.
    fn due_faces(&self, faces: &[FaceRecord], size: Size, options: &ScoringOptions) -> Vec<usize> {
        // If there are more faces than the tracker accepts, the remaining ones have no id.
        // An unconfirmed face may be none; it is classified on the frame that confirms it.
        let is_eligible = |face: &FaceRecord| face.id != 0 && face.confirmed && is_large_enough(face, size, options);
        let eligible: Vec<usize> = (0..faces.len()).filter(|&index| is_eligible(&faces[index])).collect();
        // A pending classification counts as done, so that a face is not chosen again while a worker is busy with it.
        let last_frame = |id: u32| self.pending.get(&id).copied().max(self.last.get(&id).map(|last| last.frame));
        let candidates = eligible.iter().map(|&index| Candidate {
            age: last_frame(faces[index].id).map(|frame| self.frame - frame),
            area: faces[index].rect_norm.area(),
        });
        let chosen = choose(&candidates.collect::<Vec<_>>(), options.reclassify_interval, options.budget);
        chosen.into_iter().map(|candidate| eligible[candidate]).collect()
    }

    /// The latest result of face `id`, with its age at `now`. A face without scores gets `None`, or `unknown` with uniform scores
    /// if it is too small to be classified.
    fn result(&self, id: u32, is_large_enough: bool, options: &ScoringOptions, now: Duration) -> Option<EmotionResult> {
        let labels = self.labels.clone();
        let smoothed = !options.half_life.is_zero();
        if let Some(last) = self.last.get(&id) {
            let confidence = last.scores.as_slice()[last.label];
            let label_id = (is_large_enough && confidence >= options.min_confidence).then_some(last.label);
            return Some(EmotionResult { labels, scores: last.scores.clone(), label_id, smoothed, age: now.saturating_sub(last.time) });
        }
        let uniform = || Scores::from_probabilities(labels.as_slice().iter().map(|_| 1.0));
        (!is_large_enough).then(|| EmotionResult {
            scores: uniform(),
            label_id: None,
            smoothed,
            age: Duration::ZERO,
            labels: labels.clone(),
        })
    }
}

/// True if width and height of `face` reach the minimum size.
fn is_large_enough(face: &FaceRecord, frame: Size, options: &ScoringOptions) -> bool {
    let rect = face.rect_norm.from_norm(frame);
    // Metadata stores boxes in whole pixels, the record as shares of the frame. After the conversion there and back, a box of
    // exactly the minimum size may be smaller by a rounding error.
    rect.w.min(rect.h) + 0.01 >= options.min_face_size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;

    const OPTIONS: ScoringOptions =
        ScoringOptions { reclassify_interval: 1, budget: 16, half_life: Duration::ZERO, min_confidence: 0.0, min_face_size: 1.0 };
    const VGA: Size = Size::new(640, 480);

    /// The ids of the faces on a frame of `size`, given their ids on arrival and their boxes.
    fn ids(scorer: &mut FaceScorer, size: Size, rects_px: &[(u32, Rect)], time_ms: u64) -> Vec<u32> {
        let record =
            |&(id, rect): &(u32, Rect)| FaceRecord { id, rect_norm: rect.to_norm(size), detection: None, emotion: None, confirmed: true };
        let mut faces: Vec<_> = rects_px.iter().map(record).collect();
        scorer.choose(&mut faces, size, &OPTIONS, Duration::from_millis(time_ms));
        faces.iter().map(|face| face.id).collect()
    }

    #[test]
    fn faces_get_new_ids_if_the_frame_size_changes() {
        let mut scorer = FaceScorer::new(LabelSet::new(["neutral"]));
        let face = [(0, Rect::new(20.0, 20.0, 60.0, 60.0))];
        assert_eq!(ids(&mut scorer, VGA, &face, 0), [1]);
        assert_eq!(ids(&mut scorer, VGA, &face, 40), [1]);
        assert_eq!(ids(&mut scorer, Size::new(320, 240), &face, 80), [2]);
        assert_eq!(ids(&mut scorer, Size::new(320, 240), &face, 120), [2]);
    }

    #[test]
    fn ids_of_other_elements_do_not_push_new_ids_out_of_range() {
        let mut scorer = FaceScorer::new(LabelSet::new(["neutral"]));
        let foreign = i32::MAX as u32;
        let faces = [(foreign, Rect::new(0.0, 0.0, 60.0, 60.0)), (0, Rect::new(200.0, 0.0, 60.0, 60.0))];
        assert_eq!(ids(&mut scorer, VGA, &faces, 0), [foreign, 1]);
        assert_eq!(ids(&mut scorer, VGA, &faces, 40), [foreign, 1]);
    }
}
