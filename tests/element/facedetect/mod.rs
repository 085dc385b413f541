// SPDX-License-Identifier: MIT OR Apache-2.0
//! `facedetect` with pushed buffers: formats, sizes, metadata, copies, properties, lateness.

mod confirmation;
mod lateness;
mod motion_gate;
mod recall;

use std::time::Duration;

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::FaceRecord;
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};
use gstemotion::elements::frame::FORMATS;
use gstemotion::meta::read_faces;
use test_support::average_faces::Key;
use test_support::gstreamer::{Stage, buffer, flush, frame_at, init, play};
use test_support::{data, left_out, repository, runtime_fetched, three_faces};

const VGA: Size = Size::new(640, 480);

fn detector(format: VideoFormat) -> (Harness, gst::Buffer) {
    let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, format);
    (harness(&info), frame)
}

/// The element without its motion gate, as these tests show it still pictures.
fn harness(info: &VideoInfo) -> Harness {
    init();
    let mut harness = Harness::new("emotionfacedetect");
    harness.element().expect("an element").set_property("motion-gate", false);
    harness.set_src_caps(info.to_caps().expect("caps"));
    harness
}

/// True if the three faces in the output for `frame` were detected on this frame, false if they were predicted.
fn was_searched(harness: &mut Harness, frame: gst::Buffer) -> bool {
    let found = faces(&harness.push_and_pull(frame).expect("a frame"));
    let ages: Vec<_> = found.iter().filter_map(|face| face.detection.as_ref()).map(|detection| detection.age).collect();
    assert_eq!(ages.len(), 3, "{found:?}");
    ages.iter().all(Duration::is_zero)
}

fn faces(buffer: &gst::BufferRef) -> Vec<FaceRecord> {
    read_faces(buffer, VGA)
}

#[test]
fn every_format_finds_the_same_faces() {
    if !runtime_fetched() {
        return;
    }
    let expected: Vec<_> = three_faces().appearances(0.0).iter().map(|shown| shown.face).collect();
    for format in FORMATS {
        let (mut harness, frame) = detector(format);
        let out = harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
        let found = faces(&out);
        assert_eq!(found.len(), 3, "{format:?}");
        for face in &expected {
            let best = found.iter().map(|found| found.rect_norm.from_norm(VGA).iou(*face)).fold(0.0, f32::max);
            assert!(best > 0.7, "{format:?}: no box at {face:?}, best overlap {best}");
        }
        let marks = found[0].detection.as_ref().and_then(|detection| detection.landmarks_norm).expect("landmarks");
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = marks.0;
        assert!(right_eye.x < nose.x && nose.x < left_eye.x && right_mouth.x < left_mouth.x, "{format:?}: {marks:?}");
        assert!(right_eye.y < nose.y && nose.y < right_mouth.y, "{format:?}: {marks:?}");
    }
}

#[test]
fn frames_of_extreme_sizes_pass() {
    if !runtime_fetched() {
        return;
    }
    for format in FORMATS {
        for (width, height) in [(1, 1), (17, 33), (641, 479)] {
            let (frame, info) = buffer(&vec![90; width as usize * height as usize * 3], width, height, format);
            let out = harness(&info).push_and_pull(frame).expect("a frame");
            assert!(read_faces(&out, Size::new(width, height)).is_empty(), "{format:?} {width}x{height}: a face in uniform grey");
        }
    }
    let (frame, info) = buffer(&vec![90; 3840 * 2160 * 3], 3840, 2160, VideoFormat::Nv12);
    harness(&info).push_and_pull(frame).expect("a 4K frame");
}

#[test]
fn ids_persist_and_detections_name_their_model() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::I420);
    for index in 0..5 {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        let mut ids: Vec<_> = faces(&out).iter().map(|face| face.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3]);
        let detection = faces(&out)[0].detection.clone().expect("a detection");
        assert_eq!(&*detection.model_name, "emotion-face");
        assert!((0.5..=1.0).contains(&detection.confidence));
    }
}

#[test]
fn a_shared_frame_with_padded_rows_is_never_copied() {
    if !runtime_fetched() {
        return;
    }
    let (packed, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Gray8);
    let stride = 640 + 96;
    let mut padded = vec![0xee; stride * 480];
    let packed = packed.map_readable().expect("readable");
    padded.chunks_mut(stride).zip(packed.chunks(640)).for_each(|(to, from)| to[..640].copy_from_slice(from));
    let mut frame = gst::Buffer::from_slice(padded);
    gst_video::VideoMeta::add_full(
        frame.make_mut(),
        gst_video::VideoFrameFlags::empty(),
        VideoFormat::Gray8,
        640,
        480,
        &[0],
        &[stride as i32],
    )
    .expect("a video meta");

    let mut harness = harness(&info);
    let other_branch = frame.clone();
    let pixels = |buffer: &gst::BufferRef| buffer.peek_memory(0).as_ptr();
    let out = harness.push_and_pull(frame).expect("a frame");
    assert_eq!(faces(&out).len(), 3, "padding was taken for pixels");
    assert_eq!(pixels(&out), pixels(&other_branch), "the pixels were copied");
    assert_eq!(other_branch.iter_meta::<VideoRegionOfInterestMeta>().count(), 0, "the other branch was written to");
}

#[test]
fn allocation_queries_offer_supported_metas_and_the_downstream_pool() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::Nv12);
    harness.push_and_pull(frame).expect("a frame");
    let element = harness.element().expect("an element");
    let caps = element.static_pad("sink").and_then(|pad| pad.current_caps()).expect("caps");
    let pool = gst::BufferPool::new();
    let downstream = pool.clone();
    element
        .static_pad("src")
        .expect("a source pad")
        .add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, move |_, info| {
            if let Some(gst::QueryViewMut::Allocation(query)) = info.query_mut().map(|query| query.view_mut()) {
                query.add_allocation_pool(Some(&downstream), 460_800, 3, 9);
                query.add_allocation_meta::<gst_video::VideoCropMeta>(None);
                query.add_allocation_meta::<gst_video::VideoOverlayCompositionMeta>(None);
                query.add_allocation_meta::<gst_video::VideoAffineTransformationMeta>(None);
                return gst::PadProbeReturn::Handled;
            }
            gst::PadProbeReturn::Ok
        })
        .expect("a probe");
    let mut query = gst::query::Allocation::new(Some(&caps), true);
    assert!(element.static_pad("sink").expect("a sink pad").query(&mut query));
    assert!(query.find_allocation_meta::<gst_video::VideoMeta>().is_some(), "any stride is supported");
    assert!(query.find_allocation_meta::<gst_video::VideoOverlayCompositionMeta>().is_some(), "the offer of downstream is forwarded");
    assert_eq!(query.allocation_metas().count(), 2, "metas that are not supported, such as a crop, are not offered");
    let pools: Vec<_> = query.allocation_pools().map(|(pool, ..)| pool).collect();
    assert_eq!(pools, [Some(pool)]);
}

#[test]
fn a_scene_cut_is_searched_at_once_and_ends_the_old_tracks() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::I420);
    harness.element().expect("an element").set_property("detect-interval", 30u32);
    // The same faces at the same positions, in front of another background.
    let places: Vec<_> = three_faces().appearances(0.0).iter().map(|shown| shown.face).collect();
    let inside = |x: f32, y: f32| places.iter().any(|face| x >= face.x && x < face.right() && y >= face.y && y < face.bottom());
    let tiles = |x: usize, y: usize| [if (x / 80 + y / 60).is_multiple_of(2) { 20 } else { 60 }; 3];
    let rgb = three_faces()
        .render(0.0)
        .chunks(3)
        .enumerate()
        .flat_map(|(n, pixel)| {
            let (x, y) = (n % 640, n / 640);
            if inside(x as f32, y as f32) { [pixel[0], pixel[1], pixel[2]] } else { tiles(x, y) }
        })
        .collect::<Vec<_>>();
    let (other, _) = buffer(&rgb, 640, 480, VideoFormat::I420);
    let mut ids = |buffer: &gst::Buffer, index| {
        let mut ids: Vec<_> = faces(&harness.push_and_pull(frame_at(buffer, index)).expect("a frame")).iter().map(|face| face.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&frame, 0), [1, 2, 3]);
    assert_eq!(ids(&frame, 1), [1, 2, 3]);
    let after = ids(&other, 2);
    assert!(!after.is_empty() && after[0] > 3, "{after:?}");
    assert_eq!(ids(&other, 3), after);
}

#[test]
fn thresholds_may_change_while_playing() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::I420);
    let element = harness.element().expect("an element");
    let mut count = |index| faces(&harness.push_and_pull(frame_at(&frame, index)).expect("a frame")).len();
    assert_eq!(count(0), 3);
    element.set_property("max-faces", 2u32);
    assert_eq!(count(1), 2);
    element.set_property("max-faces", 0u32);
    element.set_property("min-face-size", 400u32);
    assert_eq!(count(2), 0);
    element.set_property("min-face-size", 0u32);
    assert_eq!(count(3), 3);
}

#[test]
fn between_detections_faces_are_predicted() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::I420);
    harness.element().expect("an element").set_property("detect-interval", 5u32);
    let searched: Vec<_> = (0..11).filter(|&index| was_searched(&mut harness, frame_at(&frame, index))).collect();
    assert_eq!(searched, [0, 1, 6], "the search of the second frame confirms the faces");
}

#[test]
fn ids_continue_after_a_change_of_size() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::I420);
    harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
    let scene = test_support::three_faces().render(0.0);
    let cropped: Vec<u8> = scene.chunks(640 * 3).skip(100).take(240).flat_map(|row| &row[160 * 3..480 * 3]).copied().collect();
    let (small, info) = buffer(&cropped, 320, 240, VideoFormat::Yuy2);
    harness.set_src_caps(info.to_caps().expect("caps"));
    let found = read_faces(&harness.push_and_pull(frame_at(&small, 1)).expect("a frame"), Size::new(320, 240));
    assert_eq!(found.len(), 1, "only happiness is in the middle");
    assert_eq!(found[0].id, 4, "ids are not reused");
}

#[test]
fn stats_count_frames_and_time_each_step() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::I420);
    let element = harness.element().expect("an element");
    element.set_property("detect-interval", 2u32);
    (0..5).for_each(|index| drop(harness.push_and_pull(frame_at(&frame, index)).expect("a frame")));
    let stats = element.property::<gst::Structure>("stats");
    let counts = ["frames", "inferred", "skipped", "late", "faces"].map(|name| stats.get::<u64>(name).expect(name));
    assert_eq!(counts, [5, 3, 2, 0, 12], "the faces of the first frame are not confirmed: {stats}");
    let p50 = |step: &str| stats.get::<u64>(format!("{step}-p50")).expect(step);
    assert!(p50("preprocess") > 0 && p50("inference") > 0, "{stats}");
    assert!(p50("detect") >= p50("inference"), "{stats}");
    for step in ["detect", "preprocess", "inference", "postprocess"] {
        let [p95, p99] = ["p95", "p99"].map(|name| stats.get::<u64>(format!("{step}-{name}")).expect(name));
        assert!(p50(step) <= p95 && p95 <= p99, "{stats}");
    }
}

#[test]
fn messages_have_the_shape_of_opencvs_element() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::Rgb);
    let element = harness.element().expect("an element");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    element.set_property_from_str("updates", "on_change");
    let (plain, _) = buffer(&vec![90; 640 * 480 * 3], 640, 480, VideoFormat::Rgb);
    for (index, buffer) in [&frame, &frame, &plain, &plain].into_iter().enumerate() {
        harness.push_and_pull(frame_at(buffer, index as u64)).expect("a frame");
    }
    let messages: Vec<_> =
        bus.iter_filtered(&[gst::MessageType::Element]).filter_map(|message| message.structure().map(ToOwned::to_owned)).collect();
    assert_eq!(messages.len(), 2, "the faces appeared and disappeared: {messages:?}");
    for name in ["timestamp", "stream-time", "running-time", "duration"] {
        assert!(messages[0].get::<u64>(name).is_ok(), "{name} in {}", messages[0]);
    }
    let found = messages[0].get::<gst::List>("faces").expect("a list");
    assert_eq!(found.len(), 3);
    let face = found[0].get::<gst::Structure>().expect("a structure");
    assert_eq!(face.name(), "face");
    for name in ["x", "y", "width", "height"] {
        assert!(face.get::<u32>(name).is_ok(), "{name} in {face}");
    }
    assert!(messages[1].get::<gst::List>("faces").expect("a list").is_empty());
}

#[test]
fn a_cascade_finds_the_faces() {
    init();
    let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
    let element = gst::ElementFactory::make("emotionfacedetect").property("profile", emotion_core::detector::DEFAULT_CASCADE).build();
    let mut harness = Harness::with_element(&element.expect("an element"), Some("sink"), Some("src"));
    harness.set_src_caps(info.to_caps().expect("caps"));
    let found = faces(&harness.push_and_pull(frame).expect("a frame"));
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|face| face.detection.as_ref().is_some_and(|detection| &*detection.model_name == "haar")));
}

#[test]
fn the_element_recovers_from_models_that_fail_to_load() {
    if !runtime_fetched() {
        return;
    }
    init();
    let element = gst::ElementFactory::make("emotionfacedetect").build().expect("an element");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    for file in ["no-inputs.onnx", "short-landmarks.onnx", "short-boxes.onnx"] {
        element.set_property("model-file", test_support::data(file).display().to_string());
        assert!(element.set_state(gst::State::Paused).is_err(), "{file}");
        let error = bus.pop_filtered(&[gst::MessageType::Error]).expect("an error on the bus");
        let gst::MessageView::Error(error) = error.view() else { unreachable!("it is filtered") };
        assert!(error.error().matches(gst::ResourceError::Settings) && error.error().message().contains(file), "{error:?}");
        assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_none(), "one failure is one error");
        element.set_state(gst::State::Null).expect("it stops");
    }
    element.set_property("model-file", None::<&str>);
    assert!(element.set_state(gst::State::Paused).is_ok(), "{:?}", bus.pop_filtered(&[gst::MessageType::Error]));
    element.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn the_threshold_is_that_of_the_model_unless_it_is_set() {
    if !runtime_fetched() {
        return;
    }
    let stage = Stage::new("threshold");
    let model = stage.path().join("model.onnx");
    let models = repository().join("models/face");
    std::fs::copy(models.join("model.onnx"), &model).expect("a copy");
    let description = std::fs::read_to_string(models.join("model.toml")).expect("a description");
    let without = description.lines().filter(|line| !line.starts_with("score_threshold")).collect::<Vec<_>>().join("\n");
    std::fs::write(stage.path().join("model.toml"), format!("score_threshold = 0.999\n{without}")).expect("a description");
    let found = |threshold: &str| {
        let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::I420);
        let element = gst::ElementFactory::make("emotionfacedetect").property("model-file", model.to_str());
        let element = element.property_from_str("score-threshold", threshold).build().expect("an element");
        let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
        harness.set_src_caps(info.to_caps().expect("caps"));
        faces(&harness.push_and_pull(frame).expect("a frame")).len()
    };
    assert_eq!((found("-1"), found("0.5")), (0, 3));
}

#[test]
fn two_streams_in_one_process_have_separate_ids() {
    if !runtime_fetched() {
        return;
    }
    let (mut first, frame) = detector(VideoFormat::I420);
    let (mut second, _) = detector(VideoFormat::I420);
    for index in 0..3 {
        for harness in [&mut first, &mut second] {
            let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
            let mut ids: Vec<_> = faces(&out).iter().map(|face| face.id).collect();
            ids.sort_unstable();
            assert_eq!(ids, [1, 2, 3]);
        }
    }
}

#[test]
fn a_flush_ends_all_tracks() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::I420);
    harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
    flush(&mut harness);
    let out = harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
    assert!(faces(&out).iter().all(|face| face.id > 3), "{:?}", faces(&out));
}

/// Detects in `frame` with a file of the family `name`, which is recognised and then asserted.
fn faces_by_file(path: &std::path::Path, name: &str, frame: &gst::Buffer, info: &VideoInfo) -> Vec<FaceRecord> {
    init();
    let [recognised, asserted] = ["auto", name].map(|detector| {
        let element = gst::ElementFactory::make("emotionfacedetect").property("model-file", path.display().to_string());
        let element = element.property_from_str("detector", detector).build();
        let mut harness = Harness::with_element(&element.expect("an element"), Some("sink"), Some("src"));
        harness.set_src_caps(info.to_caps().expect("caps"));
        faces(&harness.push_and_pull(frame.clone()).expect("a frame"))
    });
    assert_eq!(recognised, asserted, "{name}");
    assert!(recognised.iter().all(|face| face.detection.as_ref().is_some_and(|detection| *detection.model_name == *name)));
    recognised
}

#[test]
fn files_of_other_detectors_are_recognised_by_their_outputs() {
    if !runtime_fetched() {
        return;
    }
    // A cell of 8 pixels in a picture that is reduced to half is 16 pixels wide. The face of a YuNet cell is four cells wide, one of
    // UltraFace's is the right lower quarter.
    for (file, name, lit, expected) in [
        ("yunet-cells.onnx", "yunet", Rect::new(160.0, 320.0, 16.0, 16.0), Rect::new(136.0, 296.0, 64.0, 64.0)),
        ("anchors.onnx", "ultraface", Rect::new(320.0, 240.0, 320.0, 240.0), Rect::new(320.0, 240.0, 320.0, 240.0)),
    ] {
        let is_lit = |x: f32, y: f32| (lit.x..lit.right()).contains(&x) && (lit.y..lit.bottom()).contains(&y);
        let rgb: Vec<u8> = (0..640 * 480).flat_map(|n| [if is_lit((n % 640) as f32, (n / 640) as f32) { 255 } else { 0 }; 3]).collect();
        let (frame, info) = buffer(&rgb, 640, 480, VideoFormat::Nv12);
        let found = faces_by_file(&data(file), name, &frame, &info);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].rect_norm.from_norm(VGA).iou(expected) > 0.9, "{name}: {found:?} instead of {expected:?}");
    }
}

/// The networks of others are not part of the repository. Where they are, they find average faces.
#[test]
fn real_networks_of_other_detectors_find_average_faces() {
    for (file, name) in [("yunet_n.onnx", "yunet"), ("ultraface_rfb320.onnx", "ultraface")] {
        let path = repository().join("../shared/peers").join(file);
        if !path.is_file() {
            left_out::note(format!("no {}", path.display()));
            continue;
        }
        if !runtime_fetched() {
            return;
        }
        let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
        let found = faces_by_file(&path, name, &frame, &info);
        for shown in three_faces().appearances(0.0) {
            let best = found.iter().map(|found| found.rect_norm.from_norm(VGA).iou(shown.face)).fold(0.0, f32::max);
            assert!(best > 0.6, "{name}: no box at {:?}, best overlap {best}", shown.face);
        }
    }
}
