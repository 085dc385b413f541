// SPDX-License-Identifier: MIT OR Apache-2.0
//! `async=true`: frames do not wait for the models.

use std::time::Duration;

use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoRegionOfInterestMeta};
use gstemotion::meta::read_faces;
use test_support::gate::Gate;
use test_support::gstreamer::{buffer, count, flush, init, play, wait_for};
use test_support::{data, runtime_fetched};

const SIZE: Size = Size::new(320, 240);
const FRAME: Duration = Duration::from_nanos(16_666_667);
/// Side of a square that the slow detector detects as a face: it finds one box around a bright square of at least 12 px.
const SIDE: usize = 12;

/// An element with a slow network that runs on each frame, whether something changed or not.
fn slow(element: &str) -> String {
    let model = if element == "emotionclassify" { "slow-expression.onnx" } else { "slow-detector.onnx" };
    format!("{element} motion-gate=false model-file={}", data(model).display())
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

/// A black frame with a bright square at `(x, y)`, as number `index` of a stream of 60 frames per second.
fn frame(x: usize, y: usize, index: u32) -> gst::Buffer {
    let lit = |n: usize| (x..x + SIDE).contains(&(n % 320)) && (y..y + SIDE).contains(&(n / 320));
    let rgb: Vec<u8> = (0..320 * 240).flat_map(|n| [if lit(n) { 255 } else { 0 }; 3]).collect();
    let (mut frame, _) = buffer(&rgb, 320, 240, VideoFormat::Gray8);
    frame.make_mut().set_pts(gst::ClockTime::try_from(FRAME * index).expect("a time"));
    frame
}

fn faces(buffer: &gst::BufferRef) -> Vec<FaceRecord> {
    read_faces(buffer, SIZE)
}

#[test]
fn results_are_attached_to_later_frames_with_their_age() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} name=later async=true", slow_detector()));
    let element = harness.find_element("emotionfacedetect").expect("the element");
    let gate = Gate::new("later");
    let first = harness.push_and_pull(frame(100, 100, 0)).expect("a frame");
    assert!(faces(&first).is_empty(), "no result yet");
    gate.open();
    wait_for(&element, 1);
    gate.close();
    let second = harness.push_and_pull(frame(100, 100, 3)).expect("a frame");
    let face = faces(&second).pop().expect("the face of the first frame");
    let age = face.detection.expect("a detection").age;
    assert_eq!((face.id, age), (1, FRAME * 3));
}

#[test]
fn boxes_are_predicted_for_the_current_frame() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} name=predicted async=true", slow_detector()));
    let element = harness.find_element("emotionfacedetect").expect("the element");
    // The face moves right by 4 pixels per frame; every fourth frame is searched.
    for step in 0..8 {
        harness.push_and_pull(frame(40 + 16 * step, 100, 4 * step as u32)).expect("a frame");
        wait_for(&element, step as u64 + 1);
    }
    let _gate = Gate::new("predicted");
    let out = harness.push_and_pull(frame(40 + 4 * 32, 100, 32)).expect("a frame");
    let face = faces(&out).pop().expect("a face");
    assert_eq!(face.detection.expect("a detection").age, FRAME * 4);
    let center = face.rect_norm.from_norm(SIZE).center();
    let expected = (40 + 4 * 32 + SIDE / 2) as f32;
    assert!((center.x - expected).abs() < 6.0, "{center:?}, expected {expected} after 16 px");
}

#[test]
fn a_pushed_buffer_is_never_modified() {
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
        // A later write is neither seen by the worker nor blocked by it.
        let mut written = out.copy();
        written.make_mut().map_writable().expect("writable").fill(0);
        wait_for(&element, 1);
        assert_eq!(metas(&out), before, "{name} added to a buffer that it had pushed");
        let next = harness.push_and_pull(frame(100, 100, 2)).expect("a frame");
        if name == "emotionfacedetect" {
            assert_eq!(faces(&next).len(), 1, "the worker saw a later write");
        }
    }
}

#[test]
fn scores_are_attached_to_later_frames() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} name=scored async=true min-face-size=1", slow("emotionclassify")));
    let element = harness.find_element("emotionclassify").expect("the element");
    let marked = |index| {
        let mut frame = frame(100, 100, index);
        for (id, x) in [(1, 100), (2, 10)] {
            VideoRegionOfInterestMeta::add(frame.make_mut(), "face", (x, 100, SIDE as u32, SIDE as u32)).set_id(id);
        }
        frame
    };
    let gate = Gate::new("scored");
    let out = harness.push_and_pull(marked(0)).expect("a frame");
    assert!(faces(&out).iter().all(|face| face.expression().is_none()));
    gate.open();
    wait_for(&element, 1);
    gate.close();
    let out = harness.push_and_pull(marked(5)).expect("a frame");
    let told: Vec<_> = faces(&out).into_iter().filter_map(|face| face.emotion).map(|e| (e.label().to_string(), e.age)).collect();
    assert_eq!(told, [("bright".to_string(), FRAME * 5), ("dark".to_string(), FRAME * 5)]);
}

#[test]
fn scores_of_an_earlier_prior_are_dropped() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} name=prior async=true min-face-size=1", slow("emotionclassify")));
    let element = harness.find_element("emotionclassify").expect("the element");
    let marked = |index| {
        let mut frame = frame(100, 100, index);
        VideoRegionOfInterestMeta::add(frame.make_mut(), "face", (100, 100, SIDE as u32, SIDE as u32)).set_id(1);
        frame
    };
    let mut scored = |index| {
        let out = harness.push_and_pull(marked(index)).expect("a frame");
        faces(&out).iter().filter_map(|face| face.expression().map(|emotion| emotion.age)).collect::<Vec<_>>()
    };
    let gate = Gate::new("prior");
    assert!(scored(0).is_empty());
    gate.wait_for_worker();
    // The worker has the first frame, with the prior at that time.
    element.set_property_from_str("prior", "balanced");
    gate.open();
    wait_for(&element, 1);
    gate.close();
    assert!(scored(1).is_empty(), "the scores of the first frame are those of another prior");
    gate.open();
    wait_for(&element, 2);
    assert_eq!(scored(2), [FRAME]);
}

#[test]
fn the_worker_takes_the_newest_frame() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} name=newest async=true", slow_detector()));
    let element = harness.find_element("emotionfacedetect").expect("the element");
    let gate = Gate::new("newest");
    harness.push_and_pull(frame(0, 0, 0)).expect("a frame");
    gate.wait_for_worker();
    // Nine frames arrive while the first is searched. Only the last of them is searched next.
    (1..10).for_each(|index| drop(harness.push_and_pull(frame(20 * index as usize, 100, index)).expect("a frame")));
    gate.open();
    wait_for(&element, 2);
    gate.close();
    let out = harness.push_and_pull(frame(0, 0, 10)).expect("a frame");
    let ages: Vec<_> = faces(&out).into_iter().filter_map(|face| face.detection).map(|found| found.age).collect();
    assert!(ages.contains(&FRAME), "{ages:?}");
    assert_eq!((count(&element, "frames"), count(&element, "skipped")), (11, 8));
}

#[test]
fn a_flush_does_not_wait_and_discards_the_running_job() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = harness(&format!("{} name=flushed async=true", slow_detector()));
    let element = harness.find_element("emotionfacedetect").expect("the element");
    let gate = Gate::new("flushed");
    harness.push_and_pull(frame(100, 100, 0)).expect("a frame");
    gate.wait_for_worker();
    flush(&mut harness);
    let dark = |index| {
        let (mut dark, _) = buffer(&vec![0; 320 * 240 * 3], 320, 240, VideoFormat::Gray8);
        dark.make_mut().set_pts(gst::ClockTime::try_from(FRAME * index).expect("a time"));
        dark
    };
    // Opened before the next frame, whose own result would hide that of the flushed one.
    gate.open();
    for done in 1..4 {
        wait_for(&element, done);
        let out = harness.push_and_pull(dark(done as u32)).expect("a frame");
        assert!(faces(&out).is_empty(), "a face from before the flush: {:?}", faces(&out));
    }
}

#[test]
fn eos_passes_busy_workers_and_a_stop_waits_for_them() {
    if !runtime_fetched() {
        return;
    }
    init();
    let line = format!(
        "videotestsrc num-buffers=5 pattern=ball ! video/x-raw,width=320,height=240 ! {} name=ended async=true ! {} async=true ! fakesink",
        slow_detector(),
        slow("emotionclassify")
    );
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let gate = Gate::new("ended");
    play(&pipeline).expect("five frames and EOS while the worker holds the first frame");
    gate.wait_for_worker();
    let stopping = std::thread::spawn(move || pipeline.set_state(gst::State::Null));
    gate.open();
    stopping.join().expect("no panic").expect("a pipeline stops");
}

#[test]
fn only_synchronous_elements_add_latency() {
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
            assert_eq!(harness.query_latency(), Some(upstream), "no inference was measured yet");
            for index in 0..20 {
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

#[test]
fn frames_pass_while_both_workers_are_busy() {
    if !runtime_fetched() {
        return;
    }
    let line = format!("{} name=passed-detect async=true ! {} name=passed-classify async=true", slow_detector(), slow("emotionclassify"));
    let mut harness = harness(&line);
    let [detect, classify] = ["emotionfacedetect", "emotionclassify"].map(|name| harness.find_element(name).expect("the element"));
    let gates = ["passed-detect", "passed-classify"].map(Gate::new);
    let marked = |index| {
        let mut frame = frame(100, 100, index);
        VideoRegionOfInterestMeta::add(frame.make_mut(), "face", (80, 80, 48, 48)).set_id(1000);
        frame
    };
    for index in 0..20 {
        let out = harness.push_and_pull(marked(index)).expect("a frame");
        assert_eq!((faces(&out).len(), faces(&out)[0].expression().is_some()), (1, false), "no result yet");
    }
    gates.iter().for_each(Gate::wait_for_worker);
    let counts = |element| ["frames", "inferred", "skipped"].map(|name| count(element, name));
    // The worker holds one frame, and one waits.
    assert_eq!((counts(&detect), counts(&classify)), ([20, 0, 18], [20, 0, 18]));
    gates.iter().for_each(Gate::open);
    [&detect, &classify].into_iter().for_each(|element| wait_for(element, 1));
    let out = harness.push_and_pull(marked(20)).expect("a frame");
    let found = faces(&out);
    assert!(found.iter().any(|face| face.detection.is_some()), "the detected face is on a later frame: {found:?}");
    assert!(found.iter().any(|face| face.expression().is_some()), "the scores are on a later frame: {found:?}");
}
