// SPDX-License-Identifier: MIT OR Apache-2.0
//! Face records with arbitrary content, as readers of foreign metadata may return them.

use std::sync::Arc;
use std::time::Duration;

use emotion_core::face_geometry::{Blendshapes, FaceGeometry, HeadPose, Landmarks70};
use emotion_core::geometry::{Landmarks5, Point, Rect};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord, UnknownReason};
use emotion_core::scores::{LabelSet, Scores};

use crate::input::Input;

pub fn record(input: &mut Input) -> FaceRecord {
    FaceRecord {
        id: if input.one_in(4) { input.integer() as u32 } else { input.below(6) as u32 },
        rect_norm: Rect::new(input.float(), input.float(), input.float(), input.float()),
        detection: input.flag().then(|| detection(input)),
        emotion: input.flag().then(|| emotion(input)),
        geometry: input.flag().then(|| Arc::new(geometry(input))),
        confirmed: input.flag(),
    }
}

fn detection(input: &mut Input) -> DetectionInfo {
    let landmarks_norm = input.flag().then(|| Landmarks5(std::array::from_fn(|_| Point::new(input.float(), input.float()))));
    DetectionInfo { confidence: input.float(), landmarks_norm, model_name: input.text().into(), age: Duration::from_nanos(input.integer()) }
}

fn geometry(input: &mut Input) -> FaceGeometry {
    let mut finite = || input.within(-2.0, 2.0);
    FaceGeometry {
        pose: HeadPose { yaw: 90.0 * finite(), pitch: 45.0 * finite(), roll: 90.0 * finite() },
        landmarks_norm: Landmarks70(std::array::from_fn(|_| Point::new(finite(), finite()))),
        blendshapes: Blendshapes(std::array::from_fn(|_| finite())),
        trust: finite(),
        age: Duration::from_nanos(input.integer()),
        model_name: input.text().into(),
    }
}

/// As readers return it: as many scores as labels, and one of these labels or none.
fn emotion(input: &mut Input) -> EmotionResult {
    let labels = LabelSet::new((0..1 + input.below(5)).map(|_| input.text()).collect::<Vec<_>>());
    let scores = Scores::from_probabilities((0..labels.len()).map(|_| input.float()));
    let label_id = input.flag().then(|| input.below(labels.len()));
    let reason = UnknownReason::ALL.get(input.below(5)).copied().filter(|_| label_id.is_none());
    EmotionResult { label_id, reason, smoothed: input.flag(), age: Duration::from_nanos(input.integer()), labels, scores }
}
