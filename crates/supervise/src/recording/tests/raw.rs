// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes between encoded and raw frames, and between raw ones that show faces and such that hide them.

use super::*;
use crate::decoding::Encoded;
use crate::hiding::Hiding;
use crate::recording::camera::Tap;

#[test]
fn no_encoded_frame_is_recorded_from_the_moment_at_which_raw_ones_are_wanted() {
    let (recorder, notices, folder) = recorder("raw-only", 60_000);
    let source = "videotestsrc is-live=true num-buffers=120 ! video/x-raw,format=I420,width=64,height=64,framerate=20/1 \
                  ! x264enc tune=zerolatency key-int-max=10 ! h264parse";
    let pipeline = record_encoded(&recorder, source, gst::ClockTime::ZERO);
    let (decoded, latest) = channel();
    let pad = pipeline.iterate_sinks().next().unwrap().unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let segment = pad.sticky_event::<gst::event::Segment>(0).unwrap();
        let segment = segment.segment().downcast_ref::<gst::ClockTime>().unwrap();
        let _ = decoded.send(segment.to_running_time(info.buffer().unwrap().pts()).unwrap());
        gst::PadProbeReturn::Ok
    });
    // Waits for a decoded frame of a time or a later one. On a busy machine, that is long after the time itself.
    let wait_for = |time| while latest.recv_timeout(Duration::from_secs(60)).unwrap() < time {};
    let now = || pipeline.current_running_time().unwrap();
    wait_for(gst::ClockTime::from_seconds(2));
    let raw_from = now();
    // The time does not matter after encoded frames.
    recorder.set_raw_only(true, true, raw_from + gst::ClockTime::SECOND);
    assert!(recorder.takes_raw());
    wait_for(raw_from + gst::ClockTime::from_mseconds(300));
    recorder.set_raw_only(false, false, now());
    wait(&pipeline);
    assert!(!recorder.takes_raw());
    assert!(recorder.finish(Duration::from_secs(60)));
    let pairs = recorded(&folder);
    assert!((3..5).contains(&pairs.len()), "encoded, hidden, perhaps shown until a key frame, encoded: {pairs:?}");
    assert!(pairs.iter().all(|(frames, records)| *frames > 0 && frames == records), "{pairs:?}");
    assert!(pairs[0].0 >= 35 && pairs[1].0 >= 6 && pairs[pairs.len() - 1].0.is_multiple_of(10), "{pairs:?}");
    assert_eq!(pairs.iter().map(|(frames, _)| frames).sum::<usize>(), 120, "{pairs:?}");
    assert!(notices.lock().is_empty(), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_waits_when_faces_are_hidden_leaves_neither_a_raw_frame_nor_a_record() {
    let (recorder, notices, folder) = recorder("hidden", 60_000);
    let ms = gst::ClockTime::from_mseconds;
    push(&recorder, 0..10);
    recorder.set_raw_only(true, true, ms(1450));
    push(&recorder, 10..20);
    // As when a command comes again, or another one.
    recorder.set_raw_only(true, true, ms(2150));
    push(&recorder, 20..25);
    recorder.set_raw_only(true, false, ms(2650));
    push(&recorder, 25..30);
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(10, 10), (10, 10), (5, 5)], "no recording shows faces and hides them");
    assert!(notices.lock().is_empty(), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}

/// An encoded frame.
fn key_frame() -> Frame {
    let (send, encoded) = channel();
    let one = "videotestsrc num-buffers=1 ! video/x-raw,format=I420,width=64,height=64 ! x264enc ! h264parse";
    let one = play(one, move |sample| send.send((sample.caps_owned().unwrap(), sample.buffer_owned().unwrap())).unwrap());
    one.set_state(gst::State::Playing).unwrap();
    wait(&one);
    let (caps, buffer) = encoded.recv().unwrap();
    Frame { caps, buffer, time: gst::ClockTime::ZERO }
}

#[test]
fn encoded_frames_that_come_after_raw_ones_of_their_time_are_not_recorded_again() {
    let (recorder, notices, folder) = recorder("again", 60_000);
    let key_frame = key_frame();
    let push_key = |ms| recorder.push(Frame { time: gst::ClockTime::from_mseconds(ms), ..key_frame.clone() });
    push(&recorder, 0..10);
    recorder.set_encoded(true);
    push_key(900);
    push(&recorder, 10..15);
    push_key(1500);
    push(&recorder, 15..20);
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(15, 15), (1, 1)]);
    assert!(notices.lock().is_empty(), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn no_encoded_frame_of_before_the_end_of_hiding_is_recorded() {
    let (recorder, notices, folder) = recorder("shown", 60_000);
    let (Frame { caps, buffer, .. }, ms, faces) = (key_frame(), gst::ClockTime::from_mseconds, Arc::<Hiding>::default());
    let tap = Tap::new(vec![recorder.clone()], false, faces.clone());
    let take = |time| tap.take_at(Encoded { caps: caps.clone(), buffer: buffer.clone(), time, stream: "0".into() }, time);
    let hide = |hides, now| {
        faces.set(hides, now);
        recorder.set_raw_only(hides, hides, now);
    };
    recorder.set_encoded(true);
    hide(true, ms(0));
    push(&recorder, 0..10);
    [1300, 1350, 1400].into_iter().for_each(|time| take(ms(time)));
    hide(false, ms(1500));
    // It was late. Raw frames, which hide faces until then, go on.
    take(ms(1450));
    push(&recorder, 10..15);
    take(ms(1500));
    push(&recorder, 15..20);
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(10, 10), (5, 5), (1, 1)]);
    assert!(notices.lock().is_empty(), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_frame_that_waits_for_the_encoder_is_not_lost_when_the_video_ends() {
    let (recorder, notices, folder) = recorder("waits", 60_000);
    let key_frame = key_frame();
    let (recorded_raw, latest) = (recorder.clone(), Arc::new(Mutex::new(gst::ClockTime::ZERO)));
    let waiting = latest.clone();
    let source = "videotestsrc num-buffers=200 pattern=snow ! video/x-raw,format=I420,width=640,height=480,framerate=10/1";
    let pipeline = play(source, move |sample| {
        let (caps, buffer) = (sample.caps_owned().unwrap(), sample.buffer_owned().unwrap());
        let time = buffer.pts().unwrap();
        *waiting.lock() = time;
        recorded_raw.push(Frame { caps, buffer, time });
        recorded_raw.write(Some(RECORD), time);
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    while latest.lock().is_zero() {
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(60));
        recorder.set_encoded(true);
        let time = latest.lock().saturating_sub(gst::ClockTime::from_mseconds(50));
        recorder.push(Frame { time, ..key_frame.clone() });
        recorder.set_encoded(false);
    }
    wait(&pipeline);
    assert!(recorder.finish(Duration::from_secs(60)));
    let raw: Vec<_> = recorded(&folder).into_iter().filter(|pair| *pair != (1, 0)).collect();
    assert!(raw.len() > 1 && raw.iter().all(|(frames, records)| frames == records), "{raw:?}");
    assert!(notices.lock().is_empty(), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}
