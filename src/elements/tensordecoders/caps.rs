// SPDX-License-Identifier: MIT OR Apache-2.0
//! The klass and the caps by which `tensordecodebin` finds decoders.

use gst::glib;
use gst::prelude::*;

/// The klass by which `tensordecodebin` finds decoders.
pub(super) const KLASS: &str = "Tensordecoder/Video";

/// The caps of frames with the outputs that the `.modelinfo` file of a network lists. `onnxinference` makes its caps from the same file,
/// and they have to list the same outputs.
pub(super) fn caps_of(modelinfo: &str) -> gst::Caps {
    let file = glib::KeyFile::new();
    file.load_from_data(modelinfo, glib::KeyFileFlags::NONE).expect("our file is valid");
    let value = |group: &str, key: &str| file.string(group, key).expect("our file has the key");
    let groups = file.groups();
    let outputs = groups.iter().filter(|group| file.string(group, "dir").is_ok_and(|direction| direction == "output"));
    let tensors = outputs.map(|output| {
        gst::Caps::builder("tensor/strided")
            .field("tensor-id", value(output, "id").as_str())
            .field("dims", gst::Array::from_values(value(output, "dims").split(',').map(axis)))
            .field("dims-order", value(output, "dims-order").as_str())
            .field("type", value(output, "type").as_str())
            .build()
    });
    let tensors = gst::UniqueList::new(tensors.collect::<Vec<_>>());
    let groups = gst::Structure::builder("tensorgroups").field(value("modelinfo", "group-id").as_str(), tensors).build();
    gst::Caps::builder("video/x-raw").field("tensors", groups).build()
}

/// The length of an axis; -1 is one that the network leaves open, for which `onnxinference` writes 0 in its caps.
fn axis(length: &str) -> glib::SendValue {
    let length: i32 = length.parse().expect("an axis of our file is a number");
    if length < 0 { gst::IntRange::new(0, i32::MAX).to_send_value() } else { length.to_send_value() }
}

/// Pad templates of a decoder of frames with these caps.
pub(super) fn pad_templates(sink: &gst::Caps) -> Vec<gst::PadTemplate> {
    let src = gst::Caps::new_empty_simple("video/x-raw");
    let template = |name, direction, caps: &gst::Caps| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("the template is valid")
    };
    vec![template("sink", gst::PadDirection::Sink, sink), template("src", gst::PadDirection::Src, &src)]
}
