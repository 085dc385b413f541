// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fields of scores, the same in every encoding: label, label_id, confidence, labels, scores, smoothed, age,
//! version.

use std::sync::Arc;
use std::time::Duration;

use gst::glib;

use super::VERSION;
use super::field::Field;
use super::value::{Plain, array, double, text, text_address};
use crate::record::EmotionResult;
use crate::scores::{LabelSet, Scores};

/// `label_id` of a face that is `unknown`.
const NO_LABEL: i32 = -1;

static LABEL: Field = Field::new("label");
static LABEL_ID: Field = Field::new("label_id");
static CONFIDENCE: Field = Field::new("confidence");
static LABELS: Field = Field::new("labels");
static SCORES: Field = Field::new("scores");
static SMOOTHED: Field = Field::new("smoothed");
static AGE: Field = Field::new("age");
static VERSION_FIELD: Field = Field::new("version");

/// Writes what the faces of a buffer mostly have in common, labels and the detector's name, as values that are made once if
/// [`super::intern`] knows the texts. Texts of others are copied each time.
#[derive(Default)]
pub(super) struct Writer {
    labels: Option<(LabelSet, Option<Vec<Plain>>)>,
    name: Option<(Arc<str>, Option<Plain>)>,
}

impl Writer {
    /// Sets the fields of `result` on `structure`.
    pub(super) fn set_fields(&mut self, structure: &mut gst::StructureRef, result: &EmotionResult) {
        let known = self.labels(&result.labels);
        let label = result.label_id.zip(known).and_then(|(id, known)| known.get(id).copied());
        LABEL.set(structure, label.map_or_else(|| text(result.label()), Into::into));
        LABEL_ID.set(structure, Plain::int(result.label_id.map_or(NO_LABEL, |id| id as i32)));
        CONFIDENCE.set(structure, Plain::double(result.confidence()));
        let copies = || gst::Array::from_values(result.labels.as_slice().iter().map(|label| text(label)));
        LABELS.set(structure, known.map_or_else(|| glib::SendValue::from_owned(copies()), |known| array(known.iter().copied())));
        SCORES.set(structure, array(result.scores.as_slice().iter().map(|&score| Plain::double(score))));
        SMOOTHED.set(structure, Plain::boolean(result.smoothed));
        AGE.set(structure, Plain::nanoseconds(result.age));
        VERSION_FIELD.set(structure, Plain::int(VERSION));
    }

    /// The value of a name that this writer may have made before.
    pub(super) fn name(&mut self, name: &Arc<str>) -> glib::SendValue {
        let known = match &self.name {
            Some((known, value)) if Arc::ptr_eq(known, name) || known == name => *value,
            _ => self.name.insert((name.clone(), Plain::string(name))).1,
        };
        known.map_or_else(|| text(name), Into::into)
    }

    fn labels(&mut self, labels: &LabelSet) -> Option<&[Plain]> {
        if !self.labels.as_ref().is_some_and(|(known, _)| known.is_same(labels)) {
            let values = labels.as_slice().iter().map(|label| Plain::string(label)).collect();
            self.labels = Some((labels.clone(), values));
        }
        self.labels.as_ref()?.1.as_deref()
    }
}

/// Reads the faces of one buffer; those with the same labels or detector share one set or name.
#[derive(Default)]
pub(super) struct Reader {
    /// The last labels and where they were.
    labels: Option<(LabelSet, Vec<Option<usize>>)>,
    name: Option<Arc<str>>,
}

impl Reader {
    /// Reads what [`Writer::set_fields`] wrote; none where labels or scores are missing or do not match.
    pub(super) fn fields(&mut self, structure: &gst::StructureRef) -> Option<EmotionResult> {
        let labels = self.labels(LABELS.get::<gst::ArrayRef>(structure)?.as_slice())?;
        let scores = SCORES.get::<gst::ArrayRef>(structure)?;
        if labels.is_empty() || labels.len() != scores.len() || scores.iter().any(|score| double(score).is_none()) {
            return None;
        }
        let scores = scores.iter().map(|score| double(score).map_or(0.0, |score| score as f32));
        let label_id = LABEL_ID.get::<i32>(structure).and_then(|id| usize::try_from(id).ok()).filter(|&id| id < labels.len());
        Some(EmotionResult {
            scores: Scores::from_probabilities(scores),
            label_id,
            smoothed: SMOOTHED.get(structure).unwrap_or(false),
            age: Duration::from_nanos(AGE.get(structure).unwrap_or(0)),
            labels,
        })
    }

    /// The name in the `field` of `structure`; empty without one.
    pub(super) fn name(&mut self, field: &Field, structure: &gst::StructureRef) -> Arc<str> {
        let name = field.get::<&str>(structure).unwrap_or_default();
        match &self.name {
            Some(known) if **known == *name => known.clone(),
            _ => self.name.insert(name.into()).clone(),
        }
    }

    fn labels(&mut self, values: &[glib::SendValue]) -> Option<LabelSet> {
        if let Some((known, places)) = &self.labels {
            // What this plugin wrote is at the same place in every face.
            let same = |((known, place), value): ((&String, &Option<usize>), &glib::SendValue)| {
                *place == text_address(value) || value.get::<&str>().is_ok_and(|given| given == known)
            };
            if known.len() == values.len() && known.as_slice().iter().zip(places).zip(values).all(same) {
                return Some(known.clone());
            }
        }
        let labels: Vec<String> = values.iter().map(|label| label.get().ok()).collect::<Option<_>>()?;
        let places = values.iter().map(text_address).collect();
        Some(self.labels.insert((LabelSet::new(labels), places)).0.clone())
    }
}
