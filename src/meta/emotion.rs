// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fields of a face's scores, which all encodings in structures share: label, label_id, reason, confidence, labels, scores,
//! smoothed, age, baseline, version.

use std::sync::Arc;
use std::time::Duration;

use gst::glib;

use super::field::Field;
use super::value::{Plain, array, double, text, text_address};
use super::{VERSION, intern};
use crate::record::EmotionResult;
use crate::scores::{LabelSet, Scores};

/// `label_id` of a face with the label `unknown`.
const UNKNOWN_ID: i32 = -1;
/// The name of the classifier in the params of a region. DL Streamer wants one, and face records do not name the network.
const CLASSIFIER: &str = "emotionclassify";

static LABEL: Field = Field::new("label");
static LABEL_ID: Field = Field::new("label_id");
static REASON: Field = Field::new("reason");
static CONFIDENCE: Field = Field::new("confidence");
static LABELS: Field = Field::new("labels");
static SCORES: Field = Field::new("scores");
static SMOOTHED: Field = Field::new("smoothed");
static AGE: Field = Field::new("age");
static BASELINE: Field = Field::new("baseline");
static VERSION_FIELD: Field = Field::new("version");

/// Writes the scores of a buffer's faces. The faces mostly share labels and detector name, so their values are made once if
/// the texts are in GLib's string table (see [`super::intern`]). Other texts are copied for each face.
#[derive(Default)]
pub(super) struct Writer {
    labels: Option<(LabelSet, Option<Vec<Plain>>)>,
    name: Option<(Arc<str>, Option<Plain>)>,
    classifier: Option<Plain>,
}

impl Writer {
    /// Sets the fields of `result` on `structure`.
    pub(super) fn set_fields(&mut self, structure: &mut gst::StructureRef, result: &EmotionResult) {
        let labels = self.labels(&result.labels);
        let label = result.label_id.zip(labels).and_then(|(id, labels)| labels.get(id).copied());
        LABEL.set(structure, label.map_or_else(|| text(result.label()), Into::into));
        LABEL_ID.set(structure, Plain::int(result.label_id.map_or(UNKNOWN_ID, |id| id as i32)));
        if let Some(reason) = result.reason {
            REASON.set(structure, Plain::string(reason.as_str()).map_or_else(|| text(reason.as_str()), Into::into));
        }
        CONFIDENCE.set(structure, Plain::double(result.confidence()));
        let copies = || gst::Array::from_values(result.labels.as_slice().iter().map(|label| text(label)));
        LABELS.set(structure, labels.map_or_else(|| glib::SendValue::from_owned(copies()), |labels| array(labels.iter().copied())));
        SCORES.set(structure, array(result.scores.as_slice().iter().map(|&score| Plain::double(score))));
        SMOOTHED.set(structure, Plain::boolean(result.smoothed));
        AGE.set(structure, Plain::nanoseconds(result.age));
        if let Some(baseline) = result.scores.baseline() {
            BASELINE.set(structure, Plain::double(baseline.as_secs_f32()));
        }
        VERSION_FIELD.set(structure, Plain::int(VERSION));
    }

    /// The value of a detector's name; the last one is cached.
    pub(super) fn name(&mut self, name: &Arc<str>) -> glib::SendValue {
        let value = match &self.name {
            Some((last, value)) if Arc::ptr_eq(last, name) || last == name => *value,
            _ => self.name.insert((name.clone(), Plain::string(name))).1,
        };
        value.map_or_else(|| text(name), Into::into)
    }

    /// The value of the classifier's name.
    pub(super) fn classifier(&mut self) -> Plain {
        *self.classifier.get_or_insert_with(|| {
            intern([CLASSIFIER]);
            Plain::string(CLASSIFIER).expect("it is in GLib's string table")
        })
    }

    /// The values of `labels`; none if one of the texts is not in GLib's string table. The last set is cached.
    fn labels(&mut self, labels: &LabelSet) -> Option<&[Plain]> {
        if !self.labels.as_ref().is_some_and(|(last, _)| last.is_same(labels)) {
            let values = labels.as_slice().iter().map(|label| Plain::string(label)).collect();
            self.labels = Some((labels.clone(), values));
        }
        self.labels.as_ref()?.1.as_deref()
    }
}

/// Reads the scores of a buffer's faces. Faces with equal labels or detector names share one set or name.
#[derive(Default)]
pub(super) struct Reader {
    /// The last labels and the addresses of their texts.
    labels: Option<(LabelSet, Vec<Option<usize>>)>,
    name: Option<Arc<str>>,
}

impl Reader {
    /// Reads what [`Writer::set_fields`] wrote; none if labels or scores are missing or differ in number.
    pub(super) fn fields(&mut self, structure: &gst::StructureRef) -> Option<EmotionResult> {
        let labels = self.labels(LABELS.get::<gst::ArrayRef>(structure)?.as_slice())?;
        let scores = SCORES.get::<gst::ArrayRef>(structure)?;
        if labels.is_empty() || labels.len() != scores.len() || scores.iter().any(|score| double(score).is_none()) {
            return None;
        }
        let scores = scores.iter().map(|score| double(score).map_or(0.0, |score| score as f32));
        let label_id = LABEL_ID.get::<i32>(structure).and_then(|id| usize::try_from(id).ok()).filter(|&id| id < labels.len());
        let baseline = BASELINE.get::<f64>(structure).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Some(EmotionResult {
            scores: Scores::from_probabilities(scores).with_baseline(baseline),
            label_id,
            reason: REASON.get::<&str>(structure).and_then(|text| text.parse().ok()).filter(|_| label_id.is_none()),
            smoothed: SMOOTHED.get(structure).unwrap_or(false),
            age: Duration::from_nanos(AGE.get(structure).unwrap_or(0)),
            labels,
        })
    }

    /// The name in `field` of `structure`; empty if there is none.
    pub(super) fn name(&mut self, field: &Field, structure: &gst::StructureRef) -> Arc<str> {
        let name = field.get::<&str>(structure).unwrap_or_default();
        match &self.name {
            Some(last) if **last == *name => last.clone(),
            _ => self.name.insert(name.into()).clone(),
        }
    }

    fn labels(&mut self, values: &[glib::SendValue]) -> Option<LabelSet> {
        if let Some((last, addresses)) = &self.labels {
            // In labels that this plugin wrote, all faces refer to the same texts, so comparing addresses is enough.
            let is_equal = |((label, address), value): ((&String, &Option<usize>), &glib::SendValue)| {
                *address == text_address(value) || value.get::<&str>().is_ok_and(|text| text == label)
            };
            if last.len() == values.len() && last.as_slice().iter().zip(addresses).zip(values).all(is_equal) {
                return Some(last.clone());
            }
        }
        let labels: Vec<String> = values.iter().map(|label| label.get().ok()).collect::<Option<_>>()?;
        let addresses = values.iter().map(text_address).collect();
        Some(self.labels.insert((LabelSet::new(labels), addresses)).0.clone())
    }
}
