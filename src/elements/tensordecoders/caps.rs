// SPDX-License-Identifier: MIT OR Apache-2.0
//! The klass and the caps by which `tensordecodebin` finds decoders.

use gst::glib;
use gst::prelude::*;

/// The klass by which `tensordecodebin` finds decoders.
pub(super) const KLASS: &str = "Tensordecoder/Video";

/// The length of an axis that a network leaves open: `onnxinference` writes 0 for it.
pub(super) fn any_length() -> glib::SendValue {
    gst::IntRange::new(0, i32::MAX).to_send_value()
}

/// An output of a network: its id and the length of each axis.
type Output = (String, Vec<glib::SendValue>);

/// The caps of frames with the float tensors of a group.
pub(super) fn group_caps(group: &str, outputs: impl IntoIterator<Item = Output>) -> gst::Caps {
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
pub(super) fn pad_templates(sink: &gst::Caps) -> Vec<gst::PadTemplate> {
    let src = gst::Caps::new_empty_simple("video/x-raw");
    let template = |name, direction, caps: &gst::Caps| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("the template is valid")
    };
    vec![template("sink", gst::PadDirection::Sink, sink), template("src", gst::PadDirection::Src, &src)]
}
