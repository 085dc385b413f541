// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory use over many frames: all elements, with faces that come and go.

use std::sync::mpsc::channel;

use gst::prelude::*;
use gst_video::VideoFormat;
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{buffer, init};
use test_support::runtime_fetched;

const SIDE: u32 = 96;
/// Number of frames until caches are full and allocators have settled.
const WARM_UP: u64 = 2_500;
const FRAMES: u64 = 10_000;
/// Number of frames with a face, and then without one, so that tracks begin and end.
const STRETCH: u64 = 50;
/// Maximum growth in MiB; a leak of 256 bytes per frame comes to 2.4 MiB.
const MAX_GROWTH_MIB: f64 = 2.0;

/// Resident memory of this process in MiB, without freed memory, which would hide a leak.
fn memory_mib() -> f64 {
    give_back_freed();
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux provides this file");
    let pages: f64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * rustix::param::page_size() as f64 / f64::from(1 << 20)
}

#[allow(unsafe_code)]
fn give_back_freed() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    // SAFETY: the declaration matches the GNU C library, and the function may be called at any time.
    unsafe { malloc_trim(0) };
}

#[test]
fn memory_does_not_grow_over_ten_thousand_frames() {
    if !runtime_fetched() {
        return;
    }
    init();
    let still = ["happiness", "anger"].map(|label| [0.0, 1.0].map(|at| Key::new(at, (SIDE as f32 / 2.0, SIDE as f32 / 2.0), 80.0, label)));
    let scenes = still.map(|keys| Scene::new(SIDE as usize, SIDE as usize).actor(keys.into()).render(0.0));
    let frames: Vec<_> =
        scenes.iter().chain([&vec![40; 3 * (SIDE * SIDE) as usize]]).map(|rgb| buffer(rgb, SIDE, SIDE, VideoFormat::I420)).collect();

    // With a detection interval, faces are tracked on the other frames, so that all code of a frame runs.
    let line = "appsrc name=in format=time block=true max-buffers=4 ! emotionfacedetect detect-size=96 detect-interval=20 \
        ! emotionclassify reclassify-interval=20 ! emotionoverlay draw-ids=true blur-faces=pixelate ! emotionexport name=export ! fakesink sync=false";
    let pipeline = gst::parse::launch(line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let source = pipeline.by_name("in").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
    source.set_caps(Some(&frames[0].1.to_caps().expect("caps")));
    let (arrived, arrivals) = channel();
    let pad = pipeline.by_name("export").and_then(|export| export.static_pad("sink")).expect("a pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let faces = info.buffer().map_or(0, |buffer| buffer.iter_meta::<gst_video::VideoRegionOfInterestMeta>().count());
        arrived.send(faces).expect("the test is there");
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).expect("a pipeline plays");

    let mut next = 0;
    let mut play = |count: u64| {
        let mut faces = 0;
        for index in next..next + count {
            // Two faces, with empty frames in between.
            let (frame, _) = &frames[[0, 2, 1, 2][(index / STRETCH % 4) as usize]];
            let mut frame = frame.copy();
            frame.make_mut().set_pts(gst::ClockTime::from_mseconds(40 * index));
            frame.make_mut().set_duration(gst::ClockTime::from_mseconds(40));
            source.push_buffer(frame).expect("the pipeline takes it");
            faces += arrivals.recv_timeout(std::time::Duration::from_secs(60)).expect("it comes out");
        }
        next += count;
        faces
    };
    play(WARM_UP);
    let before = memory_mib();
    let faces = play(FRAMES);
    let grown = memory_mib() - before;
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    println!("{before:.1} MiB after the warm-up, {grown:+.2} after {FRAMES} frames with {faces} faces");
    assert!(faces as u64 > FRAMES / 3, "{faces} faces");
    assert!(grown < MAX_GROWTH_MIB, "{grown:.2} MiB more after {FRAMES} frames");
}
