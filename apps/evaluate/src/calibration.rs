// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calibration: whether answers with a score of 0.8 are right eight times out of ten, and the effect of a minimum
//! confidence.

/// A model's answer for one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Score of the predicted class, 0..1.
    pub confidence: f32,
    /// True if the predicted class is the true one.
    pub right: bool,
}

/// The answers whose confidence lies between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Bin {
    /// Lower bound, inclusive.
    pub from: f64,
    /// Upper bound, exclusive except in the last bin.
    pub to: f64,
    /// Number of answers.
    pub count: usize,
    /// Mean confidence of the answers; 0 without any.
    pub confidence: f64,
    /// Share of right answers; 0 without any.
    pub accuracy: f64,
}

/// The effect of a minimum confidence.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Coverage {
    /// Minimum confidence of an answer.
    pub min_confidence: f32,
    /// Share of pictures with an answer.
    pub answered: f64,
    /// Share of right answers among them; 0 without any.
    pub accuracy: f64,
}

/// Sorts answers into `count` bins of equal width.
pub fn bins(answers: &[Answer], count: usize) -> Vec<Bin> {
    let width = 1.0 / count as f64;
    let index = |answer: &Answer| ((answer.confidence * count as f32) as usize).min(count - 1);
    let bin = |number: usize| {
        let inside: Vec<_> = answers.iter().filter(|answer| index(answer) == number).collect();
        let mean = |sum: f64| if inside.is_empty() { 0.0 } else { sum / inside.len() as f64 };
        Bin {
            from: number as f64 * width,
            to: (number + 1) as f64 * width,
            count: inside.len(),
            confidence: mean(inside.iter().map(|answer| f64::from(answer.confidence)).sum()),
            accuracy: mean(inside.iter().filter(|answer| answer.right).count() as f64),
        }
    };
    (0..count).map(bin).collect()
}

/// The expected calibration error (Naeini et al., AAAI 2015): the mean difference between the confidence and the accuracy
/// of a bin, weighted by its number of answers. It is in 0..1, and 0 without answers.
pub fn expected_error(bins: &[Bin]) -> f64 {
    let total: usize = bins.iter().map(|bin| bin.count).sum();
    let sum: f64 = bins.iter().map(|bin| bin.count as f64 * (bin.confidence - bin.accuracy).abs()).sum();
    sum / total.max(1) as f64
}

/// The effect of a minimum confidence of `min_confidence`.
pub fn coverage(answers: &[Answer], min_confidence: f32) -> Coverage {
    let confident = answers.iter().filter(|answer| answer.confidence >= min_confidence);
    let (count, right) = confident.fold((0, 0), |(count, right), answer| (count + 1, right + usize::from(answer.right)));
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    Coverage { min_confidence, answered: share(count, answers.len()), accuracy: share(right, count) }
}

/// The maximum coverage at which the share of right answers is at least `accuracy`; none if there is no such coverage.
pub fn coverage_of_accuracy(answers: &[Answer], accuracy: f64) -> Option<Coverage> {
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let (mut right, mut best) = (0, None);
    for (index, answer) in sorted.iter().enumerate() {
        right += usize::from(answer.right);
        let count = index + 1;
        // No threshold separates answers of equal confidence.
        let last_of_equals = sorted.get(count).is_none_or(|next| next.confidence < answer.confidence);
        let reached = right as f64 / count as f64;
        if last_of_equals && reached >= accuracy {
            let answered = count as f64 / sorted.len() as f64;
            best = Some(Coverage { min_confidence: answer.confidence, answered, accuracy: reached });
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(list: &[(f32, bool)]) -> Vec<Answer> {
        list.iter().map(|&(confidence, right)| Answer { confidence, right }).collect()
    }

    #[test]
    fn the_calibration_error_matches_hand_computed_values() {
        let answers = answers(&[(0.9, true), (0.9, false), (0.55, true), (1.0, true)]);
        let bins = bins(&answers, 10);
        assert_eq!((bins[9].count, bins[5].count), (3, 1), "a confidence of one belongs to the last bin");
        let expected = (3.0 * (2.8 / 3.0 - 2.0 / 3.0) + (1.0 - 0.55)) / 4.0;
        assert!((expected_error(&bins) - expected).abs() < 1e-6);
        assert_eq!(expected_error(&[]), 0.0);
    }

    #[test]
    fn the_maximum_coverage_for_an_accuracy_respects_equal_confidences() {
        let answers = answers(&[(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.6, true), (0.5, false)]);
        let at = coverage_of_accuracy(&answers, 0.8).unwrap();
        assert_eq!((at.min_confidence, at.answered, at.accuracy), (0.6, 5.0 / 6.0, 0.8));
        assert_eq!(coverage(&answers, at.min_confidence), at, "the returned threshold yields the returned coverage");
        assert_eq!(coverage_of_accuracy(&answers, 1.0).unwrap().min_confidence, 0.8);
        assert_eq!(coverage_of_accuracy(&[Answer { confidence: 0.9, right: false }], 0.5), None);
    }
}
