// SPDX-License-Identifier: MIT OR Apache-2.0
//! Times that are irregular: lost frames, variable rates, gaps, B-frames, seeks.

use super::*;

#[test]
fn dropped_frames_do_not_shift_the_others() {
    let file = folder("missing").join("faces.ndjson");
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc num-buffers=90 ! {VIDEO} ! identity drop-probability=0.4 ! identity name=video ! emotionexport ! filesink location={}",
        file.display()
    ));
    run(&pipeline);
    assert!(seen.lock().unwrap().len() < 90);
    assert_same(&records(&file), &seen);
}

#[test]
fn times_are_exact_at_a_variable_frame_rate() {
    let file = folder("variable").join("faces.ndjson");
    // Each frame has a different duration, and no start is a multiple of another.
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc num-buffers=60 ! {VIDEO} ! capssetter caps=video/x-raw,framerate=0/1 ! identity name=video
         ! emotionexport ! filesink location={}",
        file.display()
    ));
    let pad = pipeline.by_name("video").unwrap().static_pad("sink").unwrap();
    let time = Mutex::new((0_u64, 0_u64));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let mut time = time.lock().unwrap();
        let length_ns = 7_000_001 + time.0 * 2_654_435_761 % 90_000_000;
        let buffer = info.buffer_mut().unwrap().make_mut();
        buffer.set_pts(ClockTime::from_nseconds(time.1));
        buffer.set_duration(ClockTime::from_nseconds(length_ns));
        *time = (time.0 + 1, time.1 + length_ns);
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    let records = records(&file);
    assert_same(&records, &seen);
    let seen = seen.lock().unwrap();
    for record in &records {
        let frame = record["frame"].as_u64().unwrap() as usize;
        let end = seen.get(frame + 1).map(|(next, _)| next.nseconds());
        assert!(end.is_none_or(|end| record["pts"].as_u64().unwrap() + record["duration"].as_u64().unwrap() == end));
    }
    assert!(records.iter().map(|record| record["duration"].as_u64()).collect::<std::collections::BTreeSet<_>>().len() > 20);
}

#[test]
fn a_gap_in_the_video_becomes_a_gap_in_the_text() {
    let file = folder("gap").join("faces.ndjson");
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc num-buffers=30 ! {VIDEO} ! identity name=video ! emotionexport name=export ! filesink location={}",
        file.display()
    ));
    let gap = (ClockTime::from_mseconds(400), ClockTime::from_seconds(3));
    let pad = pipeline.by_name("video").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let buffer = info.buffer_mut().unwrap().make_mut();
        let pts = buffer.pts().unwrap();
        if pts < gap.0 {
            return gst::PadProbeReturn::Ok;
        }
        if buffer.offset() == 12 {
            pad.send_event(gst::event::Gap::builder(pts).duration(gap.1).build());
        }
        buffer.set_pts(pts + gap.1);
        gst::PadProbeReturn::Ok
    });
    let gaps: Arc<Mutex<Vec<_>>> = Arc::default();
    let note = gaps.clone();
    let pad = pipeline.by_name("export").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Gap(event)) = info.event().map(|event| event.view()) {
            note.lock().unwrap().push(event.get());
        }
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    assert_same(&records(&file), &seen);
    assert!(gaps.lock().unwrap().iter().any(|(_, duration)| *duration == Some(gap.1)), "{gaps:?}");
}

#[test]
fn faces_stay_with_their_pictures_through_b_frames() {
    init();
    if let Some(missing) = ["x264enc", "avdec_h264"].into_iter().find(|name| gst::ElementFactory::find(name).is_none()) {
        println!("skipped: no element {missing}");
        return;
    }
    let file = folder("b-frames").join("faces.ndjson");
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc num-buffers=60 pattern=ball ! {VIDEO} ! identity name=video ! x264enc bframes=3 b-adapt=false ! h264parse ! avdec_h264
         ! emotionexport ! filesink location={}",
        file.display()
    ));
    run(&pipeline);
    let seen = seen.lock().unwrap();
    let expected: Vec<_> = seen.iter().flat_map(|(pts, faces)| faces.iter().map(move |face| (pts, face))).collect();
    let records = records(&file);
    assert_eq!(records.len(), expected.len());
    for (record, (pts, face)) in records.iter().zip(expected) {
        // The encoder shifts timestamps; the position in the media stays the same, apart from the rounding of a parser.
        assert!(record["stream_time"].as_u64().unwrap().abs_diff(pts.nseconds()) <= 1);
        assert_eq!(record["id"], face.id);
        close(&record["scores"]["happiness"], face.emotion.as_ref().unwrap().scores.as_slice()[1], SCORE_TOLERANCE);
    }
}

#[test]
fn after_a_seek_positions_are_those_of_the_media() {
    let file = folder("seek").join("faces.ndjson");
    let (pipeline, seen) =
        pipeline(&format!("videotestsrc ! {VIDEO} ! identity name=video ! emotionexport ! filesink location={}", file.display()));
    pipeline.set_state(gst::State::Paused).unwrap();
    pipeline.state(ClockTime::from_seconds(10)).0.unwrap();
    let (start, stop) = (ClockTime::from_seconds(20), ClockTime::from_seconds(21));
    pipeline.seek(1.0, gst::SeekFlags::FLUSH, gst::SeekType::Set, start, gst::SeekType::Set, stop).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    wait(&pipeline);
    let records: Vec<_> = records(&file).into_iter().filter(|record| record["pts"].as_u64().unwrap() >= start.nseconds()).collect();
    seen.lock().unwrap().retain(|(pts, _)| *pts >= start);
    assert_same(&records, &seen);
    for record in &records {
        assert_eq!(record["stream_time"], record["pts"]);
        assert_eq!(record["running_time"].as_u64().unwrap(), record["pts"].as_u64().unwrap() - start.nseconds());
    }
}
