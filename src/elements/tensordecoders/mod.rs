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
//! Since: 1.0. See also: `facedetect`, `emotionclassify`.

mod caps;
mod complaint;
mod expression;
mod face;

use gst::glib;
use gst::prelude::*;

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
