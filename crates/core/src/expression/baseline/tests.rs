// SPDX-License-Identifier: MIT OR Apache-2.0
//! Baselines of made-up faces.

use proptest::prelude::*;

use super::*;

const FRAME: Duration = Duration::from_millis(100);
/// Typical scores of faces that are neutral, happy and sad.
const TYPICAL: [[f32; 3]; 3] = [[0.7, 0.1, 0.2], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]];

/// Means of the classes neutral, happiness and sadness.
fn means() -> ClassMeans {
    let row = |(class, scores): (usize, [f32; 3])| (class, scores.iter().map(|score| (score + FLOOR).ln()).collect());
    ClassMeans { rows: TYPICAL.into_iter().enumerate().map(row).collect(), neutral: Some(0) }
}

/// Scores of a class by somebody whose sadness is this many times as probable as that of others.
fn face(class: usize, sadder: f32) -> Scores {
    let [neutral, happiness, sadness] = TYPICAL[class];
    Scores::from_probabilities([neutral, happiness, sadness * sadder])
}

/// The baseline of a face that shows each of these for two seconds.
fn observe(faces: &[Scores]) -> Baseline {
    let mut baseline = Baseline::new(&faces[0], Duration::ZERO);
    for frame in 1..=20 * faces.len() {
        baseline.observe(&faces[(frame - 1) / 20], 1.0, &means(), FRAME * frame as u32);
    }
    baseline
}

#[test]
fn a_face_that_looks_sad_at_rest_is_neutral_once_its_expressions_were_seen() {
    let resting = face(0, 6.0);
    assert_eq!(resting.top().0, 2, "a network that knows nobody calls it sad");
    let varied: Vec<Scores> = [0, 1, 2, 1, 0, 1, 2, 1, 0].map(|class| face(class, 6.0)).to_vec();
    let baseline = observe(&varied);
    assert_eq!([0, 1, 2].map(|class| baseline.correct(&face(class, 6.0)).top().0), [0, 1, 2]);
}

#[test]
fn a_face_like_others_keeps_its_scores_however_long_it_laughs() {
    let laughing = observe(&vec![face(1, 1.0); 30]);
    for class in 0..3 {
        let (before, after) = (face(class, 1.0), laughing.correct(&face(class, 1.0)));
        assert!(after.top().0 == class && before.difference(&after) < 0.1, "{before:?} became {after:?}");
    }
}

#[test]
fn a_held_expression_counts_once() {
    let seconds = |classes: &[usize]| observe(&classes.iter().map(|&class| face(class, 1.0)).collect::<Vec<_>>()).duration().as_secs_f32();
    let (once, long, varied) = (seconds(&[0]), seconds(&[0; 60]), seconds(&[0, 1].repeat(5)));
    assert!((once - HOLD_S * (1.0 - (-1.0f32).exp())).abs() < 0.01 && long <= HOLD_S + 0.01, "{once} s, {long} s");
    assert!((varied - 10.0 * once).abs() < 0.1, "{varied} s");
}

#[test]
fn one_picture_has_no_baseline_and_a_gap_counts_for_little() {
    let mut baseline = Baseline::new(&face(0, 1.0), Duration::ZERO);
    baseline.observe(&face(0, 1.0), 1.0, &means(), Duration::ZERO);
    assert_eq!(baseline.correct(&face(2, 2.0)), face(2, 2.0).with_baseline(Some(Duration::ZERO)));
    baseline.observe(&face(0, 1.0), 1.0, &means(), Duration::from_secs(60));
    assert!(baseline.duration() < Duration::from_secs(1));
    let known = baseline.clone();
    baseline.observe(&face(2, 1.0), 1.0, &means(), Duration::from_secs(30));
    assert_eq!(baseline.duration(), known.duration(), "a late frame");
}

#[test]
fn a_calibrated_face_is_neutral_at_once() {
    let mut baseline = observe(&[face(1, 6.0)]);
    baseline.calibrate(&face(0, 6.0), &means());
    assert_eq!(baseline.duration(), Duration::from_secs_f32(CALIBRATION_S));
    assert_eq!([0, 1, 2].map(|class| baseline.correct(&face(class, 6.0)).top().0), [0, 1, 2]);
    let before = baseline.clone();
    baseline.calibrate(&face(2, 1.0), &ClassMeans { neutral: None, ..means() });
    assert_eq!(baseline, before, "a model that has no neutral faces");
}

#[test]
fn a_class_without_means_teaches_nothing() {
    let only_neutral = ClassMeans { rows: means().rows[..1].to_vec(), neutral: Some(0) };
    let mut baseline = Baseline::new(&face(1, 1.0), Duration::ZERO);
    for frame in 1..50 {
        baseline.observe(&face(1, 1.0), 1.0, &only_neutral, FRAME * frame);
    }
    assert_eq!(baseline.duration(), Duration::ZERO);
}

proptest! {
    #[test]
    fn corrected_scores_remain_a_probability_vector_and_the_baseline_is_bounded(
        steps in prop::collection::vec((prop::collection::vec(0.0f32..1.0, 3), 0.0f32..=1.0, 0u64..5_000, any::<bool>()), 1..200)
    ) {
        let mut now = Duration::ZERO;
        let mut baseline = Baseline::new(&face(0, 1.0), now);
        for (values, calm, millis, is_calibrated) in steps {
            now += Duration::from_millis(millis);
            let scores = Scores::from_probabilities(values);
            baseline.observe(&scores, calm, &means(), now);
            if is_calibrated && millis < 100 {
                baseline.calibrate(&scores, &means());
            }
            let corrected = baseline.correct(&scores);
            prop_assert!((corrected.as_slice().iter().sum::<f32>() - 1.0).abs() < 1e-4);
            prop_assert!(corrected.as_slice().iter().all(|score| (0.0..=1.0).contains(score)));
            prop_assert!((0.0..=MAX_S + 0.01).contains(&baseline.seconds));
            let deviation = baseline.sum.iter().map(|sum| (sum / baseline.seconds.max(1e-3)).abs());
            prop_assert!(deviation.fold(0.0, f32::max) <= 2.0 * -FLOOR.ln());
        }
    }
}
