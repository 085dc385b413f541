// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionexpressiontensordec`.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::prelude::*;

use super::caps::{KLASS, any_length, group_caps, pad_templates};
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

/// The outputs and their numbers of classes. The first one is decoded: probabilities in the order of FER+'s labels.
const OUTPUTS: [(&str, usize); 3] = [("scores", FERPLUS_LABELS.len()), ("ferplus", FERPLUS_LABELS.len()), ("fer2013", 7)];

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
        let (name, classes) = OUTPUTS[0];
        let tensor = tensors::read(buffer, &tensors::id(tensors::EXPRESSION_GROUP, name));
        let tensor = tensor.ok_or_else(|| format!("no tensor {name} of an expression network"))?;
        if tensor.dims != [1, classes] {
            return Err(format!("{name}: expected the axes {:?}, found {:?}", [1, classes], tensor.dims));
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
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let dims = |classes: usize| vec![any_length(), (classes as i32).to_send_value()];
            let outputs = OUTPUTS.map(|(name, classes)| (tensors::id(tensors::EXPRESSION_GROUP, name), dims(classes)));
            pad_templates(&group_caps(tensors::EXPRESSION_GROUP, outputs))
        });
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
