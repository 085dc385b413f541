// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionexpressiontensordec`.

use std::sync::LazyLock;

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::subclass::prelude::*;

use super::caps::{KLASS, caps_of, pad_templates};
use super::complaint::Complaint;
use crate::meta::{analytics, tensors};
use crate::scores::{FERPLUS_LABELS, LabelSet, Scores};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "emotionexpressiontensordec",
        gst::DebugColorFlags::empty(),
        Some("Decoder of the expression networks' tensors"),
    )
});

/// The output that is decoded: probabilities in the order of FER+'s labels.
const SCORES: &str = "scores";

/// The instance of `emotionexpressiontensordec`.
pub struct EmotionExpressionTensorDec {
    labels: LabelSet,
    complaint: Complaint,
}

impl EmotionExpressionTensorDec {
    /// The scores in the tensors of a frame.
    ///
    /// # Errors
    /// A message if the tensor is missing or has other axes.
    fn scores(&self, buffer: &gst::BufferRef) -> Result<Scores, String> {
        let tensor = tensors::read(buffer, &tensors::id(tensors::EXPRESSION_GROUP, SCORES));
        let tensor = tensor.ok_or_else(|| format!("no tensor {SCORES} of an expression network"))?;
        let expected = [1, FERPLUS_LABELS.len()];
        if tensor.dims != expected {
            return Err(format!("{SCORES}: expected the axes {expected:?}, found {:?}", tensor.dims));
        }
        Ok(Scores::from_probabilities(tensor.values))
    }
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionExpressionTensorDec {
    const NAME: &'static str = "GstEmotionExpressionTensorDec";
    type Type = super::EmotionExpressionTensorDec;
    type ParentType = gst_base::BaseTransform;

    fn new() -> Self {
        Self { labels: LabelSet::new(FERPLUS_LABELS), complaint: Complaint::default() }
    }
}

impl ObjectImpl for EmotionExpressionTensorDec {}

impl GstObjectImpl for EmotionExpressionTensorDec {}

impl ElementImpl for EmotionExpressionTensorDec {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            let what = "Decodes the tensors of this plugin's expression networks, as onnxinference attaches them, to classes";
            gst::subclass::ElementMetadata::new("Expression tensor decoder", KLASS, what, env!("CARGO_PKG_AUTHORS"))
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| pad_templates(&caps_of(emotion_models::EXPRESSION_MODELINFO)));
        &TEMPLATES
    }
}

impl BaseTransformImpl for EmotionExpressionTensorDec {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let scores = self.scores(buffer);
        self.complaint.note(*CAT, &*self.obj(), scores.as_ref().err());
        if let Ok(scores) = scores {
            analytics::write_classification(buffer, &self.labels, &scores);
        }
        Ok(gst::FlowSuccess::Ok)
    }
}
