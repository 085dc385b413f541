// SPDX-License-Identifier: MIT OR Apache-2.0
//! `async=true` with models that take six frames of 60 a second: nothing waits for them.
#![cfg(feature = "plugin")]

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoRegionOfInterestMeta};
use gstemotion::geometry::Size;
use gstemotion::meta::read_faces;
use gstemotion::record::FaceRecord;
use support::gstreamer::{buffer, init, play};
use support::{data, runtime_fetched};

const SIZE: Size = Size::new(320, 240);
const FRAME: Duration = Duration::from_nanos(16_666_667);
/// A face for the slow detector: one box around a bright square of at least twelve pixels.
const SIDE: usize = 12;

fn slow(element: &str) -> String {
    let model = if element == "emotionclassify" { "slow-expression.onnx" } else { "slow-detector.onnx" };
    format!("{element} model-file={}", data(model).display())
}

fn slow_detector() -> String {
    format!("{} iou-threshold=0.05 score-threshold=0.9", slow("emotionfacedetect"))
}

fn harness(line: &str) -> Harness {
    init();
    let mut harness = Harness::new_parse(line);
    harness.set_src_caps_str("video/x-raw,format=GRAY8,width=320,height=240,framerate=60/1");
    harness
}

/// A black frame with a bright square whose top left corner is at `x`, `y`; number `index` at 60 a second.
fn frame(x: usize, y: usize, index: u32) -> gst::Buffer {
    let lit = |n: usize| (x..x + SIDE).contains(&(n % 320)) && (y..y + SIDE).contains(&(n / 320));
    let rgb: Vec<u8> = (0..320 * 240).flat_map(|n| [if lit(n) { 255 } else { 0 }; 3]).collect();
    let (mut frame, _) = buffer(&rgb, 320, 240, VideoFormat::Gray8);
    frame.make_mut().set_pts(gst::ClockTime::try_from(FRAME * index).expect("a time"));
    frame
}

fn count(element: &gst::Element, name: &str) -> u64 {
    element.property::<gst::Structure>("stats").get(name).expect(name)
}

/// Waits until `element` has run its network so often.
fn wait_for(element: &gst::Element, inferences: u64) {
    let start = Instant::now();
    while count(element, "inferred") < inferences {
        assert!(start.elapsed() < Duration::from_secs(60), "{inferences} inferences did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn faces(buffer: &gst::BufferRef) -> Vec<FaceRecord> {
    read_faces(buffer, SIZE)
}

#[test]
fn results_come_on_later_frames_with_their_age() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} async=true", slow_detector()));
    let element = harness.find_element("emotionfacedetect").expect("the element");
    let first = harness.push_and_pull(frame(100, 100, 0)).expect("a frame");
    assert!(faces(&first).is_empty(), "nothing is known yet");
    wait_for(&element, 1);
    let second = harness.push_and_pull(frame(100, 100, 3)).expect("a frame");
    let face = faces(&second).pop().expect("the face of the first frame");
    let age = face.detection.expect("a detection").age;
    assert_eq!((face.id, age), (1, FRAME * 3));
}

#[test]
fn boxes_are_moved_to_the_present_frame() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} async=true", slow_detector()));
    let element = harness.find_element("emotionfacedetect").expect("the element");
    // Four pixels to the right with each frame, a result for every fourth frame.
    for step in 0..8 {
        harness.push_and_pull(frame(40 + 16 * step, 100, 4 * step as u32)).expect("a frame");
        wait_for(&element, step as u64 + 1);
    }
    let out = harness.push_and_pull(frame(40 + 4 * 32, 100, 32)).expect("a frame");
    let face = faces(&out).pop().expect("a face");
    assert_eq!(face.detection.expect("a detection").age, FRAME * 4);
    let center = face.rect_norm.from_norm(SIZE).center();
    let expected = (40 + 4 * 32 + SIDE / 2) as f32;
    assert!((center.x - expected).abs() < 6.0, "{center:?}, 16 pixels moved to {expected}");
}

#[test]
fn a_pushed_buffer_is_never_changed() {
    if !runtime_fetched() {
        return;
    }
    for (line, name) in [
        (format!("{} async=true", slow_detector()), "emotionfacedetect"),
        (format!("{} async=true", slow("emotionclassify")), "emotionclassify"),
    ] {
        let mut harness = harness(&line);
        let element = harness.find_element(name).expect("the element");
        let mut pushed = frame(100, 100, 0);
        VideoRegionOfInterestMeta::add(pushed.make_mut(), "face", (80, 80, 48, 48));
        let pixels = pushed.peek_memory(0).as_ptr();
        let out = harness.push_and_pull(pushed).expect("a frame");
        let metas = |buffer: &gst::BufferRef| {
            let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
            (buffer.iter_meta::<gst::Meta>().count(), regions.map(|meta| meta.params().count()).collect::<Vec<_>>())
        };
        let before = metas(&out);
        assert_eq!(out.peek_memory(0).as_ptr(), pixels, "{name} copied the frame");
        // Whoever writes now must not be seen by the worker, nor wait for it.
        let mut written = out.copy();
        written.make_mut().map_writable().expect("writable").fill(0);
        wait_for(&element, 1);
        assert_eq!(metas(&out), before, "{name} added to a buffer that it had pushed");
        let next = harness.push_and_pull(frame(100, 100, 2)).expect("a frame");
        if name == "emotionfacedetect" {
            assert_eq!(faces(&next).len(), 1, "the worker saw what was written after");
        }
    }
}

#[test]
fn scores_of_the_worker_are_put_on_later_frames() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} async=true min-face-size=1", slow("emotionclassify")));
    let element = harness.find_element("emotionclassify").expect("the element");
    let marked = |index| {
        let mut frame = frame(100, 100, index);
        for (id, x) in [(1, 100), (2, 10)] {
            VideoRegionOfInterestMeta::add(frame.make_mut(), "face", (x, 100, SIDE as u32, SIDE as u32)).set_id(id);
        }
        frame
    };
    let out = harness.push_and_pull(marked(0)).expect("a frame");
    assert!(faces(&out).iter().all(|face| face.emotion.is_none()));
    wait_for(&element, 1);
    let out = harness.push_and_pull(marked(5)).expect("a frame");
    let told: Vec<_> = faces(&out).into_iter().filter_map(|face| face.emotion).map(|e| (e.label().to_string(), e.age)).collect();
    assert_eq!(told, [("bright".to_string(), FRAME * 5), ("dark".to_string(), FRAME * 5)]);
}

#[test]
fn the_newest_frame_wins() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} async=true", slow_detector()));
    let element = harness.find_element("emotionfacedetect").expect("the element");
    harness.push_and_pull(frame(0, 0, 0)).expect("a frame");
    // While the first is searched nine others come; only the last of them is searched after it.
    (1..10).for_each(|index| drop(harness.push_and_pull(frame(20 * index as usize, 100, index)).expect("a frame")));
    wait_for(&element, 2);
    let out = harness.push_and_pull(frame(0, 0, 10)).expect("a frame");
    let ages: Vec<_> = faces(&out).into_iter().filter_map(|face| face.detection).map(|found| found.age).collect();
    assert!(ages.contains(&FRAME), "{ages:?}");
    assert_eq!(count(&element, "frames"), 11);
    assert!(count(&element, "skipped") >= 7, "{}", element.property::<gst::Structure>("stats"));
}

#[test]
fn a_flush_forgets_what_the_worker_has_in_hand() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} async=true", slow_detector()));
    let element = harness.find_element("emotionfacedetect").expect("the element");
    harness.push_and_pull(frame(100, 100, 0)).expect("a frame");
    std::thread::sleep(Duration::from_millis(10)); // it is likely to be begun; if not, the test shows less
    let start = Instant::now();
    assert!(harness.push_event(gst::event::FlushStart::new()));
    assert!(harness.push_event(gst::event::FlushStop::new(true)));
    assert!(harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
    assert!(start.elapsed() < Duration::from_secs(5), "a flush waits for nobody");
    let dark = |index| {
        let (mut dark, _) = buffer(&vec![0; 320 * 240 * 3], 320, 240, VideoFormat::Gray8);
        dark.make_mut().set_pts(gst::ClockTime::try_from(FRAME * index).expect("a time"));
        dark
    };
    for index in 1..30 {
        let out = harness.push_and_pull(dark(index)).expect("a frame");
        assert!(faces(&out).is_empty(), "a face of the time before the flush: {:?}", faces(&out));
        std::thread::sleep(Duration::from_millis(10));
    }
    wait_for(&element, 1);
}

#[test]
fn an_end_and_a_stop_come_through_while_the_worker_is_busy() {
    if !runtime_fetched() {
        return;
    }
    init();
    for _ in 0..3 {
        let line = format!(
            "videotestsrc num-buffers=5 pattern=ball ! video/x-raw,width=320,height=240 ! {} async=true ! {} async=true ! fakesink",
            slow_detector(),
            slow("emotionclassify")
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        play(&pipeline).expect("five frames");
        let start = Instant::now();
        pipeline.set_state(gst::State::Null).expect("a pipeline stops");
        assert!(start.elapsed() < Duration::from_secs(10), "stopping took {:?}", start.elapsed());
    }
}

#[test]
fn latency_is_upstreams_and_in_sync_what_the_work_takes() {
    if !runtime_fetched() {
        return;
    }
    let upstream = gst::ClockTime::from_mseconds(40);
    for element in ["emotionfacedetect", "emotionclassify"] {
        for asynchronous in [true, false] {
            let mut harness = harness(&format!("{} async={asynchronous}", slow(element)));
            harness.set_upstream_latency(upstream);
            let inner = harness.find_element(element).expect("the element");
            let bus = gst::Bus::new();
            inner.set_bus(Some(&bus));
            assert_eq!(harness.query_latency(), Some(upstream), "nothing was measured yet");
            for index in 0..12 {
                let mut frame = frame(100, 100, index);
                VideoRegionOfInterestMeta::add(frame.make_mut(), "face", (80, 80, 48, 48));
                harness.push_and_pull(frame).expect("a frame");
                if asynchronous {
                    wait_for(&inner, u64::from(index) + 1);
                }
            }
            let announced = bus.pop_filtered(&[gst::MessageType::Latency]).is_some();
            let held = harness.query_latency().expect("a latency") - upstream;
            assert_eq!(announced, !asynchronous, "{element}, async={asynchronous}");
            if asynchronous {
                assert_eq!(held, gst::ClockTime::ZERO);
            } else {
                let step = if element == "emotionclassify" { "classify-p50" } else { "detect-p50" };
                assert!(held.useconds() >= count(&inner, step), "{held} is less than one inference");
            }
        }
    }
}

/// When each frame came in, by its time, how long it took to come out, and what was on it.
#[derive(Default)]
struct Log {
    came: HashMap<gst::ClockTime, Instant>,
    held: Vec<Duration>,
    faces: usize,
    scored: usize,
}

#[test]
fn sixty_frames_a_second_do_not_wait_for_slow_models() {
    if !runtime_fetched() {
        return;
    }
    init();
    let line = format!(
        "videotestsrc name=source is-live=true pattern=ball num-buffers=240 ! video/x-raw,format=GRAY8,width=320,height=240,framerate=60/1 ! \
         {} name=detect async=true ! {} name=classify async=true ! fakesink name=sink sync=false",
        slow_detector(),
        slow("emotionclassify")
    );
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let log = Arc::new(Mutex::new(Log::default()));
    let pad = |element: &str, pad: &str| pipeline.by_name(element).and_then(|element| element.static_pad(pad)).expect("a pad");
    let entry = log.clone();
    pad("detect", "sink").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let pts = info.buffer().and_then(|buffer| buffer.pts()).expect("a time");
        entry.lock().expect("a log").came.insert(pts, Instant::now());
        gst::PadProbeReturn::Ok
    });
    let exit = log.clone();
    pad("sink", "sink").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().expect("a buffer");
        let mut log = exit.lock().expect("a log");
        let held = log.came[&buffer.pts().expect("a time")].elapsed();
        log.held.push(held);
        let faces = faces(buffer);
        log.faces += faces.len();
        log.scored += faces.iter().filter(|face| face.emotion.is_some()).count();
        gst::PadProbeReturn::Ok
    });
    play(&pipeline).expect("four seconds");
    let [detect, classify] =
        ["detect", "classify"].map(|name| pipeline.by_name(name).expect("an element").property::<gst::Structure>("stats"));
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");

    let mut log = log.lock().expect("a log");
    println!("{detect}\n{classify}");
    assert_eq!(log.held.len(), 240, "frames were lost");
    let mut models = Duration::ZERO;
    for (stats, step) in [(&detect, "detect-p50"), (&classify, "classify-p50")] {
        let model = Duration::from_micros(stats.get(step).expect(step));
        assert!(model > 2 * FRAME, "the model is not slow: {stats}");
        assert!(stats.get::<u64>("inferred").expect("a count") > 5, "{stats}");
        models += model;
    }
    log.held.sort_unstable();
    let [median, most] = [50, 90].map(|share| log.held[log.held.len() * share / 100]);
    println!("held {median:?} (median), {most:?} (p90), models {models:?}; {} faces, {} scored", log.faces, log.scored);
    assert!(most < models / 4, "90 of 100 frames were held for up to {most:?}, the models take {models:?}");
    assert!(log.faces > 100 && log.scored > 0, "{} faces, {} scored", log.faces, log.scored);
}
