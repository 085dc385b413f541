// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionexport` in whole pipelines: what arrives in files equals the metadata of the buffers.
#![cfg(feature = "plugin")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use gst::ClockTime;
use gst::prelude::*;
use gstemotion::geometry::{Landmarks5, Point, Rect, Size};
use gstemotion::meta;
use gstemotion::record::{DetectionInfo, EmotionResult, FaceRecord};
use gstemotion::scores::{LabelSet, Scores};
use serde_json::Value;

const SIZE: Size = Size::new(320, 240);
/// Half a step of the last digit that is written, and a little for the way through f32.
const PLACE_TOLERANCE: f64 = 0.6e-5;
const SCORE_TOLERANCE: f64 = 0.6e-4;
const VIDEO: &str = "video/x-raw,format=I420,width=320,height=240,framerate=30000/1001";
/// Set in the child process that is killed: where it writes.
const CRASH_FILE: &str = "GST_EMOTION_TEST_CRASH_FILE";

/// A frame's timestamp, and the faces on it as every reader sees them.
type Seen = Arc<Mutex<Vec<(ClockTime, Vec<FaceRecord>)>>>;

fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstemotion::plugin_register_static().unwrap();
    });
}

/// A place for a test's files, empty.
fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("export").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// None to two faces that move and change, all of them a function of the frame's time.
fn faces_at(pts: ClockTime) -> Vec<FaceRecord> {
    let step = pts.mseconds() as u32 / 33;
    (0..step % 3).map(|index| face_at(index + 1, step as f32 / 300.0 % 0.5)).collect()
}

fn face_at(id: u32, phase: f32) -> FaceRecord {
    let landmarks_norm = Some(Landmarks5([0.1, 0.2, 0.3, 0.4, 0.5].map(|x| Point::new(x + phase, x))));
    let scores = Scores::from_probabilities([0.1 + phase, 0.4, 0.05 * id as f32]);
    FaceRecord {
        id,
        rect_norm: Rect::new(phase, 0.1 * id as f32, 0.31, 0.41),
        detection: Some(DetectionInfo { confidence: 0.6 + phase / 2.0, landmarks_norm, model_name: "test".into(), age: Duration::ZERO }),
        emotion: Some(EmotionResult {
            labels: LabelSet::new(["neutral", "happiness", "fear"]),
            label_id: (id == 1).then(|| scores.top().0),
            scores,
            smoothed: id == 2,
            age: Duration::from_nanos(u64::from(id) * 33_366_666),
        }),
    }
}

/// A pipeline whose element `video` gets faces on its buffers, and what was put there.
fn pipeline(launch: &str) -> (gst::Pipeline, Seen) {
    init();
    let pipeline = gst::parse::launch(launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let seen = Seen::default();
    let pad = pipeline.by_name("video").unwrap().static_pad("src").unwrap();
    let note = seen.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer_mut().unwrap().make_mut();
        let pts = buffer.pts().unwrap();
        let faces = faces_at(pts);
        meta::write_detections(buffer, SIZE, &faces);
        meta::write_emotions(buffer, SIZE, &faces);
        note.lock().unwrap().push((pts, meta::read_faces(buffer, SIZE)));
        gst::PadProbeReturn::Ok
    });
    (pipeline, seen)
}

fn run(pipeline: &gst::Pipeline) {
    pipeline.set_state(gst::State::Playing).unwrap();
    wait(pipeline);
}

fn wait(pipeline: &gst::Pipeline) {
    let bus = pipeline.bus().unwrap();
    let message = bus.timed_pop_filtered(ClockTime::from_seconds(30), &[gst::MessageType::Eos, gst::MessageType::Error]);
    let message = message.expect("the pipeline ends");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

fn records(file: &Path) -> Vec<Value> {
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn close(value: &Value, expected: f32, tolerance: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - f64::from(expected)).abs() <= tolerance, "{value} is not {expected}");
}

fn assert_equal(record: &Value, pts: ClockTime, face: &FaceRecord) {
    assert_eq!(record["pts"], pts.nseconds());
    assert_eq!(record["id"], face.id);
    let rect = face.rect_norm;
    for (key, side) in [("x", rect.x), ("y", rect.y), ("w", rect.w), ("h", rect.h)] {
        close(&record["box"][key], side, PLACE_TOLERANCE);
    }
    let detection = face.detection.as_ref().unwrap();
    close(&record["confidence"], detection.confidence, SCORE_TOLERANCE);
    assert_eq!(record["detector"], *detection.model_name);
    let Landmarks5(points) = detection.landmarks_norm.unwrap();
    for (name, point) in ["right_eye", "left_eye", "nose", "right_mouth", "left_mouth"].into_iter().zip(points) {
        close(&record["landmarks"][name]["x"], point.x, PLACE_TOLERANCE);
        close(&record["landmarks"][name]["y"], point.y, PLACE_TOLERANCE);
    }
    let emotion = face.emotion.as_ref().unwrap();
    assert_eq!(record["label"], emotion.label());
    assert_eq!(record["label_id"].as_u64(), emotion.label_id.map(|id| id as u64));
    close(&record["score"], emotion.confidence(), SCORE_TOLERANCE);
    for (label, &score) in emotion.labels.as_slice().iter().zip(emotion.scores.as_slice()) {
        close(&record["scores"][label], score, SCORE_TOLERANCE);
    }
    assert_eq!(record["smoothed"], emotion.smoothed);
    assert_eq!(record["age"], emotion.age.as_nanos() as u64);
}

/// Every face that was seen is a record, in order, and there are no others.
fn assert_same(records: &[Value], seen: &Seen) {
    let seen = seen.lock().unwrap();
    let expected: Vec<_> = seen.iter().flat_map(|(pts, faces)| faces.iter().map(move |face| (*pts, face))).collect();
    assert!(!expected.is_empty());
    assert_eq!(records.len(), expected.len());
    records.iter().zip(expected).for_each(|(record, (pts, face))| assert_equal(record, pts, face));
}

#[test]
fn ndjson_equals_the_metadata_of_the_buffers() {
    let file = folder("ndjson").join("faces.ndjson");
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc num-buffers=60 ! {VIDEO} ! identity name=video ! emotionexport ! filesink location={}",
        file.display()
    ));
    run(&pipeline);
    assert_same(&records(&file), &seen);
}

#[test]
fn what_a_converter_and_a_scaler_leave_is_exported() {
    let file = folder("converted").join("faces.ndjson");
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc num-buffers=12 ! {VIDEO} ! identity name=video ! videoconvertscale ! video/x-raw,format=RGBA,width=640,height=480
         ! emotionexport ! filesink location={}",
        file.display()
    ));
    run(&pipeline);
    let seen = seen.lock().unwrap();
    let expected: Vec<_> = seen.iter().flat_map(|(_, faces)| faces).collect();
    let records = records(&file);
    assert_eq!(records.len(), expected.len());
    for (record, face) in records.iter().zip(expected) {
        assert_eq!(record["id"], face.id);
        assert_eq!(record["label"], face.emotion.as_ref().unwrap().label());
        // The region went through whole pixels.
        close(&record["box"]["w"], face.rect_norm.w, 2.0 / 320.0);
    }
}

#[test]
fn frames_that_are_missing_do_not_move_the_others() {
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
fn a_variable_frame_rate_keeps_every_time_exact() {
    let file = folder("variable").join("faces.ndjson");
    // Every frame has a length of its own, and its start is no multiple of anything.
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
fn a_gap_in_the_video_is_a_gap_in_the_text() {
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
    let told: Arc<Mutex<Vec<_>>> = Arc::default();
    let note = told.clone();
    let pad = pipeline.by_name("export").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Gap(event)) = info.event().map(|event| event.view()) {
            note.lock().unwrap().push(event.get());
        }
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    assert_same(&records(&file), &seen);
    assert!(told.lock().unwrap().iter().any(|(_, duration)| *duration == Some(gap.1)), "{told:?}");
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
        // The encoder moves timestamps; the position in the medium stays, but for the rounding of a parser.
        assert!(record["stream_time"].as_u64().unwrap().abs_diff(pts.nseconds()) <= 1);
        assert_eq!(record["id"], face.id);
        close(&record["scores"]["happiness"], face.emotion.as_ref().unwrap().scores.as_slice()[1], SCORE_TOLERANCE);
    }
}

#[test]
fn after_a_seek_positions_are_those_of_the_medium() {
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

/// Text, start and end in milliseconds of every buffer that reaches the element `out`.
fn cues(launch: &str) -> Vec<(String, u64, u64)> {
    init();
    let pipeline = gst::parse::launch(launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let cues: Arc<Mutex<Vec<_>>> = Arc::default();
    let note = cues.clone();
    let pad = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        let start = buffer.pts().unwrap();
        let text = String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap();
        // Newer demuxers fill gaps with empty text.
        if text.trim_end().is_empty() {
            return gst::PadProbeReturn::Ok;
        }
        note.lock().unwrap().push((text.trim_end().to_owned(), start.mseconds(), (start + buffer.duration().unwrap()).mseconds()));
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    let cues = cues.lock().unwrap();
    cues.clone()
}

#[test]
fn a_recording_has_a_subtitle_track() {
    let file = folder("subtitles").join("recording.mkv");
    let (pipeline, _) = pipeline(&format!(
        "videotestsrc num-buffers=90 ! {VIDEO} ! identity name=video ! tee name=t
         t. ! queue ! matroskamux name=m ! filesink location={}
         t. ! queue ! emotionexport format=text interval=500000000 ! queue ! m.",
        file.display()
    ));
    run(&pipeline);
    let cues = cues(&format!(
        "filesrc location={} ! matroskademux name=d d.video_0 ! queue ! fakesink d.subtitle_0 ! text/x-raw ! queue ! fakesink name=out",
        file.display()
    ));
    assert_eq!(cues.len(), 6, "{cues:?}");
    assert!(cues[0].0.starts_with("face 1: happiness "), "{cues:?}");
    assert!(cues.windows(2).all(|pair| pair[0].2 <= pair[1].1 + 1), "{cues:?}");
    assert_eq!(cues.last().unwrap().2, 3003);
    discover(&file);
}

/// Other people's eyes: `gst-discoverer-1.0`, where it is installed.
fn discover(file: &Path) {
    match Command::new("gst-discoverer-1.0").arg(file).output() {
        Ok(output) => assert!(String::from_utf8_lossy(&output.stdout).to_lowercase().contains("subtitle"), "{output:?}"),
        Err(error) => println!("skipped: gst-discoverer-1.0: {error}"),
    }
}

#[test]
fn others_read_the_webvtt() {
    let file = folder("webvtt").join("faces.vtt");
    let (pipeline, _) = pipeline(&format!(
        "videotestsrc num-buffers=60 ! {VIDEO} ! identity name=video ! emotionexport format=webvtt interval=1000000000
         ! filesink location={}",
        file.display()
    ));
    run(&pipeline);
    let cues = cues(&format!("filesrc location={} ! subparse ! fakesink name=out", file.display()));
    assert_eq!(cues.len(), 2, "{cues:?}");
    assert!(cues[0].0.starts_with("face 1: happiness "));
    assert_eq!((cues[1].1, cues[1].2), (1034, 2002));
}

#[test]
fn each_of_several_files_is_a_whole_table() {
    let folder = folder("rotation");
    let (pipeline, seen) = into_files(&folder, "next-file=max-duration max-file-duration=1000000000");
    run(&pipeline);
    assert_tables(&folder, 3, &seen);
}

#[test]
fn an_application_decides_where_a_file_ends() {
    let folder = folder("split");
    let (pipeline, seen) = into_files(&folder, "next-file=key-unit-event");
    let pad = pipeline.by_name("video").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        if info.buffer().unwrap().pts().unwrap().mseconds() / 100 == 20 {
            pad.push_event(gst_video::DownstreamForceKeyUnitEvent::builder().all_headers(true).build());
            return gst::PadProbeReturn::Remove;
        }
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    assert_tables(&folder, 2, &seen);
}

fn into_files(folder: &Path, properties: &str) -> (gst::Pipeline, Seen) {
    pipeline(&format!(
        "videotestsrc num-buffers=90 ! {VIDEO} ! identity name=video ! emotionexport format=csv
         ! multifilesink {properties} location={}/%02d.csv",
        folder.display()
    ))
}

/// That many files, each with one header, and together with a row for each face.
fn assert_tables(folder: &Path, count: usize, seen: &Seen) {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), count, "{files:?}");
    let mut rows = 0;
    for file in &files {
        let mut reader = csv::Reader::from_path(file).unwrap();
        assert_eq!(reader.headers().unwrap().get(0), Some("stream"));
        for row in reader.records() {
            assert_ne!(row.unwrap().get(0), Some("stream"), "one header in {}", file.display());
            rows += 1;
        }
    }
    assert_eq!(rows, seen.lock().unwrap().iter().map(|(_, faces)| faces.len()).sum::<usize>());
}

#[test]
fn a_client_that_comes_late_gets_the_header_first() {
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc is-live=true ! {VIDEO} ! identity name=video ! emotionexport format=csv ! tcpserversink name=server host=127.0.0.1 port=0"
    ));
    pipeline.set_state(gst::State::Playing).unwrap();
    while seen.lock().unwrap().len() < 10 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let port = pipeline.by_name("server").unwrap().property::<i32>("current-port") as u16;
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let lines: Vec<_> = BufReader::new(client).lines().take(5).collect::<Result<_, _>>().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(lines[0].starts_with("stream,pts,"), "{lines:?}");
    assert!(lines[1..].iter().all(|line| !line.starts_with("stream,") && line.contains(",test,")), "{lines:?}");
}

#[test]
fn nobody_downstream_is_an_error_on_the_bus() {
    let (pipeline, _) = pipeline(&format!("videotestsrc num-buffers=5 ! {VIDEO} ! identity name=video ! emotionexport"));
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let message = bus.timed_pop_filtered(ClockTime::from_seconds(10), &[gst::MessageType::Error]);
    assert!(message.is_some());
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
#[ignore = "what lines_survive_a_crash starts and kills"]
fn write_until_killed() {
    let file = std::env::var_os(CRASH_FILE).expect("a file to write to");
    let (pipeline, _) = pipeline(&format!(
        "videotestsrc is-live=true ! {VIDEO} ! identity name=video ! emotionexport ! filesink buffer-mode=unbuffered location={}",
        file.display()
    ));
    pipeline.set_state(gst::State::Playing).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn lines_survive_a_crash() {
    let file = folder("crash").join("faces.ndjson");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "write_until_killed", "--ignored"])
        .env(CRASH_FILE, &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = || std::fs::read_to_string(&file).unwrap_or_default().matches('\n').count();
    let start = Instant::now();
    while lines() < 10 && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().ends_with('\n'));
    let records = records(&file);
    assert!(records.len() >= 10);
    // Live pictures have a time of day.
    assert!(records.iter().all(|record| record["utc"].as_str().is_some_and(|utc| utc.ends_with('Z'))));
}
