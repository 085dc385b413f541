// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionexport` with pushed buffers: caps, times, gaps, flush and end of stream.

mod summaries;
mod times;

use std::time::{Duration, SystemTime};

use emotion_core::export::Utc;
use emotion_core::geometry::{Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord};
use emotion_core::scores::{LabelSet, Scores};
use gst::ClockTime;
use gst::prelude::*;
use gst_check::Harness;
use gstemotion::meta;
use serde_json::Value;
use test_support::gstreamer::{flush, init};

const SIZE: Size = Size::new(320, 240);
const FRAME: ClockTime = ClockTime::from_mseconds(40);
const VIDEO: &str = "video/x-raw,format=GRAY8,width=320,height=240,framerate=25/1";

fn harness(launch: &str) -> Harness {
    init();
    let mut harness = Harness::new_parse(launch);
    harness.set_src_caps_str(VIDEO);
    harness
}

fn face(id: u32, label_id: usize) -> FaceRecord {
    let mut scores = [0.1, 0.1, 0.1];
    scores[label_id] = 0.8;
    FaceRecord {
        id,
        rect_norm: Rect::new(0.25, 0.25, 0.25, 0.5),
        detection: Some(DetectionInfo { confidence: 0.9, landmarks_norm: None, model_name: "test".into(), age: Duration::ZERO }),
        emotion: Some(EmotionResult {
            labels: LabelSet::new(["neutral", "happiness", "fear"]),
            scores: Scores::from_probabilities(scores),
            label_id: Some(label_id),
            reason: None,
            smoothed: false,
            age: Duration::ZERO,
        }),
        geometry: None,
        confirmed: true,
    }
}

fn untimed(faces: &[FaceRecord], size: Size) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(8).unwrap();
    meta::write_detections(buffer.make_mut(), size, faces);
    meta::write_emotions(buffer.make_mut(), size, faces);
    buffer
}

fn frame(index: u64, faces: &[FaceRecord]) -> gst::Buffer {
    let mut buffer = untimed(faces, SIZE);
    buffer.make_mut().set_pts(FRAME * index);
    buffer.make_mut().set_duration(FRAME);
    buffer
}

fn text(buffer: &gst::Buffer) -> String {
    String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap()
}

fn json(buffer: &gst::Buffer) -> Vec<Value> {
    text(buffer).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn pulled(harness: &mut Harness) -> Vec<gst::Buffer> {
    std::iter::from_fn(|| harness.try_pull()).collect()
}

/// Start and duration in milliseconds of the gaps that have arrived.
fn gaps(harness: &mut Harness) -> Vec<(u64, u64)> {
    std::iter::from_fn(|| harness.try_pull_event())
        .filter_map(|event| match event.view() {
            gst::EventView::Gap(gap) => Some((gap.get().0.mseconds(), gap.get().1.unwrap().mseconds())),
            _ => None,
        })
        .collect()
}

#[test]
fn each_format_has_its_caps_and_header() {
    for (format, caps, header) in [
        ("ndjson", "application/x-ndjson,schema=faces", None),
        ("ndjson aggregate-only=true", "application/x-ndjson,schema=summary", None),
        ("events hysteresis=0", "application/x-ndjson,schema=events", None),
        ("dlstreamer", "application/x-ndjson,schema=dlstreamer", None),
        ("events aggregate-only=true", "application/x-ndjson,schema=summary", None),
        ("csv", "text/csv", Some("stream,time_s,")),
        ("webvtt", "application/x-subtitle-vtt", Some("WEBVTT\n\n")),
        ("webvtt-metadata", "application/x-subtitle-vtt", Some("WEBVTT\n\n")),
        ("text", "text/x-raw,format=utf8", None),
        ("onvif-metadata", "application/x-onvif-metadata,parsed=true", None),
        ("onvif-metadata aggregate-only=true", "application/x-onvif-metadata,parsed=true", None),
    ] {
        let mut h = harness(&format!("emotionexport format={format}"));
        h.push(frame(0, &[face(1, 1)])).unwrap();
        h.push(frame(1, &[face(1, 1)])).unwrap();
        let src_caps = h.sinkpad().unwrap().current_caps().unwrap();
        assert!(src_caps.is_subset(&caps.parse::<gst::Caps>().unwrap()), "{src_caps}");
        let buffers = pulled(&mut h);
        // The second frame has no event.
        let texts = if src_caps.to_string().contains("events") { 1 } else { 2 };
        assert_eq!(buffers.len(), texts + usize::from(header.is_some()), "{format}");
        let stream_header = src_caps.structure(0).unwrap().get::<gst::Array>("streamheader").ok();
        assert_eq!(stream_header.is_some(), header.is_some());
        if let Some(header) = header {
            assert!(text(&buffers[0]).starts_with(header));
            assert!(buffers[0].flags().contains(gst::BufferFlags::HEADER));
            assert_eq!(text(&stream_header.unwrap()[0].get::<gst::Buffer>().unwrap()), text(&buffers[0]));
        }
    }
}

#[test]
fn text_has_the_time_of_its_frame_and_the_values_of_its_metadata() {
    let mut h = harness("emotionexport");
    h.set_live(false);
    h.push(frame(7, &[face(3, 1), face(4, 2)])).unwrap();
    let buffer = h.pull().unwrap();
    assert_eq!((buffer.pts(), buffer.duration()), (Some(FRAME * 7), Some(FRAME)));
    let records = json(&buffer);
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["pts"], (FRAME * 7).nseconds());
    assert_eq!((&records[0]["id"], &records[1]["id"]), (&3.into(), &4.into()));
    assert_eq!((&records[0]["label"], &records[1]["label"]), (&"happiness".into(), &"fear".into()));
    assert_eq!(records[0]["box"], serde_json::json!({"x": 0.25, "y": 0.25, "w": 0.25, "h": 0.5}));
    assert_eq!(records[0]["utc"], Value::Null);
}

#[test]
fn events_are_sent_after_the_hysteresis_and_at_the_end() {
    let mut h = harness("emotionexport format=events hysteresis=80000000");
    (0..4).for_each(|index| assert!(h.push(frame(index, &[face(3, 1)])).is_ok()));
    let buffer = h.pull().unwrap();
    assert_eq!((buffer.pts(), buffer.duration()), (Some(FRAME * 2), Some(FRAME)));
    let kinds: Vec<_> = json(&buffer).iter().map(|event| (event["type"].to_string(), event["pts"].as_u64())).collect();
    assert_eq!(kinds, [("\"appeared\"".into(), Some(0)), ("\"expression\"".into(), Some(0))]);
    assert_eq!(gaps(&mut h), [(0, 40), (40, 40), (120, 40)]);
    h.push_event(gst::event::Eos::new());
    let left = json(&h.pull().unwrap());
    assert_eq!((&left[0]["type"], &left[0]["duration"]), (&"left".into(), &(FRAME * 4).nseconds().into()));
}

#[test]
fn frames_without_faces_are_gaps() {
    let mut h = harness("emotionexport");
    h.push(frame(0, &[face(1, 0)])).unwrap();
    h.push(frame(1, &[])).unwrap();
    h.push(frame(2, &[])).unwrap();
    assert_eq!(pulled(&mut h).len(), 1);
    assert_eq!(gaps(&mut h), [(40, 40), (80, 40)]);
}

#[test]
fn gaps_from_upstream_are_forwarded() {
    let mut h = harness("emotionexport");
    h.push(frame(0, &[face(1, 0)])).unwrap();
    h.push_event(gst::event::Gap::builder(FRAME).duration(ClockTime::SECOND).build());
    assert_eq!(gaps(&mut h), [(40, 1000)]);
}

#[test]
fn the_first_buffer_and_those_after_a_segment_or_a_flush_are_discontinuous() {
    let mut h = harness("emotionexport format=csv");
    let mut discont = |events: &[gst::Event]| -> Vec<bool> {
        events.iter().for_each(|event| assert!(h.push_event(event.clone())));
        for index in 0..2 {
            h.push(frame(index, &[face(1, 1)])).unwrap();
        }
        pulled(&mut h).iter().map(|buffer| buffer.flags().contains(gst::BufferFlags::DISCONT)).collect()
    };
    let segment = gst::event::Segment::new(&gst::FormattedSegment::<ClockTime>::new());
    assert_eq!(discont(&[]), [true, false, false], "the header, then two rows");
    assert_eq!(discont(&[]), [false, false]);
    assert_eq!(discont(std::slice::from_ref(&segment)), [true, false]);
    assert_eq!(discont(&[gst::event::FlushStart::new(), gst::event::FlushStop::new(true), segment]), [true, false]);
}

#[test]
fn on_change_exports_changes_only() {
    let mut h = harness("emotionexport on-change=true");
    for (index, label_id) in [0, 0, 1, 1, 0].into_iter().enumerate() {
        h.push(frame(index as u64, &[face(1, label_id)])).unwrap();
    }
    let changes: Vec<_> = pulled(&mut h).iter().map(|buffer| json(buffer)[0]["frame"].as_u64().unwrap()).collect();
    assert_eq!(changes, [0, 2, 4]);
}

#[test]
fn a_file_without_records_still_has_its_header() {
    let mut h = harness("emotionexport format=webvtt");
    h.push(frame(0, &[])).unwrap();
    h.push_event(gst::event::Eos::new());
    assert_eq!(pulled(&mut h).iter().map(text).collect::<String>(), "WEBVTT\n\n");
}

#[test]
fn each_run_has_its_own_header() {
    let mut h = harness("emotionexport format=csv");
    for _ in 0..2 {
        h.play();
        h.push(frame(0, &[face(1, 1)])).unwrap();
        let headers = pulled(&mut h).iter().filter(|buffer| buffer.flags().contains(gst::BufferFlags::HEADER)).count();
        assert_eq!(headers, 1);
        h.element().unwrap().set_state(gst::State::Ready).unwrap();
        h.set_src_caps_str(VIDEO);
    }
}

#[test]
fn a_change_of_size_changes_nothing_downstream() {
    let mut h = harness("emotionexport");
    h.push(frame(0, &[face(1, 1)])).unwrap();
    let caps = |h: &mut Harness| std::iter::from_fn(|| h.try_pull_event()).filter(|event| event.type_() == gst::EventType::Caps).count();
    assert_eq!(caps(&mut h), 1);
    h.set_src_caps_str("video/x-raw(memory:SomeMemory),format=NV12,width=640,height=480,framerate=0/1");
    h.push(untimed(&[face(1, 1)], Size::new(640, 480))).unwrap();
    h.push_event(gst::event::Eos::new());
    assert_eq!(caps(&mut h), 0);
    let records: Vec<_> = pulled(&mut h).iter().flat_map(json).collect();
    assert_eq!(records[0]["box"], records[1]["box"]);
}

#[test]
fn unconfirmed_faces_are_not_exported() {
    let mut h = harness("emotionexport");
    h.push(frame(0, &[face(1, 1), FaceRecord { confirmed: false, ..face(2, 1) }])).unwrap();
    let ids: Vec<_> = json(&h.pull().unwrap()).iter().map(|record| record["id"].clone()).collect();
    assert_eq!(ids, [1]);
}

#[test]
fn streams_have_separate_ids_and_frame_numbers() {
    init();
    let mut streams = ["left", "right"].map(|id| {
        let mut h = Harness::new_parse("emotionexport");
        h.push_event(gst::event::StreamStart::new(id));
        h.push_event(gst::event::Caps::new(&VIDEO.parse().unwrap()));
        h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<ClockTime>::new()));
        (id, h)
    });
    for index in 0..3 {
        for (id, h) in &mut streams {
            h.push(frame(index, &[face(1, 1)])).unwrap();
            let record = json(&h.pull().unwrap()).remove(0);
            assert_eq!((&record["stream"], &record["frame"]), (&(*id).into(), &index.into()));
        }
    }
    for (id, h) in &streams {
        let start = h.sinkpad().unwrap().sticky_event::<gst::event::StreamStart>(0).unwrap();
        assert_eq!(start.stream_id(), format!("{id}/emotion"));
        assert!(start.stream_flags().contains(gst::StreamFlags::SPARSE));
    }
}

#[test]
fn the_property_source_names_the_stream_in_every_record() {
    for (format, field) in [("ndjson", r#""stream":"door""#), ("csv", "door,0.04,0.04,"), ("webvtt-metadata", r#""stream":"door""#)] {
        for summaries in [false, true] {
            let mut h = harness(&format!("emotionexport source=gate format={format} aggregate-only={summaries}"));
            h.push(frame(0, &[face(1, 1)])).unwrap();
            assert!(pulled(&mut h).iter().map(text).collect::<String>().contains("gate"), "{format}");
            h.find_element("emotionexport").unwrap().set_property("source", "door");
            h.push(frame(1, &[face(1, 1)])).unwrap();
            let renamed = pulled(&mut h).iter().map(text).collect::<String>();
            assert!(renamed.contains(field) && !renamed.contains("gate"), "{renamed}");
        }
    }
}

#[test]
fn allocation_queries_accept_any_layout() {
    let mut h = harness("emotionexport");
    let mut query = gst::query::Allocation::new(Some(&VIDEO.parse().unwrap()), false);
    assert!(h.srcpad().unwrap().peer_query(&mut query));
    assert!(query.find_allocation_meta::<gst_video::VideoMeta>().is_some());
    // An error from downstream is returned unchanged.
    h.sinkpad().unwrap().set_active(false).unwrap();
    assert_eq!(h.push(frame(0, &[face(1, 1)])), Err(gst::FlowError::Flushing));
}

#[test]
fn qos_events_stop_here_but_seeks_go_upstream() {
    let mut h = harness("emotionexport");
    h.push(frame(0, &[])).unwrap();
    let sink = h.sinkpad().unwrap();
    sink.push_event(gst::event::Qos::new(gst::QOSType::Underflow, 2.0, 1, ClockTime::ZERO));
    sink.push_event(gst::event::Seek::new(
        1.0,
        gst::SeekFlags::FLUSH,
        gst::SeekType::Set,
        ClockTime::SECOND,
        gst::SeekType::None,
        ClockTime::NONE,
    ));
    let events: Vec<_> = std::iter::from_fn(|| h.try_pull_upstream_event()).map(|event| event.type_()).collect();
    assert!(events.contains(&gst::EventType::Seek) && !events.contains(&gst::EventType::Qos), "{events:?}");
}

#[test]
fn force_key_unit_events_pass_and_stream_tags_do_not() {
    let mut h = harness("emotionexport");
    h.push(frame(0, &[])).unwrap();
    h.push_event(gst_video::DownstreamForceKeyUnitEvent::builder().build());
    for scope in [gst::TagScope::Stream, gst::TagScope::Global] {
        let mut tags = gst::TagList::new();
        tags.make_mut().add::<gst::tags::Title>(&"title", gst::TagMergeMode::Append);
        tags.make_mut().set_scope(scope);
        h.push_event(gst::event::Tag::new(tags));
    }
    let events: Vec<_> = std::iter::from_fn(|| h.try_pull_event()).collect();
    assert!(events.iter().any(|event| gst_video::ForceKeyUnitEvent::is(event)));
    let scopes: Vec<_> = events
        .iter()
        .filter_map(|event| match event.view() {
            gst::EventView::Tag(tag) => Some(tag.tag().scope()),
            _ => None,
        })
        .collect();
    assert_eq!(scopes, [gst::TagScope::Global]);
}
