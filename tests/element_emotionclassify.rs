// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionclassify` with pushed buffers: whoever found the face, in whatever format.
#![cfg(feature = "plugin")]

mod support;

use std::time::Duration;

use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};
use gstemotion::elements::frame::FORMATS;
use gstemotion::geometry::{Rect, Size};
use gstemotion::meta::{custom, read_faces, roi};
use gstemotion::record::FaceRecord;
use support::average_faces::{Key, Scene};
use support::gstreamer::{buffer, init};
use support::{runtime_fetched, three_faces};

const VGA: Size = Size::new(640, 480);
const NAMES: [&str; 3] = ["neutral", "happiness", "surprise"];

fn harness(info: &VideoInfo, properties: &[(&str, &str)]) -> Harness {
    init();
    let mut harness = Harness::new("emotionclassify");
    let element = harness.element().expect("an element");
    properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
    harness.set_src_caps(info.to_caps().expect("caps"));
    harness
}

/// The three faces as a frame of `format`, with a plain region for each, as an application would add it.
fn frame(format: VideoFormat) -> (gst::Buffer, VideoInfo) {
    let (mut frame, info) = buffer(&three_faces().render(0.0), 640, 480, format);
    three_faces().appearances(0.0).iter().for_each(|shown| mark(frame.make_mut(), shown.face));
    (frame, info)
}

fn mark(frame: &mut gst::BufferRef, face: Rect) {
    VideoRegionOfInterestMeta::add(frame, "face", (face.x as u32, face.y as u32, face.w as u32, face.h as u32));
}

fn at(frame: &gst::Buffer, index: u64) -> gst::Buffer {
    let mut copy = frame.copy();
    copy.make_mut().set_pts(index * gst::ClockTime::SECOND / 30);
    copy
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
fn both_encodings_say_the_same() {
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

/// OpenCV's own `facedetect`: loaded now, it takes that name from ours in this process.
fn opencvs_facedetect() -> Option<gst::Element> {
    init();
    gst::Plugin::load_by_name("opencv").ok()?;
    let features = gst::Registry::get().features_by_plugin("opencv");
    let factory = features.into_iter().find(|feature| feature.name() == "facedetect")?;
    factory.downcast::<gst::ElementFactory>().ok()?.create().build().ok()
}

#[test]
fn faces_of_opencvs_element_are_told_apart_and_scored() {
    if !runtime_fetched() {
        return;
    }
    let Some(detector) = opencvs_facedetect() else {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "gstreamer1.0-opencv is not installed");
        support::left_out::note("no OpenCV plugin");
        return;
    };
    detector.set_property("display", false);
    let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Rgb);
    let mut detect = Harness::with_element(&detector, Some("sink"), Some("src"));
    detect.set_src_caps(info.to_caps().expect("caps"));
    let mut classify = harness(&info, &[]);
    for index in 0..3 {
        let found = detect.push_and_pull(at(&frame, index)).expect("a frame");
        assert!(faces(&found).len() >= 2 && faces(&found).iter().all(|face| face.id == 0), "OpenCV's faces are nobody");
        let scored = faces(&classify.push_and_pull(found).expect("a frame"));
        let mut ids: Vec<_> = scored.iter().map(|face| face.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=scored.len() as u32).collect::<Vec<_>>(), "frame {index}");
        for face in &scored {
            let shown = three_faces().appearances(0.0);
            let nearest = shown.iter().position(|shown| shown.face.to_norm(VGA).iou(face.rect_norm) > 0.3).expect("a face that is there");
            assert_eq!(face.emotion.as_ref().expect("scores").label(), NAMES[nearest]);
        }
    }
}

#[test]
fn faces_without_an_id_get_one_that_stays() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    for index in 0..4 {
        let out = harness.push_and_pull(at(&frame, index)).expect("a frame");
        assert_eq!(faces(&out).iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2, 3]);
        let regions: Vec<_> = out.iter_meta::<VideoRegionOfInterestMeta>().map(|meta| meta.id()).collect();
        assert_eq!(regions, [1, 2, 3], "written back to the regions");
    }
}

#[test]
fn ids_of_others_are_kept_and_not_given_again() {
    if !runtime_fetched() {
        return;
    }
    let (mut frame, info) = frame(VideoFormat::Nv12);
    frame.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>().take(1).for_each(|mut meta| meta.set_id(7));
    let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
    assert_eq!(faces(&out).iter().map(|face| face.id).collect::<Vec<_>>(), [7, 8, 9]);
}

#[test]
fn an_id_at_the_end_of_the_range_leaves_the_others_theirs() {
    if !runtime_fetched() {
        return;
    }
    init();
    let (mut frame, info) = frame(VideoFormat::Nv12);
    frame.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>().take(1).for_each(|mut meta| meta.set_id(i32::MAX));
    let mut chain = Harness::new_parse("emotionclassify ! emotionexport");
    chain.set_src_caps(info.to_caps().expect("caps"));
    for index in 0..2 {
        let text = chain.push_and_pull(at(&frame, index)).expect("records");
        let text = String::from_utf8(text.map_readable().expect("text").to_vec()).expect("UTF-8");
        let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let ids: Vec<_> = records.iter().map(|record| record["id"].as_i64()).collect();
        assert_eq!(ids, [Some(i32::MAX.into()), Some(1), Some(2)], "one record for each face, frame {index}");
    }
}

#[test]
fn small_and_doubtful_faces_are_unknown() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let out = harness(&info, &[("min-face-size", "200")]).push_and_pull(frame.copy()).expect("a frame");
    assert_eq!(labels(&out), ["unknown"; 3]);
    let out = harness(&info, &[("min-confidence", "1.0")]).push_and_pull(frame).expect("a frame");
    assert_eq!(labels(&out), ["unknown"; 3]);
    assert!(scores(&faces(&out)[1])[1] > 0.5, "the scores of a doubtful face are still told");
}

#[test]
fn the_budget_goes_round_and_nobody_loses_scores() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[("max-faces-per-frame", "1"), ("smoothing", "0")]);
    let mut scored = |index| {
        let out = harness.push_and_pull(at(&frame, index)).expect("a frame");
        let ages: Vec<_> = faces(&out).iter().map(|face| face.emotion.as_ref().map(|emotion| emotion.age)).collect();
        ages
    };
    assert_eq!(scored(0).iter().flatten().count(), 1);
    assert_eq!(scored(1).iter().flatten().count(), 2);
    for index in 2..9 {
        let mut ages: Vec<_> = scored(index).into_iter().map(|age| age.expect("a score").as_millis()).collect();
        ages.sort_unstable();
        assert_eq!(ages, [0, 33, 66], "one face a frame, each in its turn");
    }
}

#[test]
fn late_frames_keep_the_last_scores_and_tell_their_age() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    harness.push_and_pull(at(&frame, 0)).expect("a frame");
    let late = gst::ClockTime::SECOND.nseconds() as i64;
    harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 1.5, late, gst::ClockTime::ZERO));
    let out = harness.push_and_pull(at(&frame, 12)).expect("a late frame");
    let face = faces(&out).swap_remove(1);
    let emotion = face.emotion.expect("the last scores");
    assert_eq!((emotion.label(), emotion.age), ("happiness", Duration::from_millis(400)));
    let out = harness.push_and_pull(at(&frame, 15)).expect("a late frame");
    let ages: Vec<_> = faces(&out).into_iter().map(|face| face.emotion.expect("scores").age).collect();
    assert_eq!(ages, [Duration::ZERO; 3], "half a second is the longest that nobody is classified");
}

#[test]
fn after_a_seek_backwards_a_late_stream_is_still_classified_every_half_second() {
    if !runtime_fetched() {
        return;
    }
    let ((marked, info), (empty, _)) = (frame(VideoFormat::Nv12), buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12));
    let mut harness = harness(&info, &[]);
    harness.push_and_pull(at(&marked, 300)).expect("a frame at ten seconds");
    harness.push_event(gst::event::FlushStart::new());
    harness.push_event(gst::event::FlushStop::new(true));
    harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    harness.push_and_pull(at(&empty, 0)).expect("a frame");
    let late = 10 * gst::ClockTime::SECOND.nseconds() as i64;
    harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 1.5, late, gst::ClockTime::ZERO));
    let mut classified = |index| {
        let out = harness.push_and_pull(at(&marked, index)).expect("a late frame");
        faces(&out).iter().filter(|face| face.emotion.as_ref().is_some_and(|emotion| emotion.age.is_zero())).count()
    };
    assert_eq!([1, 10, 15, 16, 30].map(&mut classified), [3, 0, 0, 3, 0], "frames of 30 a second");
}

#[test]
fn a_sink_that_throttles_does_not_make_the_stream_late() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    harness.push_and_pull(at(&frame, 0)).expect("a frame");
    let throttle = gst::ClockTime::SECOND.nseconds() as i64;
    harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Throttle, 1.0, throttle, gst::ClockTime::ZERO));
    let out = harness.push_and_pull(at(&frame, 3)).expect("a frame");
    assert!(faces(&out).iter().all(|face| face.emotion.as_ref().is_some_and(|emotion| emotion.age.is_zero())));
}

#[test]
fn a_late_stream_classifies_fewer_faces_on_each_frame_rather_than_all_on_a_few() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    harness.push_and_pull(at(&frame, 0)).expect("a frame");
    for late in [0, 2].map(gst::ClockTime::from_nseconds) {
        harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 1.0, 1, late));
    }
    let mut classified = |index| {
        let out = harness.push_and_pull(at(&frame, index)).expect("a frame");
        faces(&out).iter().filter(|face| face.emotion.as_ref().expect("scores").age.is_zero()).count()
    };
    let counts: Vec<_> = (1..7).map(&mut classified).collect();
    assert_eq!(counts, [1, 1, 2, 1, 1, 2], "three faces, twice late: four ninths of them");
}

#[test]
fn stats_count_frames_and_time_each_step() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[("reclassify-interval", "2")]);
    (0..5).for_each(|index| drop(harness.push_and_pull(at(&frame, index)).expect("a frame")));
    let stats = harness.element().expect("an element").property::<gst::Structure>("stats");
    let counts = ["frames", "inferred", "skipped", "late", "faces"].map(|name| stats.get::<u64>(name).expect(name));
    assert_eq!(counts, [5, 3, 2, 0, 15], "{stats}");
    let p50 = |step: &str| stats.get::<u64>(format!("{step}-p50")).expect(step);
    assert!(p50("preprocess") > 0 && p50("classify") >= p50("inference") && p50("inference") > 0, "{stats}");
}

#[test]
fn what_is_held_adds_to_the_minimum_latency_and_a_source_that_cannot_wait_is_told() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let upstream = gst::ClockTime::from_mseconds(40);
    for (buffered, warnings) in [(upstream, 1), (gst::ClockTime::from_seconds(9), 0)] {
        let mut harness = harness(&info, &[]);
        (0..12).for_each(|index| drop(harness.push_and_pull(at(&frame, index)).expect("a frame")));
        let element = harness.element().expect("an element");
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let answer = move |_: &gst::Pad, info: &mut gst::PadProbeInfo| match info.query_mut().map(|query| query.view_mut()) {
            Some(gst::QueryViewMut::Latency(latency)) => {
                latency.set(true, upstream, Some(buffered));
                gst::PadProbeReturn::Handled
            }
            _ => gst::PadProbeReturn::Ok,
        };
        let sink = element.static_pad("sink").expect("a sink pad");
        sink.add_probe(gst::PadProbeType::QUERY_UPSTREAM | gst::PadProbeType::PUSH, answer).expect("a probe");
        let asked = [(); 2].map(|()| {
            let mut query = gst::query::Latency::new();
            assert!(element.static_pad("src").expect("a source pad").query(&mut query));
            query.result()
        });
        let (live, min, max) = asked[0];
        assert!(live && min > upstream, "{min}");
        assert_eq!(max, Some(buffered.max(min)), "buffering is not claimed, but the latency can be configured");
        let told = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning])).count();
        assert_eq!(told, warnings, "upstream waits for {buffered}");
    }
}

#[test]
fn smoothing_follows_a_change_by_its_half_life() {
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
        let mut out = harness.push_and_pull(at(&neutral, 0)).expect("a frame");
        (1..=frames).for_each(|index| out = harness.push_and_pull(at(&happy, index)).expect("a frame"));
        scores(&faces(&out)[0])[1]
    };
    let (before, after) = (happiness("0", 0), happiness("0", 1));
    assert!(after - before > 0.5, "from {before} to {after}");
    // 200 ms are six frames of 30 a second.
    let half_way = happiness("200000000", 6);
    assert!((half_way - (before + after) / 2.0).abs() < 0.05, "{half_way} is not half way from {before} to {after}");
}

#[test]
fn a_frame_without_faces_is_handed_on_as_it_is() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
    let kept = frame.clone();
    let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
    assert_eq!(out.peek_memory(0).as_ptr(), kept.peek_memory(0).as_ptr());
    assert!(custom::read(&out).is_empty());
}

#[test]
fn nobody_who_looks_for_faces_is_one_warning_on_the_bus() {
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
                custom::write(frame.make_mut(), Size::new(32, 32), &[]);
            }
            chain.push(at(&frame, index)).expect("a frame");
        }
        let sources = bus.iter_filtered(&[gst::MessageType::Warning]).filter_map(|message| Some(message.src()?.name().to_string()));
        let mut sources: Vec<_> = sources.map(|name| name.trim_end_matches(char::is_numeric).to_owned()).collect();
        sources.sort_unstable();
        sources
    };
    assert_eq!(warnings(false), ["emotionclassify", "emotionexport"]);
    assert!(warnings(true).is_empty(), "they were searched in vain");
}

#[test]
fn messages_come_when_a_label_changes() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let (empty, _) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
    let mut harness = harness(&info, &[("post-messages", "on-change")]);
    let bus = gst::Bus::new();
    harness.element().expect("an element").set_bus(Some(&bus));
    for (index, buffer) in [&frame, &frame, &frame, &empty, &empty].into_iter().enumerate() {
        harness.push_and_pull(at(buffer, index as u64)).expect("a frame");
    }
    let messages: Vec<_> =
        bus.iter_filtered(&[gst::MessageType::Element]).filter_map(|message| message.structure().map(ToOwned::to_owned)).collect();
    assert_eq!(messages.len(), 2, "three faces came, then none was left");
    assert!(messages.iter().all(|message| message.name() == "emotion"));
    let found = messages[0].get::<gst::List>("faces").expect("a list");
    let found: Vec<_> =
        found.iter().map(|face| face.get::<gst::Structure>().expect("a face").get::<String>("label").expect("a label")).collect();
    assert_eq!(found, NAMES);
}

#[test]
fn odd_boxes_do_no_harm() {
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
    assert_eq!(faces(&out).len(), 6, "a car is no face");
}

/// DL Streamer gives each region of each frame a new number; without its tracker nothing says which are one face.
#[test]
fn regions_of_dl_streamer_keep_an_id_though_their_numbers_change() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    for index in 0..3 {
        let mut next = at(&frame, index);
        for (number, mut region) in (index as i32 * 3 + 100..).zip(next.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>()) {
            region.set_id(number);
            region.add_param(gst::Structure::builder("detection").field("confidence", 0.9).field("label_id", 1_i32).build());
        }
        let out = harness.push_and_pull(next).expect("a frame");
        assert_eq!(faces(&out).iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2, 3], "frame {index}");
        assert_eq!(labels(&out), NAMES);
    }
}

/// As `ultralightfacedetectortensordec` writes them: objects, and neither regions nor tracks.
#[cfg(feature = "v1_24")]
#[test]
fn objects_of_a_stock_detector_are_scored_and_keep_an_id() {
    use gst_analytics::AnalyticsRelationMeta;
    use gst_analytics::prelude::*;
    if !runtime_fetched() {
        return;
    }
    let (mut frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
    {
        let mut meta = AnalyticsRelationMeta::add(frame.make_mut());
        for Rect { x, y, w, h } in three_faces().appearances(0.0).iter().map(|shown| shown.face) {
            let kind = gst::glib::Quark::from_str("face");
            meta.add_od_mtd(kind, x as i32, y as i32, w as i32, h as i32, 0.9).expect("room");
        }
    }
    let mut harness = harness(&info, &[]);
    for index in 0..3 {
        let out = harness.push_and_pull(at(&frame, index)).expect("a frame");
        assert_eq!(labels(&out), NAMES);
        for read in [faces(&out), gstemotion::meta::analytics::read(&out, VGA), roi::read(&out, VGA), custom::read(&out)] {
            assert_eq!(read.iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2, 3], "frame {index}");
        }
    }
}
