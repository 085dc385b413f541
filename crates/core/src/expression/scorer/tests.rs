// SPDX-License-Identifier: MIT OR Apache-2.0
//! The keeper of scores with made-up scores.

use std::sync::Arc;

use super::*;
use crate::face_geometry::{Blendshapes, FaceGeometry, HeadPose, Landmarks70};
use crate::geometry::{Point, Rect};
use crate::image::{Colorimetry, PixelFormat, Plane};

const SELECTION: Selection = Selection { interval_frames: 1, budget: 16, min_face_size: 1.0, motion_gate: None, time_budget: None };
const OPTIONS: ScoringOptions = ScoringOptions {
    selection: SELECTION,
    half_life: Duration::ZERO,
    min_confidence: 0.0,
    pose_limits: PoseLimits { yaw: None, pitch: None },
};
const VGA: Size = Size::new(640, 480);

/// The faces to classify on a grey frame of `size` with stripes of this width, given the ids of the faces on arrival and their
/// boxes; then also their ids.
fn choose(
    scorer: &mut FaceScorer,
    (size, stripes): (Size, usize),
    rects_px: &[(u32, Rect)],
    options: &ScoringOptions,
    time_ms: u64,
) -> (Batch, Vec<u32>) {
    let record = |&(id, rect): &(u32, Rect)| FaceRecord {
        id,
        rect_norm: rect.to_norm(size),
        detection: None,
        emotion: None,
        geometry: None,
        confirmed: true,
    };
    let mut faces: Vec<_> = rects_px.iter().map(record).collect();
    let data: Vec<u8> = (0..(size.width * size.height) as usize).map(|at| (at / stripes % 2 * 100) as u8).collect();
    let plane = Plane { data: &data, stride: size.width as usize };
    let view = FrameView::new(PixelFormat::Gray8, size, &[plane], Colorimetry::default()).unwrap();
    let batch = scorer.choose(&view, &mut faces, options, Duration::from_millis(time_ms));
    (batch, faces.iter().map(|face| face.id).collect())
}

/// The ids of the faces on a frame of `size`, given their ids on arrival and their boxes.
fn ids(scorer: &mut FaceScorer, size: Size, rects_px: &[(u32, Rect)], time_ms: u64) -> Vec<u32> {
    choose(scorer, (size, 16), rects_px, &OPTIONS, time_ms).1
}

#[test]
fn a_face_that_looks_the_same_is_classified_once_in_an_idle_interval_and_its_scores_settle() {
    let mut scorer = FaceScorer::new(LabelSet::new(["neutral", "happiness"]));
    let half_life = Duration::from_micros(72_727); // 40 ms for a still mouth
    let selection = Selection { motion_gate: Some(Duration::from_millis(200)), ..SELECTION };
    let gated = ScoringOptions { selection, half_life, ..OPTIONS };
    let face = [(1, Rect::new(20.0, 20.0, 100.0, 100.0))];
    let mut frame = |time_ms, stripes, score| {
        let (batch, _) = choose(&mut scorer, (VGA, stripes), &face, &gated, time_ms);
        let number = batch.faces.len();
        assert_eq!(number + batch.unchanged(), 1);
        scorer.store(&batch, vec![Scores::from_probabilities([1.0 - score, score]); number], Duration::ZERO, &gated);
        let last = &scorer.results.get(1).expect("it was classified").result;
        (number, last.scores.as_slice()[1], last.label)
    };
    assert_eq!(frame(0, 16, 0.0), (1, 0.0, 0));
    assert_eq!(frame(40, 16, 1.0), (0, 0.0, 0), "not classified");
    let (classified, score, label) = frame(80, 40, 1.0);
    assert!(classified == 1 && (score - 0.5).abs() < 1e-3 && label == 0, "classified again: {score}");
    let (classified, score, label) = frame(160, 40, 0.0);
    assert!(classified == 0 && (score - 0.875).abs() < 1e-3 && label == 1, "the last scores hold: {score}");
    assert_eq!(frame(240, 40, 1.0).0, 0);
    assert_eq!(frame(280, 40, 1.0).0, 1, "idle");
}

#[test]
fn a_time_budget_limits_the_number_of_faces_by_their_measured_duration() {
    let mut scorer = FaceScorer::new(LabelSet::new(["neutral"]));
    let faces: Vec<_> = (1..=6).map(|id| (id, Rect::new(60.0 * id as f32, 20.0, 50.0, 50.0))).collect();
    let mut classified = |time_ms, budget_ms: u64, duration_ms: u64| {
        let selection = Selection { time_budget: Some(Duration::from_millis(budget_ms)), ..SELECTION };
        let options = ScoringOptions { selection, ..OPTIONS };
        let (batch, _) = choose(&mut scorer, (VGA, 16), &faces, &options, time_ms);
        let number = batch.faces.len();
        let scores = vec![Scores::from_probabilities([1.0]); number];
        scorer.store(&batch, scores, Duration::from_millis(duration_ms) * number as u32, &options);
        number
    };
    assert_eq!(classified(0, 10, 3), 6, "nothing is measured yet");
    assert_eq!([classified(40, 10, 3), classified(80, 2, 3), classified(120, 100, 3)], [3, 1, 6]);
}

#[test]
fn a_face_of_a_newer_batch_stays_pending_when_an_older_one_is_given_up() {
    let mut scorer = FaceScorer::new(LabelSet::new(["neutral"]));
    let faces = [(1, Rect::new(20.0, 20.0, 50.0, 50.0))];
    let seldom = ScoringOptions { selection: Selection { interval_frames: 2, ..SELECTION }, ..OPTIONS };
    let frame = |scorer: &mut FaceScorer, time_ms| choose(scorer, (VGA, 16), &faces, &seldom, time_ms).0;
    let older = frame(&mut scorer, 0);
    assert_eq!((older.faces.len(), frame(&mut scorer, 40).faces.len()), (1, 0));
    let newer = frame(&mut scorer, 80);
    assert_eq!(newer.faces.len(), 1);
    scorer.results().give_up(&older);
    assert_eq!(frame(&mut scorer, 120).faces.len(), 0, "the newer batch is being classified");
    scorer.results().give_up(&newer);
    assert_eq!(frame(&mut scorer, 160).faces.len(), 1, "nothing is known of the face");
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

#[test]
fn a_face_beyond_the_limits_of_the_pose_is_unknown_and_keeps_its_scores() {
    let mut scorer = FaceScorer::new(LabelSet::new(["neutral", "happiness"]));
    let face = [(1, Rect::new(20.0, 20.0, 100.0, 100.0))];
    let (batch, _) = choose(&mut scorer, (VGA, 16), &face, &OPTIONS, 0);
    scorer.store(&batch, vec![Scores::from_probabilities([0.25, 0.75])], Duration::ZERO, &OPTIONS);
    let shown = |pose_limits: PoseLimits, yaw: f32, pitch: f32, trust: f32| {
        let geometry = FaceGeometry {
            pose: HeadPose { yaw, pitch, roll: 170.0 },
            landmarks_norm: Landmarks70([Point::default(); 70]),
            blendshapes: Blendshapes::default(),
            trust,
            age: Duration::ZERO,
            model_name: "test".into(),
        };
        let mut faces = batch.faces.clone();
        faces[0].geometry = Some(Arc::new(geometry));
        scorer.complete(&mut faces, VGA, &ScoringOptions { pose_limits, ..OPTIONS }, Duration::ZERO);
        let result = faces[0].emotion.clone().expect("scores");
        assert_eq!(result.scores.as_slice(), [0.25, 0.75]);
        (result.label().to_owned(), result.reason)
    };
    let (label, turned) = (("happiness".to_owned(), None), ("unknown".to_owned(), Some(UnknownReason::Turned)));
    let limits = PoseLimits { yaw: Some(60.0), pitch: Some(40.0) };
    assert_eq!(shown(limits, -70.0, 0.0, 0.9), turned);
    assert_eq!(shown(limits, 0.0, 45.0, 0.9), turned);
    assert_eq!(shown(limits, 60.0, -40.0, 0.9), label);
    assert_eq!(shown(limits, 70.0, 0.0, 0.05), label, "the pose itself is uncertain");
    assert_eq!(shown(PoseLimits::default(), 90.0, 0.0, 0.9), label, "a model without limits");
}

#[test]
fn a_baseline_is_forgotten_on_request_and_with_its_face() {
    let (calm, sad) = ([0.4, 0.1, 0.5], [0.1, 0.1, 0.8]);
    let toml = "name = 'x'\ntask = 'expression'\n[input]\nname = 'input'\n[[output]]\nname = 'scores'\nlabels = ['neutral', 'happiness', \
                'sadness']\nmean_log_scores = {neutral = [-0.3, -2.2, -1.6], happiness = [-2.2, -0.2, -2.2], sadness = [-1.2, -2.2, -0.5]}";
    let description = crate::model::ModelDescription::parse(std::path::Path::new("x"), toml).unwrap();
    let output = &description.outputs[0];
    let (mut scorer, means) = (FaceScorer::new(LabelSet::new(output.labels.clone())), ClassMeans::of(output).map(Arc::new));
    scorer.set_baseline(means.clone());
    let face = [(1, Rect::new(20.0, 20.0, 100.0, 100.0))];
    let frame = |scorer: &mut FaceScorer, time_ms, scores: [f32; 3]| {
        let (batch, _) = choose(scorer, (VGA, 16), &face, &OPTIONS, time_ms);
        scorer.store(&batch, vec![Scores::from_probabilities(scores)], Duration::ZERO, &OPTIONS);
        let mut faces = batch.faces;
        scorer.complete(&mut faces, VGA, &OPTIONS, Duration::from_millis(time_ms));
        let emotion = faces.remove(0).emotion.expect("it was scored");
        (emotion.label().to_owned(), emotion.scores.baseline().map(|duration| duration.as_secs()))
    };
    assert_eq!(frame(&mut scorer, 0, calm), ("sadness".into(), Some(0)), "nothing is known");
    scorer.calibrate(1);
    assert_eq!(frame(&mut scorer, 40, calm), ("neutral".into(), Some(12)));
    assert_eq!(frame(&mut scorer, 80, sad), ("sadness".into(), Some(12)));
    scorer.reset_baseline(1);
    assert_eq!(frame(&mut scorer, 120, calm), ("sadness".into(), Some(0)));
    scorer.calibrate(1);
    scorer.calibrate(2);
    scorer.set_baseline(None);
    assert_eq!(frame(&mut scorer, 160, calm), ("sadness".into(), None), "switched off");
    scorer.calibrate(1);
    scorer.set_baseline(means);
    assert_eq!(frame(&mut scorer, 240, calm), ("sadness".into(), Some(0)), "it starts anew");
    scorer.calibrate(1);
    assert_eq!(frame(&mut scorer, 9_000, calm), ("sadness".into(), Some(0)), "the track is long over");
}
