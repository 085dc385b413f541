// SPDX-License-Identifier: MIT OR Apache-2.0
//! Times of the text: durations, intervals, time of day, latency.

use super::*;

#[test]
fn missing_times_are_derived_from_the_previous_frame() {
    let mut h = harness("emotionexport");
    h.push(frame(5, &[face(1, 0)])).unwrap();
    h.push(untimed(&[face(1, 0)], SIZE)).unwrap();
    h.push(untimed(&[face(1, 0)], SIZE)).unwrap();
    let times: Vec<_> = pulled(&mut h).iter().map(|buffer| (buffer.pts(), buffer.duration())).collect();
    assert_eq!(times, [5, 6, 7].map(|index| (Some(FRAME * index), Some(FRAME))));
}

/// Exports frames that have timestamps but no duration, and returns the spans of the text.
fn stamped(times: &[ClockTime]) -> (Harness, Vec<(ClockTime, ClockTime)>) {
    init();
    let mut h = Harness::new_parse("emotionexport format=webvtt");
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=320,height=240,framerate=0/1");
    for &pts in times {
        let mut buffer = untimed(&[face(1, 0)], SIZE);
        buffer.make_mut().set_pts(pts);
        h.push(buffer).unwrap();
    }
    h.push_event(gst::event::Eos::new());
    let cues = pulled(&mut h).into_iter().filter(|buffer| !buffer.flags().contains(gst::BufferFlags::HEADER));
    let spans = cues.map(|buffer| (buffer.pts().unwrap(), buffer.pts().unwrap() + buffer.duration().unwrap())).collect();
    (h, spans)
}

#[test]
fn without_durations_and_a_frame_rate_a_cue_lasts_until_the_next() {
    for fps in [15, 60] {
        let times: Vec<_> = (0..30).map(|index| index * ClockTime::SECOND / fps).collect();
        let (mut h, spans) = stamped(&times);
        assert_eq!(spans.iter().map(|span| span.0).collect::<Vec<_>>(), times, "{fps} frames per second");
        assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "{fps} frames per second: {spans:?}");
        let (start, end) = spans[29];
        assert!((end - start).nseconds().abs_diff(1_000_000_000 / fps) <= 1, "the last frame has the same duration");
        assert_eq!(gaps(&mut h), []);
    }
}

#[test]
fn a_frame_without_a_duration_ends_at_a_gap_and_is_dropped_by_a_flush() {
    let mut h = harness("emotionexport");
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=320,height=240,framerate=0/1");
    let at = |pts: ClockTime| {
        let mut buffer = untimed(&[face(1, 0)], SIZE);
        buffer.make_mut().set_pts(pts);
        buffer
    };
    h.push(at(ClockTime::ZERO)).unwrap();
    assert_eq!(pulled(&mut h).len(), 0, "its duration is not known yet");
    h.push_event(gst::event::Gap::builder(FRAME).duration(FRAME).build());
    assert_eq!(pulled(&mut h).iter().map(|buffer| buffer.duration()).collect::<Vec<_>>(), [Some(FRAME)]);
    h.push(at(FRAME * 2)).unwrap();
    flush(&mut h);
    h.push_event(gst::event::Eos::new());
    assert_eq!(pulled(&mut h).len(), 0);
}

#[test]
fn text_lasts_for_its_interval() {
    let mut h = harness("emotionexport interval=100000000 format=text");
    for index in 0..6 {
        h.push(frame(index, &[face(1, 0)])).unwrap();
    }
    let times: Vec<_> =
        pulled(&mut h).iter().map(|buffer| (buffer.pts().unwrap().mseconds(), buffer.duration().unwrap().mseconds())).collect();
    assert_eq!(times, [(0, 120), (120, 80), (200, 120)]);
    assert_eq!(gaps(&mut h), []);
}

#[test]
fn utc_is_taken_from_reference_timestamps() {
    let mut h = harness("emotionexport");
    for (reference, seconds) in [("timestamp/x-unix", 951_868_800), ("timestamp/x-ntp", 951_868_800 + 2_208_988_800)] {
        let mut buffer = frame(0, &[face(1, 1)]);
        let reference = gst::Caps::new_empty_simple(reference);
        gst::meta::ReferenceTimestampMeta::add(buffer.make_mut(), &reference, ClockTime::from_seconds(seconds), None);
        h.push(buffer).unwrap();
        assert_eq!(json(&h.pull().unwrap())[0]["utc"], "2000-03-01T00:00:00.000000Z");
    }
}

/// The time in the metadata of an ONVIF document, and the one in its text.
fn onvif_times(document: &gst::Buffer) -> (Utc, String) {
    let metas: Vec<_> = document.iter_meta::<gst::meta::ReferenceTimestampMeta>().collect();
    assert_eq!(metas.len(), 1);
    assert_eq!(metas[0].reference().to_string(), "timestamp/x-unix");
    let text = text(document);
    let utc = text.split("UtcTime=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a time").to_owned();
    (Utc(metas[0].timestamp().nseconds()), utc)
}

#[test]
fn an_onvif_document_has_the_time_that_it_states_as_metadata() {
    for options in ["", "aggregate-only=true"] {
        let mut h = harness(&format!("emotionexport format=onvif-metadata {options}"));
        for (reference, seconds) in [("timestamp/x-unix", 951_868_800), ("timestamp/x-ntp", 951_868_800 + 2_208_988_800)] {
            let mut buffer = frame(0, &[face(1, 1)]);
            let reference = gst::Caps::new_empty_simple(reference);
            let time = ClockTime::from_seconds(seconds) + ClockTime::from_nseconds(123_456_789);
            gst::meta::ReferenceTimestampMeta::add(buffer.make_mut(), &reference, time, None);
            h.push(buffer).unwrap();
            let times = onvif_times(&h.pull().unwrap());
            assert_eq!(times, (Utc(951_868_800_123_456_789), "2000-03-01T00:00:00.123456Z".into()), "{reference} {options}");
        }
    }
}

#[test]
fn an_onvif_document_of_a_source_without_a_time_has_that_of_the_clock_or_the_position_in_the_file() {
    let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    for (is_live, earliest) in [(true, before.as_nanos() as u64 - 60_000_000_000), (false, 80_000_000)] {
        let mut h = harness("emotionexport format=onvif-metadata");
        h.set_live(is_live);
        let element = h.find_element("emotionexport").unwrap();
        element.set_clock(Some(&gst_check::TestClock::with_start_time(ClockTime::from_seconds(100)))).unwrap();
        element.set_base_time(ClockTime::from_seconds(98));
        h.push(frame(2, &[face(1, 1)])).unwrap();
        let (utc, stated) = onvif_times(&h.pull().unwrap());
        assert_eq!(utc.to_string(), stated);
        assert!((earliest..earliest + 120_000_000_000).contains(&utc.0) && (is_live || utc.0 == earliest), "{utc}, live: {is_live}");
    }
}

#[test]
fn other_formats_have_no_time_of_day_as_metadata() {
    let mut h = harness("emotionexport");
    h.push(frame(0, &[face(1, 1)])).unwrap();
    assert_eq!(h.pull().unwrap().iter_meta::<gst::meta::ReferenceTimestampMeta>().count(), 0);
}

#[test]
fn utc_of_a_live_frame_is_derived_from_the_clock() {
    let mut h = harness("emotionexport");
    let clock = gst_check::TestClock::with_start_time(ClockTime::from_seconds(100));
    let element = h.find_element("emotionexport").unwrap();
    element.set_clock(Some(&clock)).unwrap();
    element.set_base_time(ClockTime::from_seconds(98));
    let mut utc_at = |index| {
        h.push(frame(index, &[face(1, 1)])).unwrap();
        json(&h.pull().unwrap())[0]["utc"].as_str().unwrap().to_owned()
    };
    // The clock stands at a running time of 2 s, so frame 50 is now and frame 0 was 2 s ago.
    let before = Utc(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64);
    let now = utc_at(50);
    assert!(now >= before.to_string() && now <= Utc(before.0 + 60_000_000_000).to_string(), "{now} is not just after {before}");
    assert!(utc_at(0) < now);
}

#[test]
fn extreme_intervals_and_timestamps_do_not_overflow() {
    let mut h = harness(&format!("emotionexport interval={}", u64::MAX));
    h.push(frame(0, &[face(1, 0)])).unwrap();
    let mut last = untimed(&[face(1, 0)], SIZE);
    last.make_mut().set_pts(ClockTime::MAX);
    h.push(last).unwrap();
    h.push_event(gst::event::Eos::new());
    assert!(!pulled(&mut h).is_empty());
}

#[test]
fn the_latency_is_that_of_upstream() {
    let mut h = harness("emotionexport");
    h.set_upstream_latency(ClockTime::from_mseconds(50));
    h.push(frame(0, &[face(1, 1)])).unwrap();
    assert_eq!(h.query_latency(), Some(ClockTime::from_mseconds(50)));
}
