// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps the scores of all faces of a stream: ids, schedule, classification and smoothing.
//!
//! A [`FaceScorer`] is the [`FaceMemory`] of a [`Classifier`](crate::expression::classifier::Classifier).

use std::sync::Arc;
use std::time::Duration;

use crate::crops::face_change::FacePicture;
use crate::crops::results::{Batch, FaceMemory, FaceResults, Pictures, Selection};
use crate::expression::baseline::{Baseline, ClassMeans};
use crate::expression::mouth::MouthMovement;
use crate::expression::smoothing::{ScoreSmoother, steady_label};
use crate::face_geometry::PoseLimits;
use crate::geometry::Size;
use crate::image::FrameView;
use crate::record::{EmotionResult, FaceRecord, UnknownReason};
use crate::scores::{LabelSet, Scores};

/// How faces are scored. May differ from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoringOptions {
    /// Which faces are classified. Those that are too small have the label `unknown`.
    pub selection: Selection,
    /// Half-life of the smoothing, for a mouth that moves a little ([`MouthMovement`]); zero switches smoothing off.
    pub half_life: Duration,
    /// Minimum score of the label, 0..1; below it the label is `unknown`.
    pub min_confidence: f32,
    /// How far a face with a geometry may turn. Beyond it the label is `unknown`.
    pub pose_limits: PoseLimits,
}

impl ScoringOptions {
    /// True if the face has turned too far, as far as its pose is to be relied on.
    fn is_turned(&self, face: &FaceRecord) -> bool {
        face.geometry.as_ref().is_some_and(|geometry| geometry.is_pose_reliable() && !self.pose_limits.allow(geometry.pose))
    }
}

/// The scores of a face.
pub struct FaceScores {
    /// The scores of the classified frame.
    raw: Scores,
    /// The scores after smoothing.
    smoothed: Scores,
    /// The same relative to the baseline.
    scores: Scores,
    label: usize,
    /// With a baseline: true if the score of the label is too low for it to be shown.
    is_uncertain: bool,
    mouth: MouthMovement,
    baseline: Option<Baseline>,
}

/// Share of the minimum confidence down to which a label is still shown that was shown before, with a baseline: while that grows,
/// scores cross the minimum more often.
const STILL_CERTAIN: f32 = 0.85;

impl FaceScores {
    fn new(raw: Scores, mouth: MouthMovement, baseline: Option<Baseline>) -> Self {
        Self { smoothed: raw.clone(), scores: raw.clone(), raw, label: 0, is_uncertain: true, mouth, baseline }
    }

    /// Updates what follows from `raw` and `mouth` on the frame at `now`. Face `id` had the label `last` until then, and it was shown
    /// or not. With `means` there is a baseline.
    fn update(
        &mut self,
        smoother: &mut ScoreSmoother,
        (id, last): (u32, Option<(usize, bool)>),
        options: &ScoringOptions,
        means: Option<&ClassMeans>,
        now: Duration,
    ) {
        self.smoothed = smoother.update(id, self.raw.clone(), self.mouth.half_life(options.half_life), now);
        let (smoothed, calm) = (&self.smoothed, self.mouth.calm());
        let known = self.baseline.take();
        self.baseline = means.map(|means| {
            let mut baseline = known.unwrap_or_else(|| Baseline::new(smoothed, now));
            baseline.observe(smoothed, calm, means, now);
            baseline
        });
        self.scores = self.baseline.as_ref().map_or_else(|| smoothed.clone(), |baseline| baseline.correct(smoothed));
        // Without smoothing each frame gets the top class of its own scores.
        let last = last.filter(|_| !options.half_life.is_zero());
        let score = |label: usize| self.scores.as_slice()[label];
        let minimum = |label| match last {
            Some((last, true)) if last == label && self.baseline.is_some() => STILL_CERTAIN * options.min_confidence,
            _ => options.min_confidence,
        };
        let shown = last.map(|(label, _)| label).filter(|&label| self.baseline.is_none() || score(label) >= minimum(label));
        self.label = steady_label(&self.scores, shown);
        self.is_uncertain = score(self.label) < minimum(self.label);
    }

    /// True if the score of the label is too low for it to be shown.
    fn is_uncertain(&self, options: &ScoringOptions) -> bool {
        if self.baseline.is_some() { self.is_uncertain } else { self.scores.as_slice()[self.label] < options.min_confidence }
    }

    /// The label, and whether it was shown.
    fn last(&self) -> (usize, bool) {
        (self.label, !self.is_uncertain)
    }
}

/// The faces of a stream and their scores. See the [module](self).
pub struct FaceScorer {
    labels: LabelSet,
    smoother: ScoreSmoother,
    results: FaceResults<FaceScores>,
    /// What baselines are measured against; none for scores without a baseline.
    means: Option<Arc<ClassMeans>>,
}

impl FaceScorer {
    /// A scorer for a model with these classes, before the first frame.
    pub fn new(labels: LabelSet) -> Self {
        Self { labels, smoother: ScoreSmoother::default(), results: FaceResults::default(), means: None }
    }

    /// Makes scores relative to each face's [`Baseline`], measured against these means; or not, with none, as in the beginning.
    pub fn set_baseline(&mut self, means: Option<Arc<ClassMeans>>) {
        self.means = means;
    }
}

impl FaceMemory for FaceScorer {
    type Output = Scores;
    type Kept = FaceScores;
    type Options = ScoringOptions;

    fn results(&mut self) -> &mut FaceResults<FaceScores> {
        &mut self.results
    }

    fn clear(&mut self) {
        self.smoother.clear();
        self.results.clear();
    }

    fn choose(&mut self, view: &FrameView, faces: &mut [FaceRecord], options: &ScoringOptions, now: Duration) -> Batch {
        self.smoother.forget_old(now);
        let pictures = Pictures { always: !options.half_life.is_zero(), differ: FacePicture::differs_from };
        let batch = self.results.choose(view, faces, &options.selection, pictures, now);
        for &id in &batch.unchanged {
            self.repeat(id, options, now);
        }
        batch
    }

    fn store(&mut self, batch: &Batch, scores: Vec<Scores>, duration: Duration, options: &ScoringOptions) {
        let (smoother, means) = (&mut self.smoother, self.means.as_deref());
        self.results.store(batch, scores, duration, |analysed, raw| {
            let (last, time) = (analysed.last, analysed.time);
            let mut mouth = last.map_or(MouthMovement::new(time), |last| last.result.mouth.clone());
            mouth.update(last.and_then(|last| last.picture.as_ref()).zip(analysed.picture), time);
            let mut scores = FaceScores::new(raw, mouth, last.and_then(|last| last.result.baseline.clone()));
            let shown = (analysed.face.id, last.map(|last| last.result.last()));
            scores.update(smoother, shown, options, means, time);
            scores
        });
    }

    fn calibrate(&mut self, id: u32) {
        let latest = self.results.get_mut(id).map(|latest| &mut latest.result);
        let Some((FaceScores { smoothed, baseline: Some(baseline), .. }, means)) = latest.zip(self.means.as_deref()) else { return };
        baseline.calibrate(smoothed, means);
    }

    fn reset_baseline(&mut self, id: u32) {
        if let Some(latest) = self.results.get_mut(id) {
            latest.result.baseline = None;
        }
    }

    /// A face that has no scores and came with none becomes `unknown`.
    fn complete(&self, faces: &mut [FaceRecord], size: Size, options: &ScoringOptions, now: Duration) {
        for face in faces {
            let is_large_enough = options.selection.is_large_enough(face, size);
            if let Some(result) = self.result(face, is_large_enough, options, now) {
                face.emotion = Some(result);
            } else if face.emotion.is_none() || !is_large_enough {
                face.emotion = Some(self.unscored(is_large_enough, options));
            }
        }
    }
}

impl FaceScorer {
    /// Takes the last scores of a face as those of the frame at `now`, on which it looks the same.
    fn repeat(&mut self, id: u32, options: &ScoringOptions, now: Duration) {
        if let Some(last) = self.results.get_mut(id).map(|latest| &mut latest.result) {
            last.mouth.update(None, now);
            let shown = (id, Some(last.last()));
            last.update(&mut self.smoother, shown, options, self.means.as_deref(), now);
        }
    }

    /// The latest result of `face`, with its age at `now`; none for a face without scores.
    fn result(&self, face: &FaceRecord, is_large_enough: bool, options: &ScoringOptions, now: Duration) -> Option<EmotionResult> {
        let latest = self.results.get(face.id)?;
        let last = &latest.result;
        let reason = if !is_large_enough {
            Some(UnknownReason::Small)
        } else if options.is_turned(face) {
            Some(UnknownReason::Turned)
        } else {
            last.is_uncertain(options).then_some(UnknownReason::Uncertain)
        };
        Some(EmotionResult {
            labels: self.labels.clone(),
            scores: last.scores.clone(),
            label_id: reason.is_none().then_some(last.label),
            reason,
            smoothed: !options.half_life.is_zero(),
            age: now.saturating_sub(latest.time),
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

#[cfg(test)]
mod tests;
