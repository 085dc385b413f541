// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events and changes of a stream: segments, gaps, discontinuities, changes of caps, seeks, EOS, trick modes and changes of
//! properties, with pushed events and in whole pipelines, with and without workers.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;
use gst::prelude::*;
use gst_check::Harness;
use gst_video::VideoFormat;
use gstemotion::meta::read_faces;
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{Stage, buffer, init, run};
use test_support::{runtime_fetched, three_faces};

const VGA: Size = Size::new(640, 480);
const CHAIN: &str = "emotionfacedetect name=detect ! emotionclassify name=classify";
const ASYNC_CHAIN: &str = "emotionfacedetect name=detect async=true ! emotionclassify name=classify async=true";

/// A stream of three faces that do not move.
struct Stream {
    harness: Harness,
    frame: gst::Buffer,
}

impl Stream {
    fn new(chain: &str) -> Self {
        let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::I420);
        let mut harness = Harness::new_parse(chain);
        harness.set_src_caps(info.to_caps().expect("caps"));
        Self { harness, frame }
    }

    fn push(&mut self, pts: gst::ClockTime) -> Vec<FaceRecord> {
        self.push_flagged(pts, gst::BufferFlags::empty())
    }

    fn push_flagged(&mut self, pts: gst::ClockTime, flags: gst::BufferFlags) -> Vec<FaceRecord> {
        let mut frame = self.frame.copy();
        frame.make_mut().set_pts(pts);
        frame.make_mut().set_flags(flags);
        read_faces(&self.harness.push_and_pull(frame).expect("a frame"), VGA)
    }

    fn segment(&mut self, rate: f64, start: gst::ClockTime, stop: gst::ClockTime, base: gst::ClockTime) {
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_rate(rate);
        segment.set_start(start);
        segment.set_stop(stop);
        segment.set_base(base);
        assert!(self.harness.push_event(gst::event::Segment::new(&segment)));
    }

    /// True if an event of this type has come out since the last call.
    fn passed(&mut self, kind: gst::EventType) -> bool {
        std::iter::from_fn(|| self.harness.try_pull_event()).any(|event| event.type_() == kind)
    }
}

fn ids(faces: &[FaceRecord]) -> BTreeSet<u32> {
    faces.iter().map(|face| face.id).collect()
}

fn ms(time: u64) -> gst::ClockTime {
    gst::ClockTime::from_mseconds(time)
}

fn first() -> BTreeSet<u32> {
    BTreeSet::from([1, 2, 3])
}

#[test]
fn tracks_continue_across_segments_in_running_time() {
    if !runtime_fetched() {
        return;
    }
    let mut stream = Stream::new(CHAIN);
    stream.segment(1.0, ms(0), ms(1_000), ms(0));
    assert_eq!(ids(&stream.push(ms(900))), first());
    // The next clip of a playlist: its timestamps start over, and the running time continues.
    stream.segment(1.0, ms(50_000), ms(60_000), ms(1_000));
    let faces = stream.push(ms(50_000));
    assert_eq!(ids(&faces), first(), "0.1 s later in running time");
    assert!(faces.iter().all(|face| face.expression().is_some()));
    assert!(stream.passed(gst::EventType::Segment));
}

#[test]
fn tracks_survive_a_short_gap_but_not_a_long_one() {
    if !runtime_fetched() {
        return;
    }
    let mut stream = Stream::new(CHAIN);
    stream.push(ms(0));
    assert!(stream.harness.push_event(gst::event::Gap::builder(ms(40)).duration(ms(500)).build()));
    assert!(stream.passed(gst::EventType::Gap), "the gap is forwarded");
    assert_eq!(ids(&stream.push(ms(540))), first());
    assert!(stream.harness.push_event(gst::event::Gap::builder(ms(580)).duration(ms(5_000)).build()));
    assert_eq!(ids(&stream.push(ms(5_580))), BTreeSet::from([4, 5, 6]), "tracks have ended after 5 s");
}

#[test]
fn a_discontinuity_does_not_end_tracks_unless_time_goes_back() {
    if !runtime_fetched() {
        return;
    }
    let mut stream = Stream::new(CHAIN);
    stream.push(ms(0));
    assert_eq!(ids(&stream.push_flagged(ms(200), gst::BufferFlags::DISCONT | gst::BufferFlags::RESYNC)), first());
    // A timestamp that goes back starts a new timeline.
    assert_eq!(ids(&stream.push_flagged(ms(10), gst::BufferFlags::DISCONT)), BTreeSet::from([4, 5, 6]));
}

#[test]
fn size_and_format_may_change_while_playing() {
    if !runtime_fetched() {
        return;
    }
    for chain in [CHAIN, ASYNC_CHAIN] {
        init();
        let mut harness = Harness::new_parse(chain);
        let mut index = 0;
        for (width, height, format) in [
            (640, 480, VideoFormat::I420),
            (640, 480, VideoFormat::Bgrx),
            (320, 240, VideoFormat::Bgrx),
            (17, 33, VideoFormat::Nv12),
            (640, 480, VideoFormat::Nv12),
        ] {
            let rgb = if width == 640 { three_faces().render(0.0) } else { vec![80; width as usize * height as usize * 3] };
            let (frame, info) = buffer(&rgb, width, height, format);
            harness.set_src_caps(info.to_caps().expect("caps"));
            for _ in 0..4 {
                let mut frame = frame.copy();
                frame.make_mut().set_pts(ms(40 * index));
                index += 1;
                let out = harness.push_and_pull(frame).expect("a frame");
                let faces = read_faces(&out, Size::new(width, height));
                let expected = if width == 640 { 3 } else { 0 };
                assert!(faces.len() == expected || chain == ASYNC_CHAIN, "{} faces on {width}x{height} {format:?}", faces.len());
                assert!(faces.iter().all(|face| face.rect_norm.right() <= 1.001 && face.rect_norm.bottom() <= 1.001));
            }
        }
    }
}

#[test]
fn eos_is_forwarded_and_a_flush_after_it_starts_new_tracks() {
    if !runtime_fetched() {
        return;
    }
    for chain in [CHAIN, ASYNC_CHAIN] {
        init();
        let mut stream = Stream::new(chain);
        stream.push(ms(0));
        assert!(stream.harness.push_event(gst::event::Eos::new()));
        assert!(stream.passed(gst::EventType::Eos));
        assert!(stream.harness.push_event(gst::event::FlushStart::new()));
        assert!(stream.harness.push_event(gst::event::FlushStop::new(true)));
        stream.segment(1.0, ms(0), ms(10_000), ms(0));
        let faces = stream.push(ms(0));
        assert!(faces.iter().all(|face| face.id > 3), "{faces:?}");
        assert!(chain == ASYNC_CHAIN || faces.len() == 3);
    }
}

#[test]
fn ids_persist_in_fast_and_reverse_playback() {
    if !runtime_fetched() {
        return;
    }
    let mut stream = Stream::new(CHAIN);
    stream.segment(4.0, ms(0), ms(60_000), ms(0));
    for time in [0, 800, 1_600, 2_400] {
        assert_eq!(ids(&stream.push(ms(time))), first(), "4x speed, at {time} ms");
    }
    // In reverse playback, key frames arrive from the stop of the segment to its start.
    stream.segment(-1.0, ms(0), ms(2_400), ms(600));
    for time in [2_400, 2_000, 1_600, 1_200] {
        assert_eq!(ids(&stream.push(ms(time))), first(), "backward, at {time} ms");
    }
}

#[test]
fn frames_without_timestamps_are_timed_by_the_frame_rate() {
    if !runtime_fetched() {
        return;
    }
    let mut stream = Stream::new(CHAIN);
    for _ in 0..3 {
        let out = stream.harness.push_and_pull(stream.frame.copy()).expect("a frame");
        assert_eq!(ids(&read_faces(&out, VGA)), first());
    }
}

/// Every property that may change while playing, with two values for each.
const CHANGES: [(&str, &str, [&str; 2]); 23] = [
    ("detect", "score-threshold", ["0.3", "0.7"]),
    ("detect", "iou-threshold", ["0.2", "0.5"]),
    ("detect", "max-faces", ["1", "0"]),
    ("detect", "min-face-size", ["200", "0"]),
    ("detect", "detect-interval", ["3", "1"]),
    ("detect", "motion-gate", ["false", "true"]),
    ("detect", "idle-interval", ["0", "1000000000"]),
    ("detect", "track-timeout", ["0", "1000000000"]),
    ("detect", "post-messages", ["every", "none"]),
    ("detect", "updates", ["on_face", "none"]),
    ("detect", "scale-factor", ["1.1", "1.25"]),
    ("detect", "min-neighbors", ["1", "3"]),
    ("classify", "reclassify-interval", ["5", "1"]),
    ("classify", "max-faces-per-frame", ["1", "0"]),
    ("classify", "time-budget", ["1000000", "0"]),
    ("classify", "motion-gate", ["false", "true"]),
    ("classify", "idle-interval", ["0", "1000000000"]),
    ("classify", "baseline", ["track", "none"]),
    ("classify", "prior", ["balanced", "natural"]),
    ("classify", "smoothing", ["0", "200000000"]),
    ("classify", "min-confidence", ["1.0", "0.0"]),
    ("classify", "min-face-size", ["500", "16"]),
    ("classify", "post-messages", ["every", "none"]),
];

#[test]
fn properties_may_change_while_playing() {
    if !runtime_fetched() {
        return;
    }
    for chain in [CHAIN, ASYNC_CHAIN] {
        init();
        let mut stream = Stream::new(chain);
        let mut element = |name: &str| stream.harness.find_element(name).expect("an element");
        let elements = [("detect", element("emotionfacedetect")), ("classify", element("emotionclassify"))];
        for (name, element) in &elements {
            for property in element.list_properties() {
                let changing = property.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING);
                let listed = CHANGES.iter().any(|(of, listed, _)| of == name && *listed == property.name());
                let inert = property.blurb().is_some_and(|blurb| blurb.starts_with("OpenCV: "));
                assert!(!changing || listed || inert || property.name() == "qos", "{name}: {} is missing in this test", property.name());
            }
        }
        let frames = Arc::new(AtomicU64::new(0));
        let passed = frames.clone();
        let changing = std::thread::spawn(move || {
            for round in 0..2 {
                for (name, property, values) in CHANGES {
                    let (_, element) = elements.iter().find(|(known, _)| *known == name).expect("an element");
                    element.set_property_from_str(property, values[round]);
                    let _: gst::Structure = element.property("stats");
                    // The frame that is on its way may still have the old value; the one after it has the new one.
                    let target = passed.load(Ordering::SeqCst) + 2;
                    while passed.load(Ordering::SeqCst) < target {
                        std::thread::yield_now();
                    }
                }
            }
        });
        let mut index = 0;
        while !changing.is_finished() {
            stream.push(ms(33 * index));
            index = frames.fetch_add(1, Ordering::SeqCst) + 1;
        }
        changing.join().expect("no property panics");
        // All properties have their old values again, and so have the faces once a worker is done.
        test_support::broker::wait("three faces with scores", || {
            index += 1;
            let faces = stream.push(ms(33 * index));
            faces.len() == 3 && faces.iter().all(|face| face.expression().is_some())
        });
    }
}

/// A seekable file with two faces, 3 s long.
fn clip(stage: &Stage) -> PathBuf {
    init();
    let actor = |x: f32, expression| [0.0, 9.0].map(|at| Key::new(at, (x, 120.0), 150.0, expression)).into();
    let scene = Scene::new(320, 240).actor(actor(80.0, "neutral")).actor(actor(240.0, "happiness"));
    let (frame, info) = buffer(&scene.render(0.0), 320, 240, VideoFormat::I420);
    let path = stage.path().join("clip.avi");
    let line = format!("appsrc name=source format=time ! jpegenc ! avimux ! filesink location={}", path.display());
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let source = pipeline.by_name("source").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
    source.set_caps(info.to_caps().ok().as_ref());
    for index in 0..90 {
        let mut frame = frame.copy();
        frame.make_mut().set_pts(index * gst::ClockTime::SECOND / 30);
        frame.make_mut().set_duration(gst::ClockTime::SECOND / 30);
        source.push_buffer(frame).expect("a frame");
    }
    source.end_of_stream().expect("an end");
    test_support::gstreamer::play(&pipeline).expect("a clip");
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    path
}

fn wait_for(pipeline: &gst::Pipeline, kind: gst::MessageType) {
    let message = pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(60), &[kind, gst::MessageType::Error]);
    let message = message.unwrap_or_else(|| panic!("no {kind:?}"));
    assert_eq!(message.type_(), kind, "{message:?}");
}

#[test]
fn seeks_steps_and_trick_modes_work_on_a_file() {
    if !runtime_fetched() {
        return;
    }
    let stage = Stage::new("events");
    let clip = clip(&stage);
    for chain in [CHAIN, ASYNC_CHAIN] {
        let line = format!("filesrc location={} ! avidemux ! jpegdec ! {chain} ! fakesink name=sink sync=false", clip.display());
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let pad = pipeline.by_name("sink").and_then(|sink| sink.static_pad("sink")).expect("a pad");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let buffer = info.buffer().expect("a buffer");
            log.lock().expect("a log").push((buffer.pts().expect("a time"), read_faces(buffer, Size::new(320, 240))));
            gst::PadProbeReturn::Ok
        });
        let taken = || std::mem::take(&mut *seen.lock().expect("a log"));
        pipeline.set_state(gst::State::Paused).expect("it starts");
        wait_for(&pipeline, gst::MessageType::AsyncDone);
        taken();

        let mut last = 0;
        let plain = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        for (what, rate, flags, start, stop) in [
            ("a flushing seek", 1.0, plain, 1_000, 1_500),
            ("double speed", 2.0, plain | gst::SeekFlags::TRICKMODE, 500, 1_500),
            ("backward", -1.0, plain, 500, 1_000),
            ("back to the start", 1.0, plain, 0, 800),
        ] {
            pipeline.seek(rate, flags, gst::SeekType::Set, ms(start), gst::SeekType::Set, ms(stop)).unwrap_or_else(|_| panic!("{what}"));
            pipeline.set_state(gst::State::Playing).expect("it plays");
            wait_for(&pipeline, gst::MessageType::Eos);
            let frames = taken();
            assert!(frames.len() >= 5, "{what}: {} frames", frames.len());
            let all: BTreeSet<u32> = frames.iter().flat_map(|(_, faces)| ids(faces)).collect();
            if chain == CHAIN {
                assert!(frames.iter().all(|(_, faces)| faces.len() == 2), "{what}: {frames:?}");
                assert_eq!(all.len(), 2, "{what}");
            }
            assert!(all.iter().all(|id| *id > last), "{what}: ids from before the seek: {all:?}");
            last = all.last().copied().unwrap_or(last);
        }

        // Frame by frame, as in an editor.
        pipeline.set_state(gst::State::Paused).expect("it pauses");
        pipeline.seek(1.0, plain, gst::SeekType::Set, ms(200), gst::SeekType::None, gst::ClockTime::NONE).expect("a seek");
        wait_for(&pipeline, gst::MessageType::AsyncDone);
        let sink = pipeline.by_name("sink").expect("a sink");
        for _ in 0..3 {
            assert!(sink.send_event(gst::event::Step::new(gst::format::Buffers::from_u64(1), 1.0, true, false)));
            wait_for(&pipeline, gst::MessageType::StepDone);
        }
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}

#[test]
fn pipelines_survive_a_source_that_changes_its_size() {
    if !runtime_fetched() {
        return;
    }
    // As an RTSP camera does when it switches to another profile.
    for chain in [CHAIN, ASYNC_CHAIN] {
        let source = |width: u32, height: u32, format: &str| {
            format!("videotestsrc num-buffers=8 ! video/x-raw,format={format},width={width},height={height},framerate=30/1 ! c. ")
        };
        let sources = [source(640, 480, "I420"), source(1280, 720, "NV12"), source(17, 33, "BGRx"), source(640, 480, "I420")].concat();
        run(&format!("{sources} concat name=c ! {chain} ! emotionoverlay ! fakesink")).expect("four sizes");
    }
}

#[test]
fn a_live_pipeline_survives_gaps_and_a_stop() {
    if !runtime_fetched() {
        return;
    }
    init();
    for chain in [CHAIN, ASYNC_CHAIN] {
        let line = format!(
            "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! identity drop-probability=0.3 ! {chain} \
             ! fakesink name=sink"
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        let (arrives, arrivals) = channel();
        let pad = pipeline.by_name("sink").and_then(|sink| sink.static_pad("sink")).expect("a pad");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            arrives.send(()).expect("the test is there");
            gst::PadProbeReturn::Ok
        });
        for state in
            [gst::State::Playing, gst::State::Paused, gst::State::Playing, gst::State::Ready, gst::State::Playing, gst::State::Null]
        {
            pipeline.set_state(state).expect("a state");
            let (reached, ..) = pipeline.state(gst::ClockTime::from_seconds(30));
            reached.unwrap_or_else(|error| panic!("{state:?}: {error}"));
            if state == gst::State::Playing {
                arrivals.try_iter().for_each(drop);
                (0..5).for_each(|_| arrivals.recv_timeout(Duration::from_secs(60)).expect("frames after each start"));
            }
        }
    }
}
