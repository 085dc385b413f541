// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time to write the metadata of 50 faces to a buffer: every encoding written by the detector and the classifier, and
//! read back, in microseconds. docs/metadata.md has the sum.
//!
//! ```text
//! cargo bench -p emotion-benches --bench meta
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gstemotion::meta::{intern, read_faces, write_detections, write_emotions};

const FRAME: Size = Size::new(1920, 1080);
const FACES: u32 = 50;
const ROUNDS: usize = 2_000;

fn main() {
    gst::init().expect("GStreamer starts");
    // As the elements do when they start.
    intern(FERPLUS_LABELS.iter().chain([&"centerface"]));
    let labels = LabelSet::new(FERPLUS_LABELS);
    let found: Vec<_> = (1..=FACES).map(face).collect();
    let scored: Vec<_> = found.iter().map(|found| FaceRecord { emotion: Some(emotion(&labels, found.id)), ..found.clone() }).collect();

    let mut times: [Vec<Duration>; 5] = Default::default();
    for _ in 0..ROUNDS {
        let mut buffer = gst::Buffer::new();
        let writable = buffer.get_mut().expect("the buffer is new");
        let start = Instant::now();
        write_detections(writable, FRAME, &found);
        let detected = Instant::now();
        black_box(read_faces(writable, FRAME));
        let read = Instant::now();
        write_emotions(writable, FRAME, &scored);
        let written = Instant::now();
        let again = read_faces(writable, FRAME);
        let end = Instant::now();
        assert_eq!(again.len(), FACES as usize);
        let steps = [detected - start, read - detected, written - read, end - written, (detected - start) + (end - read)];
        times.iter_mut().zip(steps).for_each(|(times, step)| times.push(step));
    }
    let names =
        ["facedetect writes", "emotionclassify reads", "emotionclassify writes", "overlay or export reads", "all, written and read"];
    println!("{FACES} faces, {} rounds, {}: median and p99 in µs", ROUNDS, gst::version_string());
    for (name, mut times) in names.into_iter().zip(times) {
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 100].as_nanos() as f64 / 1000.0;
        println!("{name:<24} {:>7.1} {:>7.1}", at(50), at(99));
    }
}

fn face(id: u32) -> FaceRecord {
    let (x, y) = ((id % 10) as f32 * 0.1, (id / 10) as f32 * 0.15);
    let landmarks = std::array::from_fn(|n| Point::new(x + 0.01 * n as f32, y + 0.01));
    FaceRecord {
        id,
        rect_norm: Rect::new(x, y, 0.05, 0.09),
        detection: Some(DetectionInfo {
            confidence: 0.9,
            landmarks_norm: Some(Landmarks5(landmarks)),
            model_name: "centerface".into(),
            age: Duration::ZERO,
        }),
        emotion: None,
        geometry: None,
        confirmed: true,
    }
}

fn emotion(labels: &LabelSet, id: u32) -> EmotionResult {
    let scores = Scores::from_probabilities((0..labels.len() as u32).map(|n| ((n + id) % 8) as f32 + 0.5));
    let label_id = Some(scores.top().0);
    EmotionResult { labels: labels.clone(), scores, label_id, reason: None, smoothed: true, age: Duration::from_millis(u64::from(id)) }
}
