// SPDX-License-Identifier: MIT OR Apache-2.0
//! Labels of apparent expressions, and scores over them.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

/// The label of a face whose scores are all below the threshold, or which was not classified.
pub const UNKNOWN: &str = "unknown";

/// The eight classes of FER+, in the order of its columns. They are the label set of our models.
pub const FERPLUS_LABELS: [&str; 8] = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"];

/// The names of a model's classes, shared by all of its results.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LabelSet(Arc<[String]>);

impl LabelSet {
    /// The labels in the order of the model's output.
    pub fn new<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> Self {
        Self(labels.into_iter().map(Into::into).collect())
    }

    /// The labels in order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// True if one is a clone of the other. This is faster than comparing the names.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are no classes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A probability in 0..1 for each class of a label set; they sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    values: SmallVec<[f32; FERPLUS_LABELS.len()]>,
    /// What [`baseline`](Self::baseline) returns.
    baseline: Option<Duration>,
}

impl Scores {
    /// Softmax of `logits / temperature`. Logits that are not finite yield a uniform distribution.
    ///
    /// ```
    /// use emotion_core::scores::Scores;
    /// assert_eq!(Scores::from_logits(&[0.0, 0.0], 1.0).as_slice(), [0.5, 0.5]);
    /// ```
    pub fn from_logits(logits: &[f32], temperature: f32) -> Self {
        // The largest logit is subtracted, so that `exp` cannot overflow.
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        Self::normalized(logits.iter().map(|logit| ((logit - top) / temperature).exp()).collect())
    }

    /// Probabilities output by a model, scaled to sum to 1. Negative ones become 0.
    pub fn from_probabilities(values: impl IntoIterator<Item = f32>) -> Self {
        Self::normalized(values.into_iter().map(|value| value.max(0.0)).collect())
    }

    fn normalized(mut values: SmallVec<[f32; FERPLUS_LABELS.len()]>) -> Self {
        let sum: f32 = values.iter().sum();
        let uniform = 1.0 / values.len().max(1) as f32;
        let usable = sum.is_finite() && sum > 0.0;
        values.iter_mut().for_each(|value| *value = if usable { *value / sum } else { uniform });
        Self { values, baseline: None }
    }

    /// These scores, which are relative to a baseline that rests on observations of this duration.
    pub fn with_baseline(self, baseline: Option<Duration>) -> Self {
        Self { baseline, ..self }
    }

    /// Duration of the observations of the face's own [baseline](crate::expression::baseline) that the scores are relative to; none if
    /// they are relative to all people.
    pub fn baseline(&self) -> Option<Duration> {
        self.baseline
    }

    /// Interpolates towards `target`, which is reached with a `weight` of 1. The scores still sum to 1.
    pub fn blend(&mut self, target: &Self, weight: f32) {
        for (own, other) in self.values.iter_mut().zip(&target.values) {
            *own += weight * (other - *own);
        }
    }

    /// The probability on which two scores disagree, 0..1.
    pub fn difference(&self, other: &Self) -> f32 {
        self.values.iter().zip(&other.values).map(|(own, other)| (own - other).abs()).sum::<f32>() / 2.0
    }

    /// The scores in the order of the label set.
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// Index and score of the most probable class; the first one if several are equal.
    pub fn top(&self) -> (usize, f32) {
        self.values.iter().copied().enumerate().fold((0, 0.0), |best, (i, score)| if score > best.1 { (i, score) } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_matches_hand_computed_values() {
        let scores = Scores::from_logits(&[1.0, 2.0, 3.0], 1.0);
        for (found, expected) in scores.as_slice().iter().zip([0.09003, 0.24473, 0.66524]) {
            assert!((found - expected).abs() < 1e-5);
        }
        assert_eq!(scores.top().0, 2);
    }

    #[test]
    fn temperature_flattens_scores_without_changing_their_order() {
        let sharp = Scores::from_logits(&[0.0, 4.0], 1.0);
        let flat = Scores::from_logits(&[0.0, 4.0], 2.0);
        assert!(flat.top().1 < sharp.top().1 && flat.top().0 == 1);
    }

    #[test]
    fn large_logits_do_not_overflow_and_nan_yields_uniform_scores() {
        assert_eq!(Scores::from_logits(&[1000.0, 0.0], 1.0).as_slice(), [1.0, 0.0]);
        assert_eq!(Scores::from_logits(&[f32::NAN, 0.0], 1.0).as_slice(), [0.5, 0.5]);
    }

    #[test]
    fn blended_scores_still_sum_to_one() {
        let mut scores = Scores::from_probabilities([1.0, 0.0, 0.0]);
        scores.blend(&Scores::from_probabilities([0.0, 1.0, 3.0]), 0.5);
        assert_eq!(scores.as_slice(), [0.5, 0.125, 0.375]);
    }
}
