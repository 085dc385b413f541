// SPDX-License-Identifier: MIT OR Apache-2.0
//! Late streams: which frames are searched, and that none is dropped.

use super::*;

#[test]
fn late_frames_are_not_searched_but_all_are_forwarded() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::Gray8);
    assert!(!harness.element().expect("an element").property::<bool>("qos"), "BaseTransform would drop frames");
    let first = harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
    assert_eq!(faces(&first).len(), 3);
    // Frame 0 was late by 1 s, so frames before 2 s are too late to be searched.
    let late = gst::ClockTime::SECOND;
    harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 1.5, late.nseconds() as i64, gst::ClockTime::ZERO));
    let mut searched = |index| was_searched(&mut harness, frame_at(&frame, index));
    for index in 1..15 {
        assert!(!searched(index), "frame {index}");
    }
    assert!(searched(15), "a frame is searched at least every half second");
    assert!(!searched(16), "late again");
    assert!(searched(70), "the stream is on time again");
}

#[test]
fn a_late_stream_is_searched_at_once_when_time_goes_back() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::Nv12);
    assert!(was_searched(&mut harness, frame_at(&frame, 300)));
    let late = 10 * gst::ClockTime::SECOND.nseconds() as i64;
    harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 1.5, late, gst::ClockTime::ZERO));
    assert!(!was_searched(&mut harness, frame_at(&frame, 301)));
    assert!(was_searched(&mut harness, frame_at(&frame, 0)), "this timeline has not been searched yet");
    assert!(!was_searched(&mut harness, frame_at(&frame, 1)));
    assert!(was_searched(&mut harness, frame_at(&frame, 15)), "half a second later");
}

#[test]
fn a_late_stream_is_searched_less_often_for_a_while() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = detector(VideoFormat::Gray8);
    let qos = |harness: &mut Harness, diff: i64, index: u64| {
        let kind = if diff > 0 { gst::QOSType::Underflow } else { gst::QOSType::Overflow };
        harness.push_upstream_event(gst::event::Qos::new(kind, 1.0, diff, index * gst::ClockTime::SECOND / 30));
    };
    was_searched(&mut harness, frame_at(&frame, 0));
    (0..8).step_by(2).for_each(|index| qos(&mut harness, 20_000_000, index));
    qos(&mut harness, -1, 8);
    let mut searches = |frames: std::ops::Range<u64>| {
        let found = frames.map(|index| {
            qos(&mut harness, -1, index);
            u32::from(was_searched(&mut harness, frame_at(&frame, index)))
        });
        found.sum::<u32>()
    };
    let (soon, later) = (searches(9..21), searches(150..162));
    assert!((2..=3).contains(&soon), "late four times, so every fourth or fifth frame: {soon} of 12");
    let recovered = searches(162..262);
    assert!(later < 12 && recovered > 60, "{later} of 12, then {recovered} of 100");
}
