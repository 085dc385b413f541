// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionoverlay` with pushed buffers: formats, sizes, overlay metadata, copies, properties, lateness.

mod blur;
mod composition;
mod coverage;

use std::time::Duration;

use emotion_core::choices::BlurFaces;
use emotion_core::geometry::{Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo, VideoOverlayCompositionMeta};
use gstemotion::elements::frame::FORMATS;
use gstemotion::meta::{write_detections, write_emotions};
use test_support::gstreamer::init;

/// A face with a box in pixels and, if there is a `score`, the expression happiness.
fn face(id: u32, rect: Rect, frame: Size, score: Option<f32>) -> FaceRecord {
    let emotion = score.map(|score| EmotionResult {
        labels: LabelSet::new(FERPLUS_LABELS),
        scores: Scores::from_probabilities((0..8).map(|i| if i == 1 { score } else { (1.0 - score) / 7.0 })),
        label_id: Some(1),
        reason: None,
        smoothed: false,
        age: Duration::ZERO,
    });
    let detection = Some(DetectionInfo { confidence: 0.9, landmarks_norm: None, model_name: "test".into(), age: Duration::ZERO });
    FaceRecord { id, rect_norm: rect.to_norm(frame), detection, emotion, geometry: None, confirmed: true }
}

fn info(format: VideoFormat, size: Size) -> VideoInfo {
    init();
    VideoInfo::builder(format, size.width, size.height).fps((30, 1)).build().expect("a valid format and size")
}

/// A mid-grey frame with `faces`, as number `index` of a stream of 25 frames per second.
fn frame(info: &VideoInfo, faces: &[FaceRecord], index: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![128_u8; info.size()]);
    let writable = buffer.get_mut().expect("the buffer is new");
    writable.set_pts(index * 40.mseconds());
    let size = Size::new(info.width(), info.height());
    write_detections(writable, size, faces);
    if faces.iter().any(|face| face.emotion.is_some()) {
        write_emotions(writable, size, faces);
    }
    buffer
}

fn harness(info: &VideoInfo) -> Harness {
    init();
    let mut harness = Harness::new("emotionoverlay");
    let caps = info.to_caps().expect("caps of a valid format");
    harness.set_src_caps(caps.clone());
    harness.set_sink_caps(caps);
    harness
}

fn bytes(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().expect("system memory").to_vec()
}

/// The first component (luma, or a colour) of the pixel.
fn sample(buffer: &gst::BufferRef, info: &VideoInfo, x: usize, y: usize) -> u8 {
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).expect("the buffer fits the format");
    let data = frame.comp_data(0).expect("every format has a first component");
    data[y * frame.comp_stride(0) as usize + x * frame.comp_pstride(0) as usize]
}

/// The texts of the warnings on the bus.
fn warnings(bus: &gst::Bus) -> Vec<String> {
    let messages = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning]));
    let text = |message: gst::Message| match message.view() {
        gst::MessageView::Warning(warning) => warning.error().message().to_string(),
        other => unreachable!("{other:?} is filtered out"),
    };
    messages.map(text).collect()
}

const VGA: Size = Size::new(640, 480);
const BOX: Rect = Rect::new(200.0, 200.0, 160.0, 180.0);

fn drawn(harness: &mut Harness, info: &VideoInfo, faces: &[FaceRecord]) -> gst::Buffer {
    harness.push_and_pull(frame(info, faces, 0)).expect("a frame comes out")
}

#[test]
fn every_format_is_drawn_on_only_where_expected() {
    for format in FORMATS {
        let info = info(format, VGA);
        let mut harness = harness(&info);
        let buffer = drawn(&mut harness, &info, &[face(3, BOX, VGA, Some(0.93))]);
        let changed = |x, y| sample(&buffer, &info, x, y) != 128;
        for (x, y) in [(280, 201), (280, 378), (201, 290), (358, 290)] {
            assert!(changed(x, y), "{format}: no edge of the box at {x}, {y}");
        }
        for (x, y) in [(0, 0), (639, 479), (10, 470), (280, 290), (200, 379)] {
            assert!(!changed(x, y), "{format}: something is drawn at {x}, {y}");
        }
        assert!((170..195).any(|y| changed(230, y)), "{format}: no label above the box");
        assert!((210..280).any(|y| changed(400, y)), "{format}: no graph beside the box");
    }
}

#[test]
fn the_box_has_the_colour_of_the_palette() {
    let info = info(VideoFormat::Rgb, VGA);
    let mut harness = harness(&info);
    let element = harness.element().expect("the element");
    let colors = [("okabe-ito", [0xf0, 0xe4, 0x42]), ("tol-bright", [0xcc, 0xbb, 0x44]), ("white", [0xf2; 3])];
    for (index, (palette, expected)) in colors.into_iter().enumerate() {
        element.set_property_from_str("palette", palette);
        let buffer = harness.push_and_pull(frame(&info, &[face(3, BOX, VGA, Some(0.93))], index as u64)).expect("a frame");
        // The coloured line starts one pixel inside of the box, after the dark line.
        let at = (201 * 640 + 280) * 3;
        assert_eq!(bytes(&buffer)[at..at + 3], expected, "{palette}");
    }
}

#[test]
fn a_frame_without_faces_is_neither_copied_nor_changed() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = harness(&info);
    let buffer = frame(&info, &[], 0);
    let shared = buffer.clone();
    let out = harness.push_and_pull(buffer).expect("a frame comes out");
    assert_eq!(out.peek_memory(0).as_ptr(), shared.peek_memory(0).as_ptr(), "the same memory, though it is shared");
    assert!(bytes(&out).iter().all(|&byte| byte == 128));
}

#[test]
fn a_shared_frame_is_copied_before_it_is_drawn_on() {
    let info = info(VideoFormat::Nv12, VGA);
    let mut harness = harness(&info);
    let buffer = frame(&info, &[face(1, BOX, VGA, None)], 0);
    let shared = buffer.clone();
    let out = harness.push_and_pull(buffer).expect("a frame comes out");
    assert!(bytes(&shared).iter().all(|&byte| byte == 128));
    assert!(bytes(&out).iter().any(|&byte| byte != 128));
}

#[test]
fn parts_can_be_switched_while_playing() {
    let info = info(VideoFormat::Gray8, VGA);
    let mut harness = harness(&info);
    let element = harness.element().expect("the element");
    let faces = [face(3, BOX, VGA, Some(0.93))];
    let mut index = 0;
    let mut changed = |harness: &mut Harness| {
        index += 1;
        let buffer = harness.push_and_pull(frame(&info, &faces, index)).expect("a frame comes out");
        bytes(&buffer).iter().filter(|&&byte| byte != 128).count()
    };
    let mut last = changed(&mut harness);
    for part in ["draw-scores", "draw-ids", "draw-emoji", "draw-labels", "draw-boxes"] {
        element.set_property(part, false);
        let now = changed(&mut harness);
        assert!(now < last, "without {part}, {now} pixels are drawn, before that {last}");
        last = now;
    }
    assert_eq!(last, 0);
    element.set_property("draw-boxes", true);
    let thin = changed(&mut harness);
    element.set_property("line-width", 12_u32);
    assert!(changed(&mut harness) > 2 * thin);
    element.set_property("draw-labels", true);
    let small = changed(&mut harness);
    element.set_property("font-size", 40_u32);
    let large = changed(&mut harness);
    assert!(large > small);
    element.set_property("labels", "happiness=x");
    assert!(changed(&mut harness) < large, "a shorter word");
    element.set_property("draw-boxes", false);
    element.set_property("draw-labels", false);
    element.set_property("draw-stats", true);
    assert!(changed(&mut harness) > 0, "the plate with statistics");
}

#[test]
fn defaults_are_as_documented() {
    init();
    let element = gst::ElementFactory::make("emotionoverlay").build().expect("the element");
    for part in ["draw-boxes", "draw-labels", "draw-scores", "draw-emoji", "draw-ids"] {
        assert!(element.property::<bool>(part), "{part}");
    }
    assert!(!element.property::<bool>("draw-stats") && !element.property::<bool>("qos"));
    assert_eq!(element.property::<BlurFaces>("blur-faces"), BlurFaces::None);
    assert_eq!((element.property::<u32>("line-width"), element.property::<u32>("font-size")), (0, 0));
    assert_eq!(element.property::<Option<String>>("labels"), None);
    element.set_property("labels", "happiness=glücklich");
    assert_eq!(element.property::<String>("labels"), "happiness=glücklich");
}

#[test]
fn invalid_translations_are_warned_of_on_the_bus() {
    init();
    // As in a launch line, the property is set before the element is in a pipeline.
    let element = gst::ElementFactory::make("emotionoverlay").property("labels", "happiness=Freude,anger,=x").build().expect("the element");
    let pipeline = gst::Pipeline::new();
    pipeline.add(&element).expect("a pipeline");
    let bus = pipeline.bus().expect("a bus");
    element.set_state(gst::State::Paused).expect("it starts");
    let first = warnings(&bus);
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(first[0].contains("\"anger\"") && first[1].contains("\"=x\""), "{first:?}");
    element.set_property("labels", "fear");
    assert_eq!(warnings(&bus).len(), 1, "a running element warns at once");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn odd_sizes_and_extreme_boxes_do_not_fail() {
    let large = [VideoFormat::Nv12, VideoFormat::Yuy2, VideoFormat::Bgrx];
    for size in [Size::new(1, 1), Size::new(17, 33), Size::new(641, 479), Size::new(3840, 2160)] {
        for format in FORMATS.into_iter().filter(|format| size.width < 3840 || large.contains(format)) {
            let info = info(format, size);
            let mut harness = harness(&info);
            let whole = size.rect();
            let faces = [
                face(1, whole, size, Some(0.5)),
                face(2, whole.translated(-0.5 * whole.w, 0.9 * whole.h), size, Some(0.5)),
                face(3, whole.scaled(3.0, 3.0), size, None),
            ];
            let out = drawn(&mut harness, &info, &faces);
            assert_eq!(out.size(), info.size(), "{format} {size:?}");
        }
    }
}

#[test]
fn boxes_that_are_not_finite_are_skipped() {
    let info = info(VideoFormat::Rgba, VGA);
    let mut harness = harness(&info);
    let mut buffer = frame(&info, &[], 0);
    let odd =
        [f32::NAN, f32::INFINITY, -1e30, 1e30].map(|x| FaceRecord { rect_norm: Rect::new(x, 0.1, 0.2, 0.2), ..face(1, BOX, VGA, None) });
    write_emotions(buffer.get_mut().expect("the buffer is new"), VGA, &odd);
    harness.push_and_pull(buffer).expect("a frame comes out");
}

#[test]
fn late_frames_are_not_dropped() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = harness(&info);
    let late = gst::event::Qos::builder(gst::QOSType::Underflow, 5.0, 10_000_000_000).timestamp(40.mseconds()).build();
    for index in 0..5 {
        harness.push_upstream_event(late.clone());
        harness.push(frame(&info, &[face(1, BOX, VGA, None)], index)).expect("the frame is taken");
    }
    assert_eq!(harness.buffers_in_queue(), 5);
}

#[test]
fn translations_of_unknown_labels_are_warned_of_once() {
    let info = info(VideoFormat::Gray8, VGA);
    let mut harness = harness(&info);
    let element = harness.element().expect("the element");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    element.set_property("labels", "happiness=Freude,joy=Spaß,unknown=?");
    for index in 0..3 {
        harness.push_and_pull(frame(&info, &[face(3, BOX, VGA, Some(0.93))], index)).expect("a frame comes out");
    }
    let warnings = warnings(&bus);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the model has no class joy; it has neutral, happiness"), "{warnings:?}");
}
