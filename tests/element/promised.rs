// SPDX-License-Identifier: MIT OR Apache-2.0
//! The messages on the bus that are promised.

use std::collections::BTreeSet;

use gst::prelude::*;
use gst_check::Harness;
use gst_video::VideoFormat;
use test_support::gstreamer::{buffer, frame_at, init};
use test_support::{promises, runtime_fetched, three_faces};

#[test]
fn the_fields_of_messages_are_kept() {
    if !runtime_fetched() {
        return;
    }
    init();
    let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
    let line = "emotionfacedetect post-messages=every ! facelandmarks post-messages=every ! emotionclassify post-messages=every";
    let mut harness = Harness::new_parse(line);
    harness.set_src_caps(info.to_caps().expect("caps"));
    let bus = gst::Bus::new();
    for name in ["emotionfacedetect", "facelandmarks", "emotionclassify"] {
        harness.find_element(name).expect("an element").set_bus(Some(&bus));
    }
    // Faces of a live stream are confirmed when they were found twice.
    for index in 0..4 {
        harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
    }
    let messages = bus.iter_filtered(&[gst::MessageType::Element]).filter_map(|message| message.structure().map(ToOwned::to_owned));
    let lines: BTreeSet<String> = messages.flat_map(|said| promises::structure_fields(said.name(), &said)).collect();
    promises::assert_kept("messages", lines);
}
