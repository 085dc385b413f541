// SPDX-License-Identifier: MIT OR Apache-2.0
//! Summaries of intervals: content, last one, flush, segments.

use super::*;

#[test]
fn summaries_have_no_single_faces_and_the_last_one_precedes_eos() {
    let mut h = harness("emotionexport aggregate-only=true interval=80000000");
    for index in 0..3 {
        h.push(frame(index, &[face(index as u32 + 1, 1), face(9, 0)])).unwrap();
    }
    assert_eq!(pulled(&mut h).len(), 1);
    assert!(h.push_event(gst::event::Eos::new()));
    let buffers = pulled(&mut h);
    assert_eq!(buffers.len(), 1);
    assert!(buffers[0].pts().is_some() && buffers[0].duration() == Some(FRAME));
    let record = &json(&buffers[0])[0];
    assert_eq!((&record["pts"], &record["frames"], &record["faces_max"]), (&80_000_000.into(), &1.into(), &2.into()));
    assert_eq!(record["counts"], serde_json::json!({"neutral": 1, "happiness": 1, "fear": 0, "unknown": 0}));
    for key in ["id", "box", "landmarks", "frame"] {
        assert!(record.get(key).is_none(), "{key}");
    }
    let events: Vec<_> = std::iter::from_fn(|| h.try_pull_event()).map(|event| event.type_()).collect();
    assert_eq!(events.last(), Some(&gst::EventType::Eos));
}

#[test]
fn the_last_summary_lies_inside_its_segment() {
    init();
    let mut h = Harness::new_parse("emotionexport aggregate-only=true interval=1000000000");
    h.push_event(gst::event::StreamStart::new("video"));
    h.push_event(gst::event::Caps::new(&VIDEO.parse().unwrap()));
    let mut segment = gst::FormattedSegment::<ClockTime>::new();
    segment.set_stop(FRAME * 2);
    h.push_event(gst::event::Segment::new(&segment));
    h.push(frame(0, &[face(1, 1)])).unwrap();
    h.push(frame(1, &[face(1, 1)])).unwrap();
    h.push_event(gst::event::Eos::new());
    let pts = h.pull().unwrap().pts().unwrap();
    assert!(segment.clip(pts, pts + FRAME).is_some());
}

#[test]
fn a_flush_drops_the_open_summary_and_does_not_repeat_the_header() {
    let mut h = harness("emotionexport format=csv aggregate-only=true interval=80000000");
    for index in 0..3 {
        h.push(frame(index, &[face(1, 1)])).unwrap();
    }
    assert_eq!(pulled(&mut h).len(), 2);
    flush(&mut h);
    h.push(frame(0, &[face(1, 1)])).unwrap();
    h.push_event(gst::event::Eos::new());
    let buffers = pulled(&mut h);
    assert_eq!(buffers.len(), 1);
    assert!(text(&buffers[0]).contains(",0,40000000,"));
}

#[test]
fn a_summary_ends_where_a_new_segment_begins() {
    let mut h = harness("emotionexport aggregate-only=true interval=1000000000");
    h.push(frame(0, &[face(1, 1)])).unwrap();
    let mut segment = gst::FormattedSegment::<ClockTime>::new();
    segment.set_start(ClockTime::from_seconds(10));
    h.push_event(gst::event::Segment::new(&segment));
    assert_eq!(pulled(&mut h).len(), 1);
    let mut later = frame(250, &[face(1, 1)]);
    later.make_mut().set_duration(None);
    h.push(later).unwrap();
    h.push_event(gst::event::Eos::new());
    let record = &json(&h.pull().unwrap())[0];
    assert_eq!((&record["pts"], &record["running_time"], &record["duration"]), (&10_000_000_000_u64.into(), &0.into(), &40_000_000.into()));
}
