// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a face's scores are when it is at rest. A network answers for the mean of all people; a face has a zero of its own.
//!
//! The scores' logarithms are compared with those that faces of each class have on average (`mean_log_scores` in `model.toml`),
//! each class with the probability that the face shows it. The mean difference is how this face deviates from others, and is
//! subtracted. The classes are found with the baseline so far, so a face that laughs for long is compared with faces that laugh.
//!
//! A [`Baseline`] belongs to a track and ends with it. It has a few numbers about scores, identifies nobody, and is compared with no
//! other baseline.

use std::time::Duration;

use smallvec::SmallVec;

use crate::model::OutputDescription;
use crate::scores::{FERPLUS_LABELS, Scores};

/// Added to scores before the logarithm, which therefore has a limit. The means of the models are measured with the same.
const FLOOR: f32 = 0.001;
/// Observation that the assumption of no deviation is worth, in seconds.
const PRIOR_S: f32 = 2.0;
/// Weight of the observations at most; older ones are forgotten for newer ones.
const MAX_S: f32 = 120.0;
/// What a face counts for that does not change its expression, in seconds: it says the same for as long as it is held.
const HOLD_S: f32 = 2.0;
/// By how much of the probability scores must differ from those at the start of a hold to end it.
const HOLD_CHANGE: f32 = 0.25;
/// Maximum time that one observation counts for, in seconds.
const MAX_STEP_S: f32 = 1.0;
/// Weight of a face that is said to be at rest, in seconds.
const CALIBRATION_S: f32 = 12.0;
/// By how much scores are sharper once the deviation is known, since one source of doubt is gone.
const SHARPENING: f32 = 0.3;

/// One number for each class of a model.
type Row = SmallVec<[f32; FERPLUS_LABELS.len()]>;

/// The mean log-scores of faces of each class, for one output of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMeans {
    /// Class and means, without the classes of which nothing is known.
    rows: Vec<(usize, Row)>,
    /// Index in `rows` of the neutral class.
    neutral: Option<usize>,
}

impl ClassMeans {
    /// Those of a description; none if it has none.
    pub fn of(output: &OutputDescription) -> Option<Self> {
        let label = |name: &str| output.labels.iter().position(|label| label == name);
        let row = |(name, means): (&String, &Vec<f32>)| Some((label(name)?, Row::from_slice(means)));
        let rows: Vec<_> = output.mean_log_scores.iter().filter_map(row).collect();
        let neutral = rows.iter().position(|(class, _)| output.labels[*class] == FERPLUS_LABELS[0]);
        (!rows.is_empty()).then_some(Self { rows, neutral })
    }
}

/// How the scores of one face deviate from those of other faces.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Weighted sum of the deviations of the log-scores.
    sum: Row,
    /// Sum of the weights.
    seconds: f32,
    /// The scores at the start of the hold.
    held: Scores,
    /// Duration of the hold.
    held_s: f32,
    /// Time of the newest observation.
    last: Duration,
}

impl Baseline {
    /// The baseline of a face that was seen once, at `now`. Nothing is known of it yet.
    pub fn new(scores: &Scores, now: Duration) -> Self {
        Self { sum: SmallVec::from_elem(0.0, scores.as_slice().len()), seconds: 0.0, held: scores.clone(), held_s: 0.0, last: now }
    }

    /// Adds the scores of the frame at `now`. `calm` is their weight, 0..1. Frames before the newest one are ignored.
    pub fn observe(&mut self, scores: &Scores, calm: f32, means: &ClassMeans, now: Duration) {
        let elapsed = now.saturating_sub(self.last).as_secs_f32().min(MAX_STEP_S);
        self.last = self.last.max(now);
        if self.held.difference(scores) > HOLD_CHANGE {
            (self.held, self.held_s) = (scores.clone(), 0.0);
        }
        let remainder = (-self.held_s / HOLD_S).exp();
        self.held_s += elapsed;
        let weight = calm * HOLD_S * (remainder - (-self.held_s / HOLD_S).exp());
        let shown = Scores::from_logits(&self.shifted(scores), 1.0);
        let known: f32 = means.rows.iter().map(|(class, _)| shown.as_slice()[*class]).sum();
        // Of a face of a class without means nothing can be learnt.
        if weight > 0.0 && known > 0.5 {
            self.add(scores, weight, means.rows.iter().map(|(class, row)| (shown.as_slice()[*class] / known, row)));
        }
    }

    /// Replaces the baseline by that of a face at rest with these scores. Without means of a neutral class, nothing changes.
    pub fn calibrate(&mut self, scores: &Scores, means: &ClassMeans) {
        let Some(neutral) = means.neutral else { return };
        *self = Self::new(scores, self.last);
        self.add(scores, CALIBRATION_S, [(1.0, &means.rows[neutral].1)]);
    }

    /// How sure a baseline is that rests on observations of this `duration`, 0..1.
    pub fn certainty(duration: Duration) -> f32 {
        let seconds = duration.as_secs_f32();
        seconds / (seconds + PRIOR_S)
    }

    /// The scores less the deviation. As long as nothing is known, they are the same.
    pub fn correct(&self, scores: &Scores) -> Scores {
        let corrected = if self.seconds > 0.0 {
            Scores::from_logits(&self.shifted(scores), 1.0 / (1.0 + SHARPENING * Self::certainty(self.duration())))
        } else {
            scores.clone()
        };
        corrected.with_baseline(Some(self.duration()))
    }

    /// Duration of the observations that it rests on.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f32(self.seconds)
    }

    /// Adds how `scores` deviate from the mean of `expected`, which are probabilities and means of classes.
    fn add<'a>(&mut self, scores: &Scores, weight: f32, expected: impl IntoIterator<Item = (f32, &'a Row)>) {
        let mut deviation: Row = scores.as_slice().iter().map(|score| (score + FLOOR).ln()).collect();
        for (probability, means) in expected {
            deviation.iter_mut().zip(means).for_each(|(deviation, mean)| *deviation -= probability * mean);
        }
        let kept = (MAX_S / (self.seconds + weight)).min(1.0);
        self.sum.iter_mut().zip(&deviation).for_each(|(sum, deviation)| *sum = kept * (*sum + weight * deviation));
        self.seconds = kept * (self.seconds + weight);
    }

    /// Log-scores less the deviation.
    fn shifted(&self, scores: &Scores) -> Row {
        let offset = |sum: &f32| sum / (self.seconds + PRIOR_S);
        scores.as_slice().iter().zip(&self.sum).map(|(score, sum)| score.max(f32::MIN_POSITIVE).ln() - offset(sum)).collect()
    }
}

#[cfg(test)]
mod tests;
