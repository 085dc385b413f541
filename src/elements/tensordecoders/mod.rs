// SPDX-License-Identifier: MIT OR Apache-2.0
//! # emotionfacetensordec, emotionexpressiontensordec
//!
//! Decode the tensors that GStreamer's `onnxinference` gets from this project's networks, from GStreamer 1.28 on.
//! `tensordecodebin` finds them by itself.
//!
//! `emotionfacetensordec` turns the outputs of `models/face/model.onnx` into faces: regions with landmarks, objects, and
//! `GstEmotionMeta`, as `facedetect` writes them, without ids. The frame has the size of the network's input, a multiple of 32
//! in both directions, since `onnxinference` does not scale. The second network, which corrects detections in `facedetect`, is
//! not run.
//!
//! `emotionexpressiontensordec` turns the output `scores` of an expression network into a `GstAnalyticsClsMtd` with all classes,
//! best first. The frame is the picture of one face, 48x48, in grey, as RGB: `onnxinference` takes no grey format.
//!
//! ## Example launch lines
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! videoscale ! video/x-raw,format=RGB,width=320,height=256 ! onnxinference model-file=models/face/model.onnx ! tensordecodebin ! emotionclassify ! emotionoverlay ! videoconvert ! autovideosink
//! ```
//!
//! Since: 0.1. See also: `facedetect`, `emotionclassify`.

mod expression;
mod face;

use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::prelude::*;

/// The klass by which `tensordecodebin` finds decoders.
const KLASS: &str = "Tensordecoder/Video";

glib::wrapper! {
    /// The element `emotionfacetensordec`.
    pub struct EmotionFaceTensorDec(ObjectSubclass<face::EmotionFaceTensorDec>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

glib::wrapper! {
    /// The element `emotionexpressiontensordec`.
    pub struct EmotionExpressionTensorDec(ObjectSubclass<expression::EmotionExpressionTensorDec>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers both elements with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "emotionfacetensordec", gst::Rank::PRIMARY, EmotionFaceTensorDec::static_type())?;
    gst::Element::register(Some(plugin), "emotionexpressiontensordec", gst::Rank::PRIMARY, EmotionExpressionTensorDec::static_type())
}

/// Whether frames have usable tensors, so that a streak without any is logged once.
#[derive(Default)]
struct Complaint(AtomicBool);

impl Complaint {
    /// Logs a new `problem`; none ends the streak.
    fn note(&self, category: gst::DebugCategory, element: &impl IsA<glib::Object>, problem: Option<&String>) {
        let was_noted = self.0.swap(problem.is_some(), Ordering::Relaxed);
        if let Some(problem) = problem.filter(|_| !was_noted) {
            gst::warning!(category, obj = element, "{problem}");
        }
    }
}

/// The length of an axis that a network leaves open: `onnxinference` writes 0 for it.
fn any_length() -> glib::SendValue {
    gst::IntRange::new(0, i32::MAX).to_send_value()
}

/// An output of a network: its id and the length of each axis.
type Output = (String, Vec<glib::SendValue>);

/// The caps of frames with the float tensors of a group.
fn group_caps(group: &str, outputs: impl IntoIterator<Item = Output>) -> gst::Caps {
    let tensors = outputs.into_iter().map(|(id, dims)| {
        gst::Caps::builder("tensor/strided")
            .field("tensor-id", id)
            .field("dims", gst::Array::from_values(dims))
            .field("dims-order", "row-major")
            .field("type", "float32")
            .build()
    });
    let groups = gst::Structure::builder("tensorgroups").field(group, gst::UniqueList::new(tensors)).build();
    gst::Caps::builder("video/x-raw").field("tensors", groups).build()
}

/// Pad templates of a decoder of frames with these caps.
fn pad_templates(sink: &gst::Caps) -> Vec<gst::PadTemplate> {
    let src = gst::Caps::new_empty_simple("video/x-raw");
    let template = |name, direction, caps: &gst::Caps| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("the template is valid")
    };
    vec![template("sink", gst::PadDirection::Sink, sink), template("src", gst::PadDirection::Src, &src)]
}
