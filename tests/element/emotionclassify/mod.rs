// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionclassify` with pushed buffers: faces of any detector, in any format.

mod baseline;
mod budget;
mod ids;
mod lateness;
mod motion_gate;

use std::time::Duration;

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::{FaceRecord, UnknownReason};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};
use gstemotion::elements::frame::FORMATS;
use gstemotion::meta::{custom, read_faces, roi};
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{Stage, buffer, count, flush, frame_at, init, play};
use test_support::{repository, runtime_fetched, three_faces};

const VGA: Size = Size::new(640, 480);
const NAMES: [&str; 3] = ["neutral", "happiness", "surprise"];

/// The element without its motion gate, as these tests show it still pictures.
fn harness(info: &VideoInfo, properties: &[(&str, &str)]) -> Harness {
    init();
    let mut harness = Harness::new("emotionclassify");
    let element = harness.element().expect("an element");
    element.set_property("motion-gate", false);
    properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
    harness.set_src_caps(info.to_caps().expect("caps"));
    harness
}

/// The three faces as a frame of `format`, with a plain region for each, as an application may add it.
fn frame(format: VideoFormat) -> (gst::Buffer, VideoInfo) {
    let (mut frame, info) = buffer(&three_faces().render(0.0), 640, 480, format);
    three_faces().appearances(0.0).iter().for_each(|shown| mark(frame.make_mut(), shown.face));
    (frame, info)
}

fn mark(frame: &mut gst::BufferRef, face: Rect) {
    VideoRegionOfInterestMeta::add(frame, "face", (face.x as u32, face.y as u32, face.w as u32, face.h as u32));
}

fn faces(buffer: &gst::BufferRef) -> Vec<FaceRecord> {
    read_faces(buffer, VGA)
}

fn labels(buffer: &gst::BufferRef) -> Vec<String> {
    faces(buffer).iter().map(|face| face.emotion.as_ref().map_or("", |emotion| emotion.label()).to_string()).collect()
}

fn scores(face: &FaceRecord) -> Vec<f32> {
    face.emotion.as_ref().expect("scores").scores.as_slice().to_vec()
}

#[test]
fn every_format_gives_the_same_scores() {
    if !runtime_fetched() {
        return;
    }
    let score = |format| {
        let (frame, info) = frame(format);
        let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
        assert_eq!(labels(&out), NAMES, "{format:?}");
        faces(&out)
    };
    let expected = score(VideoFormat::Rgb);
    for format in FORMATS {
        for (face, expected) in score(format).iter().zip(&expected) {
            for (found, expected) in scores(face).iter().zip(scores(expected)) {
                assert!((found - expected).abs() <= 0.02, "{format:?}: {found} instead of {expected}");
            }
        }
    }
}

#[test]
fn both_encodings_have_equal_content() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
    let (regions, custom) = (roi::read(&out, VGA), custom::read(&out));
    assert_eq!(regions.len(), 3);
    assert_eq!(regions.len(), custom.len());
    for (a, b) in regions.iter().zip(&custom) {
        assert_eq!((a.id, &a.emotion), (b.id, &b.emotion));
        assert!(a.rect_norm.iou(b.rect_norm) > 0.999);
    }
}

#[test]
fn small_and_uncertain_faces_are_unknown() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let reasons = |out: &gst::Buffer| faces(out).iter().map(|face| face.emotion.as_ref()?.reason).collect::<Vec<_>>();
    let out = harness(&info, &[("min-face-size", "200")]).push_and_pull(frame.copy()).expect("a frame");
    assert_eq!((labels(&out), reasons(&out)), (vec!["unknown".to_owned(); 3], vec![Some(UnknownReason::Small); 3]));
    let out = harness(&info, &[("min-confidence", "1.0")]).push_and_pull(frame).expect("a frame");
    assert_eq!((labels(&out), reasons(&out)), (vec!["unknown".to_owned(); 3], vec![Some(UnknownReason::Uncertain); 3]));
    assert!(scores(&faces(&out)[1])[1] > 0.5, "the scores of an uncertain face are still reported");
}

#[test]
fn the_minimum_confidence_is_that_of_the_model_unless_it_is_set() {
    if !runtime_fetched() {
        return;
    }
    let stage = Stage::new("min-confidence");
    let model = stage.path().join("model.onnx");
    let models = repository().join("models/expression");
    std::fs::copy(models.join("model.onnx"), &model).expect("a copy");
    let description = std::fs::read_to_string(models.join("model.toml")).expect("a description");
    let without = description.lines().filter(|line| !line.starts_with("min_confidence")).collect::<Vec<_>>().join("\n");
    let with = without.replacen("name = \"scores\"", "name = \"scores\"\nmin_confidence = 1.0", 1);
    std::fs::write(stage.path().join("model.toml"), with).expect("a description");
    let found = |min_confidence: &str| {
        let (frame, info) = frame(VideoFormat::Nv12);
        let element = gst::ElementFactory::make("emotionclassify").property("model-file", model.to_str());
        let element = element.property_from_str("min-confidence", min_confidence).build().expect("an element");
        let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
        harness.set_src_caps(info.to_caps().expect("caps"));
        labels(&harness.push_and_pull(frame).expect("a frame"))
    };
    assert_eq!(found("-1"), ["unknown"; 3]);
    assert_eq!(found("0"), NAMES);
}

#[test]
fn the_prior_changes_the_scores_of_a_still_face_on_the_next_frame() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[("smoothing", "0"), ("motion-gate", "true")]);
    let element = harness.element().expect("an element");
    let mut pushed = 0;
    let mut next = |prior: &str| {
        element.set_property_from_str("prior", prior);
        let mut frame = frame.copy();
        frame.make_mut().set_pts(pushed * 40 * gst::ClockTime::MSECOND);
        pushed += 1;
        let out = harness.push_and_pull(frame).expect("a frame");
        assert_eq!(labels(&out), NAMES, "{prior}");
        faces(&out).iter().map(|face| scores(face)[0]).collect::<Vec<_>>()
    };
    let (natural, held, balanced, again) = (next("natural"), next("natural"), next("balanced"), next("natural"));
    assert_eq!((&natural, &natural), (&held, &again));
    assert!(natural[0] > balanced[0] + 0.1, "the neutral face: {natural:?} {balanced:?}");
}

#[test]
fn faces_take_turns_within_the_budget_and_keep_their_scores() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[("max-faces-per-frame", "1"), ("smoothing", "0")]);
    let mut scored = |index| {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        let ages: Vec<_> = faces(&out).iter().map(|face| face.expression().map(|emotion| emotion.age)).collect();
        ages
    };
    assert_eq!(scored(0).iter().flatten().count(), 1);
    assert_eq!(scored(1).iter().flatten().count(), 2);
    for index in 2..9 {
        let mut ages: Vec<_> = scored(index).into_iter().map(|age| age.expect("a score").as_millis()).collect();
        ages.sort_unstable();
        assert_eq!(ages, [0, 33, 66], "one face per frame, in turns");
    }
}

#[test]
fn stats_count_frames_and_time_each_step() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[("reclassify-interval", "2")]);
    (0..5).for_each(|index| drop(harness.push_and_pull(frame_at(&frame, index)).expect("a frame")));
    let stats = harness.element().expect("an element").property::<gst::Structure>("stats");
    let counts = ["frames", "inferred", "skipped", "late", "faces"].map(|name| stats.get::<u64>(name).expect(name));
    assert_eq!(counts, [5, 3, 2, 0, 15], "{stats}");
    let p50 = |step: &str| stats.get::<u64>(format!("{step}-p50")).expect(step);
    assert!(p50("preprocess") > 0 && p50("classify") >= p50("inference") && p50("inference") > 0, "{stats}");
}

#[test]
fn smoothed_scores_reach_half_of_a_change_in_the_half_life() {
    if !runtime_fetched() {
        return;
    }
    let still = |expression| Scene::new(640, 480).actor([0.0, 9.0].map(|t| Key::new(t, (320.0, 240.0), 200.0, expression)).into());
    let show = |expression| {
        let scene = still(expression);
        let (mut frame, info) = buffer(&scene.render(0.0), 640, 480, VideoFormat::Gray8);
        mark(frame.make_mut(), scene.appearances(0.0)[0].face);
        (frame, info)
    };
    let ((neutral, info), (happy, _)) = (show("neutral"), show("happiness"));
    let happiness = |smoothing: &str, frames: u64| {
        let mut harness = harness(&info, &[("smoothing", smoothing)]);
        let mut out = harness.push_and_pull(frame_at(&neutral, 0)).expect("a frame");
        (1..=frames).for_each(|index| out = harness.push_and_pull(frame_at(&happy, index)).expect("a frame"));
        scores(&faces(&out)[0])[1]
    };
    let (before, after) = (happiness("0", 0), happiness("0", 1));
    assert!(after - before > 0.5, "from {before} to {after}");
    // For a still mouth the half-life is 0.55 times the setting: here 200 ms, six frames at 30 frames per second.
    let half_way = happiness("363636364", 6);
    assert!((half_way - (before + after) / 2.0).abs() < 0.05, "{half_way} is not halfway from {before} to {after}");
}

#[test]
fn a_frame_without_faces_passes_unchanged() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
    let shared = frame.clone();
    let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
    assert_eq!(out.peek_memory(0).as_ptr(), shared.peek_memory(0).as_ptr());
    assert!(custom::read(&out).is_empty());
}

#[test]
fn a_missing_detector_upstream_is_one_warning_on_the_bus() {
    if !runtime_fetched() {
        return;
    }
    init();
    let warnings = |searched: bool| {
        let mut chain = Harness::new_parse("emotionclassify ! emotionexport");
        chain.set_src_caps_str("video/x-raw,format=GRAY8,width=32,height=32,framerate=30/1");
        let bus = gst::Bus::new();
        for name in ["emotionclassify", "emotionexport"] {
            chain.find_element(name).expect("an element").set_bus(Some(&bus));
        }
        for index in 0..700 {
            let mut frame = gst::Buffer::from_mut_slice(vec![0_u8; 32 * 32]);
            if searched {
                custom::write(frame.make_mut(), Size::new(32, 32), &[], &[]);
            }
            chain.push(frame_at(&frame, index)).expect("a frame");
        }
        let sources = bus.iter_filtered(&[gst::MessageType::Warning]).filter_map(|message| Some(message.src()?.name().to_string()));
        let mut sources: Vec<_> = sources.map(|name| name.trim_end_matches(char::is_numeric).to_owned()).collect();
        sources.sort_unstable();
        sources
    };
    assert_eq!(warnings(false), ["emotionclassify", "emotionexport"]);
    assert!(warnings(true).is_empty(), "the frames were searched, without a face");
}

#[test]
fn a_message_is_posted_when_a_label_changes() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let (empty, _) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
    let mut harness = harness(&info, &[("post-messages", "on-change")]);
    let bus = gst::Bus::new();
    harness.element().expect("an element").set_bus(Some(&bus));
    for (index, buffer) in [&frame, &frame, &frame, &empty, &empty].into_iter().enumerate() {
        harness.push_and_pull(frame_at(buffer, index as u64)).expect("a frame");
    }
    let messages: Vec<_> =
        bus.iter_filtered(&[gst::MessageType::Element]).filter_map(|message| message.structure().map(ToOwned::to_owned)).collect();
    assert_eq!(messages.len(), 2, "three faces appeared, then all disappeared");
    assert!(messages.iter().all(|message| message.name() == "emotion"));
    let found = messages[0].get::<gst::List>("faces").expect("a list");
    let found: Vec<_> =
        found.iter().map(|face| face.get::<gst::Structure>().expect("a face").get::<String>("label").expect("a label")).collect();
    assert_eq!(found, NAMES);
}

#[test]
fn extreme_boxes_do_not_fail() {
    if !runtime_fetched() {
        return;
    }
    let (mut frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::I420);
    for rect in [(0, 0, 640, 480), (639, 479, 1, 1), (5000, 5000, 40, 40), (0, 0, 0, 0), (0, 0, u32::MAX, u32::MAX), (u32::MAX, 0, 20, 20)]
    {
        VideoRegionOfInterestMeta::add(frame.make_mut(), "face", rect);
    }
    VideoRegionOfInterestMeta::add(frame.make_mut(), "car", (10, 10, 50, 50));
    let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
    assert_eq!(faces(&out).len(), 6, "a car is not a face");
}
