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
use crate::expression::face_change::FacePicture;
use crate::expression::mouth::MouthMovement;
use crate::expression::schedule::{Candidate, by_urgency};
use crate::expression::smoothing::{ScoreSmoother, steady_label};
use crate::geometry::Size;
use crate::image::FrameView;
use crate::record::{EmotionResult, FaceRecord, UnknownReason};
use crate::scores::{LabelSet, Scores};
use crate::track::tracker::Tracker;

/// Scores are forgotten this long after the classification.
const FORGET_AFTER: Duration = Duration::from_secs(5);
/// Weight of a newly measured duration in the mean duration of a classification.
const DURATION_GAIN: f32 = 0.1;
/// Faces that arrive without an id are tracked across gaps of at most this duration.
const TRACK_TIMEOUT: Duration = Duration::from_secs(1);

/// How faces are scored. May differ from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoringOptions {
    /// Number of frames from one classification of a face to the next, at least 1.
    pub reclassify_interval: u64,
    /// Maximum number of faces that are classified on one frame.
    pub budget: usize,
    /// Half-life of the smoothing, for a mouth that moves a little ([`MouthMovement`]); zero switches smoothing off.
    pub half_life: Duration,
    /// Minimum score of the label, 0..1; below it the label is `unknown`.
    pub min_confidence: f32,
    /// Minimum width and height of a face, in pixels of the frame. Smaller faces are not classified and their label is
    /// `unknown`.
    pub min_face_size: f32,
    /// Classifies a face only when it looks different than at its last classification, or when that was this long ago; `None` to
    /// classify regardless of how it looks.
    pub motion_gate: Option<Duration>,
    /// Time for the classifications of one frame, which limits their number by their measured duration, but not below 1; `None`
    /// for no limit.
    pub time_budget: Option<Duration>,
}

/// The latest scores of a face.
struct LastScores {
    /// The scores of the classified frame.
    raw: Scores,
    /// The scores after smoothing.
    scores: Scores,
    label: usize,
    /// Time of the classified frame.
    time: Duration,
    /// Number of the classified frame.
    frame: u64,
    /// How the face looked.
    picture: Option<FacePicture>,
    mouth: MouthMovement,
}

/// The faces to classify on one frame.
#[derive(Clone, Debug)]
pub struct Batch {
    faces: Vec<FaceRecord>,
    /// How each face looks; empty without motion gate and smoothing.
    pictures: Vec<FacePicture>,
    /// Number of faces that are due and look unchanged.
    unchanged: usize,
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

    /// Number of faces that would be classified without the motion gate, and are not because they look unchanged.
    pub fn unchanged(&self) -> usize {
        self.unchanged
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
    /// Mean duration of the classification of one face; `None` before the first one.
    duration: Option<Duration>,
    /// Size of the last frame with faces that arrived without an id: the tracks are in pixels of that size.
    tracked_size: Size,
}

impl FaceScorer {
    /// A scorer for a model with these classes, before the first frame.
    pub fn new(labels: LabelSet) -> Self {
        let (smoother, tracker) = (ScoreSmoother::default(), Tracker::new(TRACK_TIMEOUT));
        let (last, pending) = Default::default();
        Self { labels, smoother, tracker, last, pending, frame: 0, duration: None, tracked_size: Size::default() }
    }

    /// Forgets all faces, for example after a seek.
    pub fn clear(&mut self) {
        self.smoother.clear();
        self.tracker.clear();
        self.last.clear();
        self.pending.clear();
    }

    /// Forgets how the faces looked, so that the motion gate lets all of them be classified again.
    pub fn forget_pictures(&mut self) {
        self.last.values_mut().for_each(|last| last.picture = None);
    }

    /// Ends the tracks of faces that arrived without an id. For use at a scene cut, after which other faces follow.
    pub fn end_tracks(&mut self) {
        self.tracker.clear();
    }

    /// Gives an id to each face on the frame `view` at `now`, and returns the faces to classify.
    pub fn choose(&mut self, view: &FrameView, faces: &mut [FaceRecord], options: &ScoringOptions, now: Duration) -> Batch {
        self.frame += 1;
        self.last.retain(|_, last| last.time <= now && now - last.time <= FORGET_AFTER);
        self.smoother.forget_old(now);
        self.assign_ids(faces, view.size(), now);
        let mut due = self.due_faces(faces, view.size(), options);
        let unchanged =
            options.motion_gate.map_or(Vec::new(), |idle_interval| self.take_unchanged(&mut due, view, faces, idle_interval, now));
        for &id in &unchanged {
            self.repeat(id, options, now);
        }
        due.truncate(self.affordable(options));
        if !options.half_life.is_zero() {
            due.iter_mut().for_each(|due| {
                due.picture.get_or_insert_with(|| picture_of(&faces[due.index], view));
            });
        }
        self.pending.extend(due.iter().map(|due| (faces[due.index].id, self.frame)));
        Batch {
            faces: due.iter().map(|due| faces[due.index].clone()).collect(),
            pictures: due.into_iter().filter_map(|due| due.picture).collect(),
            unchanged: unchanged.len(),
            time: now,
            frame: self.frame,
        }
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

    /// Stores the scores of a batch, which has one for each of its faces. Its classification took `duration`.
    pub fn store(&mut self, batch: &Batch, scores: Vec<Scores>, duration: Duration, options: &ScoringOptions) {
        self.give_up(batch);
        let measured = duration / batch.faces.len().max(1) as u32;
        let gain = if self.duration.is_some() { DURATION_GAIN } else { 1.0 };
        self.duration = Some(self.duration.unwrap_or_default().mul_f32(1.0 - gain) + measured.mul_f32(gain));
        let mut pictures = batch.pictures.iter().cloned();
        for (face, scores) in batch.faces.iter().zip(scores) {
            let (time, frame, picture) = (batch.time, batch.frame, pictures.next());
            let last = self.last.get(&face.id);
            let mut mouth = last.map_or(MouthMovement::new(time), |last| last.mouth.clone());
            mouth.update(last.and_then(|last| last.picture.as_ref()).zip(picture.as_ref()), time);
            let (smoothed, label) = self.smooth(face.id, &scores, last.map(|last| last.label), mouth.half_life(options.half_life), time);
            self.last.insert(face.id, LastScores { raw: scores, scores: smoothed, label, time, frame, picture, mouth });
        }
    }

    /// Takes the last scores of a face as those of the frame at `now`, on which it looks the same.
    fn repeat(&mut self, id: u32, options: &ScoringOptions, now: Duration) {
        if let Some(mut last) = self.last.remove(&id) {
            last.mouth.update(None, now);
            (last.scores, last.label) = self.smooth(id, &last.raw, Some(last.label), last.mouth.half_life(options.half_life), now);
            self.last.insert(id, last);
        }
    }

    /// The smoothed scores of a face at `now`, and its label, given the one that is `shown`.
    fn smooth(&mut self, id: u32, scores: &Scores, shown: Option<usize>, half_life: Duration, now: Duration) -> (Scores, usize) {
        let smoothed = self.smoother.update(id, scores.clone(), half_life, now);
        // Without smoothing each frame gets the top class of its own scores.
        let label = steady_label(&smoothed, shown.filter(|_| !half_life.is_zero()));
        (smoothed, label)
    }

    /// Gives each face on the frame at `now` its latest scores. A face without scores keeps the result that it came with. If it
    /// came with none, it becomes `unknown`.
    pub fn complete(&self, faces: &mut [FaceRecord], size: Size, options: &ScoringOptions, now: Duration) {
        for face in faces {
            let is_large_enough = is_large_enough(face, size, options);
            if let Some(result) = self.result(face.id, is_large_enough, options, now) {
                face.emotion = Some(result);
            } else if face.emotion.is_none() || !is_large_enough {
                face.emotion = Some(self.unscored(is_large_enough, options));
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

    /// Maximum number of faces that are classified on a frame.
    fn affordable(&self, options: &ScoringOptions) -> usize {
        let fitting = options.time_budget.zip(self.duration).map(|(budget, duration)| {
            let fitting = budget.as_nanos().checked_div(duration.as_nanos()).unwrap_or(u128::MAX);
            usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
        });
        options.budget.min(fitting.unwrap_or(usize::MAX))
    }

    /// Removes the faces that look as at their last classification, if that was less than `idle_interval` ago, and returns their
    /// ids. The others get their pictures.
    fn take_unchanged(
        &self,
        due: &mut Vec<Due>,
        view: &FrameView,
        faces: &[FaceRecord],
        idle_interval: Duration,
        now: Duration,
    ) -> Vec<u32> {
        let mut unchanged = Vec::new();
        due.retain_mut(|due| {
            let face = &faces[due.index];
            let picture = due.picture.insert(picture_of(face, view));
            let recent = self.last.get(&face.id).filter(|last| now.saturating_sub(last.time) < idle_interval);
            let is_changed = recent.and_then(|last| last.picture.as_ref()).is_none_or(|last| picture.differs_from(last));
            if !is_changed {
                unchanged.push(face.id);
            }
            is_changed
        });
        unchanged
    }

    /// The faces that the interval allows to classify, the most urgent first.
    fn due_faces(&self, faces: &[FaceRecord], size: Size, options: &ScoringOptions) -> Vec<Due> {
        // If there are more faces than the tracker accepts, the remaining ones have no id.
        // An unconfirmed face may be a false detection; it is classified on the frame that confirms it.
        let is_eligible = |face: &FaceRecord| face.id != 0 && face.confirmed && is_large_enough(face, size, options);
        let eligible: Vec<usize> = (0..faces.len()).filter(|&index| is_eligible(&faces[index])).collect();
        // A pending classification counts as done, so that a face is not chosen again while a worker is busy with it.
        let last_frame = |id: u32| self.pending.get(&id).copied().max(self.last.get(&id).map(|last| last.frame));
        let candidates = eligible.iter().map(|&index| Candidate {
            age: last_frame(faces[index].id).map(|frame| self.frame - frame),
            area: faces[index].rect_norm.area(),
        });
        let due = by_urgency(&candidates.collect::<Vec<_>>(), options.reclassify_interval);
        due.into_iter().map(|candidate| Due { index: eligible[candidate], picture: None }).collect()
    }

    /// The latest result of face `id`, with its age at `now`; none for a face without scores.
    fn result(&self, id: u32, is_large_enough: bool, options: &ScoringOptions, now: Duration) -> Option<EmotionResult> {
        let last = self.last.get(&id)?;
        let reason = if !is_large_enough {
            Some(UnknownReason::Small)
        } else {
            (last.scores.as_slice()[last.label] < options.min_confidence).then_some(UnknownReason::Uncertain)
        };
        Some(EmotionResult {
            labels: self.labels.clone(),
            scores: last.scores.clone(),
            label_id: reason.is_none().then_some(last.label),
            reason,
            smoothed: !options.half_life.is_zero(),
            age: now.saturating_sub(last.time),
        })
    }

    /// The result of a face without scores: `unknown`, with equal scores.
    fn unscored(&self, is_large_enough: bool, options: &ScoringOptions) -> EmotionResult {
        EmotionResult {
            labels: self.labels.clone(),
            scores: Scores::from_probabilities(self.labels.as_slice().iter().map(|_| 1.0)),
            label_id: None,
            reason: Some(if is_large_enough { UnknownReason::Pending } else { UnknownReason::Small }),
            smoothed: !options.half_life.is_zero(),
            age: Duration::ZERO,
        }
    }
}

/// A face that may be classified.
struct Due {
    /// Its index among the faces of the frame.
    index: usize,
    /// How it looks; `None` without motion gate and smoothing.
    picture: Option<FacePicture>,
}

fn picture_of(face: &FaceRecord, view: &FrameView) -> FacePicture {
    FacePicture::take(view, face.rect_norm.from_norm(view.size()))
}

/// True if width and height of `face` reach the minimum size.
fn is_large_enough(face: &FaceRecord, frame: Size, options: &ScoringOptions) -> bool {
    let rect = face.rect_norm.from_norm(frame);
    // Metadata stores boxes in whole pixels, the record as shares of the frame. After the conversion there and back, a box of
    // exactly the minimum size may be smaller by a rounding error.
    rect.w.min(rect.h) + 0.01 >= options.min_face_size
}

#[cfg(test)]
mod tests;
