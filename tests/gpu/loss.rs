// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device that is lost while it runs: the stream ends with an error, and can be started again.

use std::path::PathBuf;

use gst::prelude::*;
use gst_video::VideoFormat;
use test_support::gstreamer::{buffer, frame_at, init};
use test_support::three_faces;

use crate::WEBGPU;

/// The file whose existence loses the device. `scripts/test gpu` sets it with the driver `shim.c`, in a process of its own.
fn switch() -> Option<PathBuf> {
    std::env::var_os("SHIM_LOSES").map(PathBuf::from)
}

#[test]
#[ignore = "loses the device of the whole process"]
fn a_lost_device_is_an_error_and_the_next_start_has_a_new_one() {
    let switch = switch().expect("scripts/test gpu sets SHIM_LOSES");
    init();
    let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::I420);
    let line = format!("appsrc name=in format=time ! emotionfacedetect {WEBGPU} name=it detect-size=96 ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let source = pipeline.by_name("in").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
    let sink = pipeline.by_name("out").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok()).expect("a sink");
    source.set_caps(Some(&info.to_caps().expect("caps")));
    let wait = gst::ClockTime::from_seconds(120);
    for round in 0..2 {
        pipeline.set_state(gst::State::Playing).expect("a pipeline plays");
        source.push_buffer(frame_at(&frame, 0)).expect("the pipeline takes it");
        assert!(sink.try_pull_sample(wait).is_some(), "the device works, round {round}");
        std::fs::write(&switch, "").expect("a file");
        source.push_buffer(frame_at(&frame, 1)).expect("the pipeline takes it");
        let bus = pipeline.bus().expect("a pipeline has a bus");
        let message = bus.timed_pop_filtered(wait, &[gst::MessageType::Error]).expect("no error within two minutes");
        let gst::MessageView::Error(error) = message.view() else { unreachable!("only errors are left") };
        let text = format!("{} {:?}", error.error(), error.debug());
        assert!(text.contains("it") && text.contains("lost"), "{text}");
        pipeline.set_state(gst::State::Null).expect("a pipeline stops");
        std::fs::remove_file(&switch).expect("the file exists");
    }
}
