// SPDX-License-Identifier: MIT OR Apache-2.0
//! `facelandmarks` with pushed buffers and a generated network: its landmarks are always those of one drawn face, and the
//! brightness of the crop sets yaw and `jawOpen`.

use std::sync::Arc;
use std::time::Duration;

use emotion_core::face_geometry::FaceGeometry;
use emotion_core::geometry::{Point, Size};
use emotion_core::record::{EmotionResult, FaceRecord};
use emotion_core::scores::{LabelSet, Scores};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};
use gstemotion::elements::frame::FORMATS;
use gstemotion::meta::{custom, read_faces, roi, write_emotions};
use test_support::gate::Gate;
use test_support::gstreamer::{buffer, count, flush, frame_at, init, run, wait_for};
use test_support::{data, runtime_fetched, three_faces};

const SIZE: Size = Size::new(320, 240);
/// Two faces of 64 pixels, and one that is too small.
const BOXES: [(u32, u32, u32, u32); 3] = [(40, 60, 64, 64), (200, 60, 64, 64), (150, 10, 12, 12)];

fn harness(info: &VideoInfo, properties: &[(&str, &str)]) -> Harness {
    init();
    let model = data("drawn-face.onnx");
    let element = gst::ElementFactory::make("facelandmarks").property("model-file", model.to_str());
    let element = element.property("motion-gate", false).property("smoothing", 0_u64).build().expect("an element");
    properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
    let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
    harness.set_src_caps(info.to_caps().expect("caps"));
    harness
}

/// A frame of one grey level with the three boxes, as an application adds them.
fn frame(grey: u8, format: VideoFormat) -> (gst::Buffer, VideoInfo) {
    let (mut frame, info) = buffer(&vec![grey; 320 * 240 * 3], 320, 240, format);
    BOXES.iter().for_each(|&rect| _ = VideoRegionOfInterestMeta::add(frame.make_mut(), "face", rect));
    (frame, info)
}

fn geometries(buffer: &gst::BufferRef) -> Vec<Option<Arc<FaceGeometry>>> {
    read_faces(buffer, SIZE).into_iter().map(|face| face.geometry).collect()
}

fn first(buffer: &gst::BufferRef) -> Arc<FaceGeometry> {
    geometries(buffer)[0].clone().expect("a geometry")
}

#[test]
fn every_face_of_any_format_gets_its_geometry_in_both_encodings() {
    if !runtime_fetched() {
        return;
    }
    for format in FORMATS {
        let (frame, info) = frame(192, format);
        let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
        let faces = read_faces(&out, SIZE);
        assert!(faces.iter().all(|face| face.id != 0), "{format:?}: {faces:?}");
        assert_eq!(faces.iter().map(|face| face.geometry.is_some()).collect::<Vec<_>>(), [true, true, false], "{format:?}");
        let found = first(&out);
        assert!(
            (found.pose.yaw - 22.5).abs() < 1.0 && (found.blendshapes.get("jawOpen").expect("a name") - 0.5).abs() < 0.03,
            "{format:?}"
        );
        // Without landmarks, the crop is 1.2 times as high as the box; the nose is at (0.5, 0.575) in it.
        let nose = found.landmarks_norm.from_norm(SIZE).0[30];
        assert!(nose.distance(Point::new(72.0, 92.0 + 0.075 * 1.2 * 64.0)) < 0.1, "{format:?}: {nose:?}");
        assert_eq!((&*found.model_name, found.age), ("drawn-face", Duration::ZERO));
        let of = |faces: Vec<FaceRecord>| faces.into_iter().map(|face| face.geometry).collect::<Vec<_>>();
        assert_eq!(of(roi::read(&out, SIZE)), of(custom::read(&out)));
    }
}

#[test]
fn scores_that_are_there_stay() {
    if !runtime_fetched() {
        return;
    }
    let (mut frame, info) = frame(192, VideoFormat::Nv12);
    let (labels, scores) = (LabelSet::new(["calm", "glad"]), Scores::from_probabilities([0.25, 0.75]));
    let emotion = EmotionResult { labels, scores, label_id: Some(1), reason: None, smoothed: false, age: Duration::ZERO };
    let faces: Vec<_> =
        (1..).zip(read_faces(&frame, SIZE)).map(|(id, face)| FaceRecord { id, emotion: Some(emotion.clone()), ..face }).collect();
    write_emotions(frame.make_mut(), SIZE, &faces);
    let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
    for read in [roi::read(&out, SIZE), custom::read(&out)] {
        assert_eq!(read.len(), 3);
        assert!(read.iter().all(|face| face.emotion.as_ref() == Some(&emotion)), "{read:?}");
        assert!(read[0].geometry.is_some());
    }
}

#[test]
fn a_face_that_is_not_estimated_on_a_frame_keeps_its_geometry() {
    if !runtime_fetched() {
        return;
    }
    let ((dark, info), (bright, _)) = (frame(128, VideoFormat::Gray8), frame(192, VideoFormat::Gray8));
    let mut harness = harness(&info, &[("reclassify-interval", "3")]);
    let found = [&dark, &bright, &bright, &bright].into_iter().enumerate().map(|(index, frame)| {
        let found = first(&harness.push_and_pull(frame_at(frame, index as u64)).expect("a frame"));
        (found.age.as_millis(), found.pose.yaw.round())
    });
    assert_eq!(found.collect::<Vec<_>>(), [(0, 0.0), (33, 0.0), (66, 0.0), (0, 23.0)]);
    assert_eq!(count(&harness.element().expect("an element"), "inferred"), 2);
}

#[test]
fn the_budget_is_served_in_turn_and_a_seek_starts_over() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(160, VideoFormat::I420);
    let mut harness = harness(&info, &[("max-faces-per-frame", "1")]);
    let known = |harness: &mut Harness, index| {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        geometries(&out).iter().filter(|found| found.is_some()).count()
    };
    assert_eq!([known(&mut harness, 0), known(&mut harness, 1), known(&mut harness, 2)], [1, 2, 2]);
    flush(&mut harness);
    assert_eq!(known(&mut harness, 3), 1);
}

#[test]
fn an_unchanged_face_is_not_estimated_again() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(160, VideoFormat::Nv12);
    let mut harness = harness(&info, &[("motion-gate", "true")]);
    for index in 0..4 {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        assert_eq!(first(&out).age.as_millis(), u128::from(index * 100 / 3));
    }
    let element = harness.element().expect("an element");
    assert_eq!((count(&element, "inferred"), count(&element, "unchanged")), (1, 3));
}

#[test]
fn with_a_worker_the_geometry_is_attached_to_a_later_frame() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(192, VideoFormat::Nv12);
    let mut harness = harness(&info, &[("async", "true")]);
    harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
    wait_for(&harness.element().expect("an element"), 1);
    let out = harness.push_and_pull(frame_at(&frame, 1)).expect("a frame");
    assert!((first(&out).pose.yaw - 22.5).abs() < 1.0);
}

#[test]
fn a_message_is_posted_when_a_face_moves() {
    if !runtime_fetched() {
        return;
    }
    let ((still, info), (turned, _)) = (frame(128, VideoFormat::Gray8), frame(192, VideoFormat::Gray8));
    let mut harness = harness(&info, &[("post-messages", "on-change")]);
    let bus = gst::Bus::new();
    harness.element().expect("an element").set_bus(Some(&bus));
    for (index, frame) in [&still, &still, &turned, &turned].into_iter().enumerate() {
        harness.push_and_pull(frame_at(frame, index as u64)).expect("a frame");
    }
    let messages = bus.iter_filtered(&[gst::MessageType::Element]).filter_map(|message| message.structure().map(ToOwned::to_owned));
    let yaws: Vec<_> = messages
        .map(|message| {
            assert_eq!(message.name(), "geometry");
            let faces = message.get::<gst::List>("faces").expect("a list");
            faces[0].get::<gst::Structure>().expect("a face").get::<f64>("yaw").expect("an angle").round()
        })
        .collect();
    assert_eq!(yaws, [0.0, 23.0]);
}

#[test]
fn another_kind_of_model_is_an_error_that_says_so() {
    if !runtime_fetched() {
        return;
    }
    let model = data("slow-expression.onnx");
    let error = run(&format!("videotestsrc num-buffers=1 ! facelandmarks model-file={} ! fakesink", model.display())).unwrap_err();
    assert!(error.contains("slow-expression.onnx") && error.contains("a geometry model"), "{error}");
}

/// A result that is on its way when the frame's size changes has pixels of the old size.
#[test]
fn a_change_of_size_leaves_no_landmarks_of_the_old_one() {
    if !runtime_fetched() {
        return;
    }
    let [large, small] = [1, 2].map(|part| {
        let (mut frame, info) = buffer(&vec![192; (320 / part * 240 / part * 3) as usize], 320 / part, 240 / part, VideoFormat::Gray8);
        VideoRegionOfInterestMeta::add(frame.make_mut(), "face", (200 / part, 60 / part, 64 / part, 64 / part)).set_id(5);
        (frame, info)
    });
    let mut harness = harness(&large.1, &[("async", "true"), ("name", "resized")]);
    let element = harness.find_element("facelandmarks").expect("the element");
    let gate = Gate::new("resized");
    harness.push_and_pull(large.0).expect("a frame");
    harness.set_src_caps(small.1.to_caps().expect("caps"));
    let at = |index| frame_at(&small.0, index);
    let out = harness.push_and_pull(at(1)).expect("a frame");
    gate.open();
    assert!(read_faces(&out, Size::new(160, 120))[0].geometry.is_none(), "nothing is known yet");
    wait_for(&element, 1);
    let out = harness.push_and_pull(at(2)).expect("a frame");
    let face = &read_faces(&out, Size::new(160, 120))[0];
    if let Some(found) = &face.geometry {
        let middle = found.landmarks_norm.0[30];
        assert!(face.rect_norm.contains(middle), "{middle:?} is not in {:?}", face.rect_norm);
    }
}

#[test]
fn the_mouth_of_a_calibrated_face_is_at_zero() {
    if !runtime_fetched() {
        return;
    }
    let (mut frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Gray8);
    for shown in three_faces().appearances(0.0) {
        let face = shown.face;
        VideoRegionOfInterestMeta::add(frame.make_mut(), "face", (face.x as u32, face.y as u32, face.w as u32, face.h as u32));
    }
    init();
    let mut harness = Harness::new("facelandmarks");
    let element = harness.element().expect("an element");
    element.set_property_from_str("baseline", "track");
    harness.set_src_caps(info.to_caps().expect("caps"));
    // The first face is neutral, and its mouth and brows are not at zero.
    let mut activation = |index| {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        let face = read_faces(&out, Size::new(640, 480)).remove(0);
        let geometry = face.geometry.expect("a geometry");
        let of_rest = geometry.blendshapes.iter().filter(|(name, _)| name.starts_with("mouth") || name.starts_with("brow"));
        (face.id, of_rest.map(|(_, value)| value).sum::<f32>())
    };
    let (id, before) = activation(0);
    element.emit_by_name::<()>("calibrate", &[&id]);
    let (_, calibrated) = activation(1);
    element.emit_by_name::<()>("reset-baseline", &[&id]);
    let (_, reset) = activation(2);
    assert!(before > 0.2 && calibrated < 0.01 && (reset - before).abs() < 0.05, "{before}, {calibrated}, {reset}");
}
