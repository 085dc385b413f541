// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fields of scores, the same in every encoding: label, label_id, confidence, labels, scores, smoothed, age,
//! version.

use std::time::Duration;

use super::VERSION;
use crate::emotion::{LabelSet, Scores};
use crate::record::EmotionResult;

/// `label_id` of a face that is `unknown`.
const NO_LABEL: i32 = -1;

/// Sets the fields of `result` on `structure`.
pub(super) fn set_fields(structure: &mut gst::StructureRef, result: &EmotionResult) {
    structure.set("label", result.label());
    structure.set("label_id", result.label_id.map_or(NO_LABEL, |id| id as i32));
    structure.set("confidence", f64::from(result.confidence()));
    structure.set("labels", gst::Array::new(result.labels.as_slice().iter().map(String::as_str)));
    structure.set("scores", gst::Array::new(result.scores.as_slice().iter().map(|&score| f64::from(score))));
    structure.set("smoothed", result.smoothed);
    structure.set("age", result.age.as_nanos().min(u128::from(u64::MAX)) as u64);
    structure.set("version", VERSION);
}

/// Reads what [`set_fields`] wrote; none where labels or scores are missing or do not match.
pub(super) fn from_fields(structure: &gst::StructureRef) -> Option<EmotionResult> {
    let labels = structure.get::<gst::Array>("labels").ok()?;
    let labels: Vec<String> = labels.iter().map(|label| label.get::<String>().ok()).collect::<Option<_>>()?;
    let scores = structure.get::<gst::Array>("scores").ok()?;
    let scores: Vec<f32> = scores.iter().map(|score| score.get::<f64>().ok().map(|score| score as f32)).collect::<Option<_>>()?;
    if labels.is_empty() || labels.len() != scores.len() {
        return None;
    }
    let label_id = structure.get::<i32>("label_id").ok().and_then(|id| usize::try_from(id).ok()).filter(|&id| id < labels.len());
    Some(EmotionResult {
        labels: LabelSet::new(labels),
        scores: Scores::from_probabilities(scores),
        label_id,
        smoothed: structure.get("smoothed").unwrap_or(false),
        age: Duration::from_nanos(structure.get("age").unwrap_or(0)),
    })
}
