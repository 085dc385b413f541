// SPDX-License-Identifier: MIT OR Apache-2.0
//! Late streams and latency: which faces are classified, and what the element reports.

use super::*;

#[test]
fn late_frames_keep_the_last_scores_with_their_age() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
    let late = gst::ClockTime::SECOND.nseconds() as i64;
    harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 1.5, late, gst::ClockTime::ZERO));
    let out = harness.push_and_pull(frame_at(&frame, 12)).expect("a late frame");
    let face = faces(&out).swap_remove(1);
    let emotion = face.emotion.expect("the last scores");
    assert_eq!((emotion.label(), emotion.age), ("happiness", Duration::from_millis(400)));
    let out = harness.push_and_pull(frame_at(&frame, 15)).expect("a late frame");
    let ages: Vec<_> = faces(&out).into_iter().map(|face| face.emotion.expect("scores").age).collect();
    assert_eq!(ages, [Duration::ZERO; 3], "faces are classified at least every half second");
}

#[test]
fn after_a_seek_backwards_a_late_stream_is_still_classified_every_half_second() {
    if !runtime_fetched() {
        return;
    }
    let ((marked, info), (empty, _)) = (frame(VideoFormat::Nv12), buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12));
    let mut harness = harness(&info, &[]);
    harness.push_and_pull(frame_at(&marked, 300)).expect("a frame at ten seconds");
    flush(&mut harness);
    harness.push_and_pull(frame_at(&empty, 0)).expect("a frame");
    let late = 10 * gst::ClockTime::SECOND.nseconds() as i64;
    harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 1.5, late, gst::ClockTime::ZERO));
    let mut classified = |index| {
        let out = harness.push_and_pull(frame_at(&marked, index)).expect("a late frame");
        faces(&out).iter().filter(|face| face.emotion.as_ref().is_some_and(|emotion| emotion.age.is_zero())).count()
    };
    assert_eq!([1, 10, 15, 16, 30].map(&mut classified), [3, 0, 0, 3, 0], "at 30 frames per second");
}

#[test]
fn a_sink_that_throttles_does_not_make_the_stream_late() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
    let throttle = gst::ClockTime::SECOND.nseconds() as i64;
    harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Throttle, 1.0, throttle, gst::ClockTime::ZERO));
    let out = harness.push_and_pull(frame_at(&frame, 3)).expect("a frame");
    assert!(faces(&out).iter().all(|face| face.emotion.as_ref().is_some_and(|emotion| emotion.age.is_zero())));
}

#[test]
fn a_late_stream_classifies_fewer_faces_on_each_frame_rather_than_all_on_a_few() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    harness.push_and_pull(frame_at(&frame, 0)).expect("a frame");
    for late in [0, 2].map(gst::ClockTime::from_nseconds) {
        harness.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 1.0, 1, late));
    }
    let mut classified = |index| {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        faces(&out).iter().filter(|face| face.emotion.as_ref().expect("scores").age.is_zero()).count()
    };
    let counts: Vec<_> = (1..7).map(&mut classified).collect();
    assert_eq!(counts, [1, 1, 2, 1, 1, 2], "three faces, late twice: 4/9 of them");
}

#[test]
fn processing_time_adds_to_the_latency_and_a_source_without_buffering_is_warned_of() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let upstream = gst::ClockTime::from_mseconds(40);
    for (buffered, warnings) in [(upstream, 1), (gst::ClockTime::from_seconds(9), 0)] {
        let mut harness = harness(&info, &[]);
        (0..20).for_each(|index| drop(harness.push_and_pull(frame_at(&frame, index)).expect("a frame")));
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
        let answers = [(); 2].map(|()| {
            let mut query = gst::query::Latency::new();
            assert!(element.static_pad("src").expect("a source pad").query(&mut query));
            query.result()
        });
        let (live, min, max) = answers[0];
        assert!(live && min > upstream, "{min}");
        assert_eq!(max, Some(buffered.max(min)), "no buffering is claimed, but the latency can be configured");
        let warned = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning])).count();
        assert_eq!(warned, warnings, "upstream buffers {buffered}");
    }
}

/// The latency that `emotionclassify` adds to a live stream of 40 frames, of which the first ones show many faces and the others
/// one, and the longest time that a frame was held.
fn added_latency(first: usize) -> (gst::ClockTime, gst::ClockTime) {
    const MANY: u32 = 48;
    init();
    let line = "videotestsrc num-buffers=40 is-live=true ! video/x-raw,format=GRAY8,width=640,height=480,framerate=30/1 \
        ! emotionclassify name=classify max-faces-per-frame=64 motion-gate=false ! fakesink sync=true";
    let pipeline = gst::parse::launch(line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let classify = pipeline.by_name("classify").expect("the element");
    let frames = std::sync::atomic::AtomicUsize::new(0);
    classify.static_pad("sink").expect("a pad").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let is_first = frames.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < first;
        if let Some(buffer) = info.buffer_mut() {
            let place = |index: u32| Rect::new((index % 8 * 80) as f32, (index / 8 * 80) as f32, 70.0, 70.0);
            (0..if is_first { MANY } else { 1 }).for_each(|index| mark(buffer.make_mut(), place(index)));
        }
        gst::PadProbeReturn::Ok
    });
    play(&pipeline).expect("the stream ends");
    let minimum = |pad: gst::Pad| {
        let mut query = gst::query::Latency::new();
        assert!(pad.query(&mut query) && query.result().0, "a live stream has a latency");
        query.result().1
    };
    let pad = |name| classify.static_pad(name).expect("a pad");
    let added = minimum(pad("src")) - minimum(pad("sink").peer().expect("the source"));
    let longest = gst::ClockTime::from_useconds(count(&classify, "classify-p99"));
    pipeline.set_state(gst::State::Null).expect("it stops");
    (added, longest)
}

#[test]
fn the_first_frames_of_a_live_stream_do_not_raise_its_latency() {
    if !runtime_fetched() {
        return;
    }
    // Other work on the machine may hold later frames, too, but not each time.
    let mut tries = Vec::new();
    while !tries.last().is_some_and(|&(added, longest)| added > gst::ClockTime::ZERO && added < longest / 2) {
        assert!(tries.len() < 5, "what is added, and for how long the longest frame was held: {tries:?}");
        tries.push(added_latency(3));
    }
    let (added, longest) = added_latency(40);
    assert!(added > longest / 2, "{added} is added, and all frames were held for up to {longest}");
}
