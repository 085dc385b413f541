// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionexport` in whole pipelines: the files equal the metadata of the buffers.

mod files;
mod times;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord};
use emotion_core::scores::{LabelSet, Scores};
use gst::ClockTime;
use gst::prelude::*;
use gstemotion::meta;
use serde_json::Value;
use test_support::gstreamer::init;

const SIZE: Size = Size::new(320, 240);
/// Half a step of the last written digit, and a margin for the conversion to f32.
const COORDINATE_TOLERANCE: f64 = 0.6e-5;
const SCORE_TOLERANCE: f64 = 0.6e-4;
const VIDEO: &str = "video/x-raw,format=I420,width=320,height=240,framerate=30000/1001";
/// Environment variable with the file that the child process of the crash test writes.
const CRASH_FILE: &str = "GST_EMOTION_TEST_CRASH_FILE";

/// Timestamp and faces of each frame, as readers of the metadata see them.
type Seen = Arc<Mutex<Vec<(ClockTime, Vec<FaceRecord>)>>>;

/// An empty folder for the files of a test.
fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("export").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Zero to two faces that move and change as a function of the frame's time.
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
            reason: None,
            smoothed: id == 2,
            age: Duration::from_nanos(u64::from(id) * 33_366_666),
        }),
        geometry: None,
        confirmed: true,
    }
}

/// A pipeline whose element `video` adds faces to its buffers, and a record of these faces.
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
        close(&record["box"][key], side, COORDINATE_TOLERANCE);
    }
    let detection = face.detection.as_ref().unwrap();
    close(&record["confidence"], detection.confidence, SCORE_TOLERANCE);
    assert_eq!(record["detector"], *detection.model_name);
    let Landmarks5(points) = detection.landmarks_norm.unwrap();
    for (name, point) in ["right_eye", "left_eye", "nose", "right_mouth", "left_mouth"].into_iter().zip(points) {
        close(&record["landmarks"][name]["x"], point.x, COORDINATE_TOLERANCE);
        close(&record["landmarks"][name]["y"], point.y, COORDINATE_TOLERANCE);
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

/// Asserts that there is exactly one record for each face, in order.
fn assert_same(records: &[Value], seen: &Seen) {
    let seen = seen.lock().unwrap();
    let expected: Vec<_> = seen.iter().flat_map(|(pts, faces)| faces.iter().map(move |face| (*pts, face))).collect();
    assert!(!expected.is_empty());
    assert_eq!(records.len(), expected.len());
    records.iter().zip(expected).for_each(|(record, (pts, face))| assert_equal(record, pts, face));
}

#[test]
fn ndjson_equals_the_metadata_of_the_frames() {
    let file = folder("ndjson").join("faces.ndjson");
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc num-buffers=60 ! {VIDEO} ! identity name=video ! emotionexport ! filesink location={}",
        file.display()
    ));
    run(&pipeline);
    assert_same(&records(&file), &seen);
}

#[test]
fn faces_are_exported_after_a_converter_and_a_scaler() {
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
        // The region was rounded to whole pixels.
        close(&record["box"]["w"], face.rect_norm.w, 2.0 / 320.0);
    }
}

#[test]
fn an_unlinked_source_pad_is_an_error_on_the_bus() {
    let (pipeline, _) = pipeline(&format!("videotestsrc num-buffers=5 ! {VIDEO} ! identity name=video ! emotionexport"));
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let message = bus.timed_pop_filtered(ClockTime::from_seconds(10), &[gst::MessageType::Error]);
    assert!(message.is_some());
    pipeline.set_state(gst::State::Null).unwrap();
}
