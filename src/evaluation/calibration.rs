// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a score of 0.8 is right eight times out of ten, and what a least confidence costs and gains.

/// The answer given for one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Score of the class that was given, 0..1.
    pub confidence: f32,
    /// Whether it is the true one.
    pub right: bool,
}

/// The answers whose confidence lies between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Bin {
    /// Lower bound, belonging to the bin.
    pub from: f64,
    /// Upper bound, belonging to the next bin, and the last one's to itself.
    pub to: f64,
    /// How many answers there are.
    pub count: usize,
    /// Their mean confidence; 0 without any.
    pub confidence: f64,
    /// Share of them that are right; 0 without any.
    pub accuracy: f64,
}

/// What remains when only answers of some confidence are given.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Coverage {
    /// The least confidence of an answer.
    pub min_confidence: f32,
    /// Share of pictures that are answered.
    pub answered: f64,
    /// Share of the answers that are right; 0 without any.
    pub accuracy: f64,
}

/// Puts answers into `count` bins of equal width.
pub fn bins(answers: &[Answer], count: usize) -> Vec<Bin> {
    let width = 1.0 / count as f64;
    let index = |answer: &Answer| ((answer.confidence * count as f32) as usize).min(count - 1);
    let bin = |number: usize| {
        let inside: Vec<_> = answers.iter().filter(|answer| index(answer) == number).collect();
        let share = |sum: f64| if inside.is_empty() { 0.0 } else { sum / inside.len() as f64 };
        Bin {
            from: number as f64 * width,
            to: (number + 1) as f64 * width,
            count: inside.len(),
            confidence: share(inside.iter().map(|answer| f64::from(answer.confidence)).sum()),
            accuracy: share(inside.iter().filter(|answer| answer.right).count() as f64),
        }
    };
    (0..count).map(bin).collect()
}

/// The expected calibration error of Naeini et al. (AAAI 2015): the mean distance between confidence and accuracy of
/// the bins, weighted by their answers; 0..1, and 0 without any answer.
pub fn expected_error(bins: &[Bin]) -> f64 {
    let total: usize = bins.iter().map(|bin| bin.count).sum();
    let sum: f64 = bins.iter().map(|bin| bin.count as f64 * (bin.confidence - bin.accuracy).abs()).sum();
    sum / total.max(1) as f64
}

/// What remains at a least confidence of `min_confidence`.
pub fn coverage(answers: &[Answer], min_confidence: f32) -> Coverage {
    let given = answers.iter().filter(|answer| answer.confidence >= min_confidence);
    let (count, right) = given.fold((0, 0), |(count, right), answer| (count + 1, right + usize::from(answer.right)));
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    Coverage { min_confidence, answered: share(count, answers.len()), accuracy: share(right, count) }
}

/// The most that can be answered with at least `accuracy` of the answers right; none if nothing can.
pub fn coverage_of_accuracy(answers: &[Answer], accuracy: f64) -> Option<Coverage> {
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let (mut right, mut best) = (0, None);
    for (index, answer) in sorted.iter().enumerate() {
        right += usize::from(answer.right);
        let count = index + 1;
        // Answers of equal confidence are given together or not at all.
        let last_of_equals = sorted.get(count).is_none_or(|next| next.confidence < answer.confidence);
        let found = right as f64 / count as f64;
        if last_of_equals && found >= accuracy {
            let answered = count as f64 / sorted.len() as f64;
            best = Some(Coverage { min_confidence: answer.confidence, answered, accuracy: found });
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
    fn the_error_by_hand() {
        let answers = answers(&[(0.9, true), (0.9, false), (0.55, true), (1.0, true)]);
        let bins = bins(&answers, 10);
        assert_eq!((bins[9].count, bins[5].count), (3, 1), "a confidence of one belongs to the last bin");
        let expected = (3.0 * (2.8 / 3.0 - 2.0 / 3.0) + (1.0 - 0.55)) / 4.0;
        assert!((expected_error(&bins) - expected).abs() < 1e-6);
        assert_eq!(expected_error(&[]), 0.0);
    }

    #[test]
    fn the_most_that_can_be_answered() {
        let answers = answers(&[(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.6, true), (0.5, false)]);
        let at = coverage_of_accuracy(&answers, 0.8).unwrap();
        assert_eq!((at.min_confidence, at.answered, at.accuracy), (0.6, 5.0 / 6.0, 0.8));
        assert_eq!(coverage(&answers, at.min_confidence), at, "the threshold that is told gives what is told");
        assert_eq!(coverage_of_accuracy(&answers, 1.0).unwrap().min_confidence, 0.8);
        assert_eq!(coverage_of_accuracy(&[Answer { confidence: 0.9, right: false }], 0.5), None);
    }
}
