// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exponential smoothing of each face's scores over time, and a label that does not flicker.

use std::collections::HashMap;
use std::time::Duration;

use crate::expression::baseline::Baseline;
use crate::scores::Scores;

/// Scores older than this no longer influence new ones.
const FORGET_AFTER: Duration = Duration::from_secs(5);

/// The weighted mean of each face's scores. The weight of a score halves with each half-life. Weights depend on time rather
/// than on the number of frames, so streams of 15 and 60 frames/s behave alike.
#[derive(Debug, Default)]
pub struct ScoreSmoother {
    /// By id of the face.
    faces: HashMap<u32, Smoothed>,
}

/// The mean of one face.
#[derive(Debug)]
struct Smoothed {
    mean: Scores,
    /// Time of the newest scores in `mean`.
    last: Duration,
    /// Time between the newest scores and those before them.
    step: Duration,
}

impl Smoothed {
    fn new(scores: Scores, now: Duration) -> Self {
        Self { mean: scores, last: now, step: Duration::ZERO }
    }

    /// Adds `scores` of the frame at `now`. Late ones, of a frame before the newest scores, get the weight that they would have
    /// now had they been in time.
    fn add(&mut self, scores: &Scores, half_life: Duration, now: Duration) {
        // The mean's weight falls to 0.5^(elapsed half-lives); the new scores get the rest.
        let remainder = |elapsed: Duration| 0.5f32.powf(elapsed.as_secs_f32() / half_life.as_secs_f32());
        let late_by = self.last.saturating_sub(now);
        if late_by.is_zero() {
            (self.step, self.last) = (now - self.last, now);
        }
        self.mean.blend(scores, (1.0 - remainder(self.step)) * remainder(late_by));
    }
}

impl ScoreSmoother {
    /// Adds the scores of face `id` on the frame at `now` and returns the new mean. That frame may be older than that of the last
    /// update, if its classification took longer. With a `half_life` of zero, or if the last update is more than 5 s away, the
    /// mean is `scores`.
    pub fn update(&mut self, id: u32, scores: Scores, half_life: Duration, now: Duration) -> Scores {
        let smoothed = self.faces.entry(id).or_insert_with(|| Smoothed::new(scores.clone(), now));
        let is_other_model = smoothed.mean.as_slice().len() != scores.as_slice().len();
        if half_life.is_zero() || is_other_model || now.abs_diff(smoothed.last) > FORGET_AFTER {
            *smoothed = Smoothed::new(scores, now);
        } else {
            smoothed.add(&scores, half_life, now);
        }
        smoothed.mean.clone()
    }

    /// Forgets faces whose newest scores are more than 5 s older than `now`, or newer than it.
    pub fn forget_old(&mut self, now: Duration) {
        self.faces.retain(|_, smoothed| smoothed.last <= now && now - smoothed.last <= FORGET_AFTER);
    }

    /// Forgets all faces.
    pub fn clear(&mut self) {
        self.faces.clear();
    }
}

/// Factor by which a class must be more probable than the shown one to replace it.
const LABEL_LEAD: f32 = 1.25;
/// By how much that is more once the face's baseline is sure, since a baseline that still moves takes labels across a border.
const BASELINE_LEAD: f32 = 0.1;

/// Index of the class to show: the top class, except that the class `shown` before remains until another is 1.25 times as
/// probable, or up to 1.35 times for scores that are relative to a baseline.
///
/// ```
/// use emotion_core::{expression::smoothing::steady_label, scores::Scores};
/// let scores = Scores::from_probabilities([0.48, 0.52]);
/// assert_eq!((steady_label(&scores, None), steady_label(&scores, Some(0))), (1, 0));
/// ```
pub fn steady_label(scores: &Scores, shown: Option<usize>) -> usize {
    let (top, highest) = scores.top();
    let lead = LABEL_LEAD + BASELINE_LEAD * scores.baseline().map_or(0.0, Baseline::certainty);
    match shown.and_then(|shown| Some((shown, scores.as_slice().get(shown)?))) {
        Some((shown, &score)) if highest < score * lead => shown,
        _ => top,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HALF_LIFE: Duration = Duration::from_millis(200);

    fn first() -> Scores {
        Scores::from_probabilities([1.0, 0.0])
    }

    fn second() -> Scores {
        Scores::from_probabilities([0.0, 1.0])
    }

    #[test]
    fn one_half_life_moves_the_mean_halfway() {
        let mut smoother = ScoreSmoother::default();
        smoother.update(1, first(), HALF_LIFE, Duration::ZERO);
        let mean = smoother.update(1, second(), HALF_LIFE, HALF_LIFE);
        assert!((mean.as_slice()[0] - 0.5).abs() < 1e-6);
    }

    #[test]
    fn the_mean_is_independent_of_the_frame_rate() {
        let run = |step: Duration, count: u32| {
            let mut smoother = ScoreSmoother::default();
            smoother.update(1, first(), HALF_LIFE, Duration::ZERO);
            (1..=count).map(|i| smoother.update(1, second(), HALF_LIFE, step * i)).last().unwrap()
        };
        let (slow, fast) = (run(Duration::from_millis(100), 3), run(Duration::from_millis(10), 30));
        assert!((slow.as_slice()[0] - fast.as_slice()[0]).abs() < 1e-4, "{slow:?} {fast:?}");
    }

    #[test]
    fn faces_are_independent_and_going_back_in_time_starts_over() {
        let mut smoother = ScoreSmoother::default();
        smoother.update(1, first(), HALF_LIFE, Duration::from_secs(1));
        assert_eq!(smoother.update(2, second(), HALF_LIFE, Duration::from_secs(1)), second());
        smoother.forget_old(Duration::ZERO);
        assert_eq!(smoother.update(1, second(), HALF_LIFE, Duration::ZERO), second());
        assert_eq!(
            smoother.update(2, first(), Duration::ZERO, Duration::from_secs(2)),
            first(),
            "without a half-life the scores are returned unchanged"
        );
    }

    #[test]
    fn late_scores_count_as_if_they_had_come_in_time() {
        let frame = |number: u32| HALF_LIFE / 5 * number;
        // On frame 3 the face blinks; the others show the same as frame 0.
        let mean_after = |order: &[u32]| {
            let mut smoother = ScoreSmoother::default();
            let scores = |number| if number == 3 { second() } else { first() };
            order.iter().map(|&number| smoother.update(1, scores(number), HALF_LIFE, frame(number))).last().unwrap()
        };
        let (in_time, late) = (mean_after(&[0, 1, 2, 3, 4, 5, 6]), mean_after(&[0, 1, 2, 4, 5, 6, 3]));
        let (in_time, late) = (in_time.as_slice()[1], late.as_slice()[1]);
        assert!(late > 0.05 && (late - in_time).abs() < 0.01, "{late} instead of {in_time}");
    }

    #[test]
    fn a_label_changes_once_if_scores_waver() {
        let mut shown = None;
        let labels = [0.2, 0.45, 0.52, 0.48, 0.53, 0.47, 0.6, 0.52, 0.48, 0.46].map(|second| {
            shown = Some(steady_label(&Scores::from_probabilities([1.0 - second, second]), shown));
            shown.unwrap()
        });
        assert_eq!(labels, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
        let with_baseline = Scores::from_probabilities([0.43, 0.57]).with_baseline(Some(Duration::from_secs(60)));
        assert_eq!(steady_label(&with_baseline, Some(0)), 0, "no clear lead for scores relative to a baseline");
        assert_eq!(steady_label(&Scores::from_probabilities([0.26, 0.34, 0.2, 0.2]), Some(0)), 1, "a clear lead at low confidence");
        assert_eq!(steady_label(&first(), Some(7)), 0, "a class that this model does not have");
    }

    proptest! {
        #[test]
        fn a_mean_remains_a_probability_vector(
            steps in prop::collection::vec((prop::collection::vec(0.0f32..1.0, 8), 0u64..2_000), 1..30)
        ) {
            let mut smoother = ScoreSmoother::default();
            let mut now = Duration::ZERO;
            for (values, millis) in steps {
                now += Duration::from_millis(millis);
                let mean = smoother.update(7, Scores::from_probabilities(values), HALF_LIFE, now);
                prop_assert!((mean.as_slice().iter().sum::<f32>() - 1.0).abs() < 1e-4);
                prop_assert!(mean.as_slice().iter().all(|value| (0.0..=1.0).contains(value)));
            }
        }
    }
}
