// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accuracy of the tracker: average faces that move, cross, leave and return, detected by a simulated detector with misses,
//! false positives and noise.

use std::time::Duration;

use emotion_core::detector::Detection;
use emotion_core::geometry::{Point, Rect, Size};
use emotion_core::track::tracker::{MAX_DETECTIONS, Tracker};
use test_support::average_faces::{Appearance, Key, Scene};

use crate::mot::{Boxes, Evaluation};

const SIZE: Size = Size::new(1280, 720);
const FRAMES_PER_SECOND: u32 = 30;
const SECONDS: u32 = 20;
/// Share of a face above which it counts as covered and is not expected to be found.
const MAX_COVERED: f32 = 0.5;
/// Absence after which a returning face counts as a new person, since nothing identifies it.
const ABSENCE_S: f32 = 1.0;

/// Reproducible random numbers (xorshift).
struct Random(u64);

impl Random {
    /// Uniformly distributed in 0..1.
    fn share(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Approximately normally distributed, with mean 0 and standard deviation 1.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.share()).sum::<f32>() - 6.0
    }
}

/// Six people: two cross close to each other, two cross at different sizes, one leaves at the side and returns, one walks
/// back and forth. The scene lasts 20 s, with speeds of up to half the frame width per second.
fn people(random: &mut Random) -> Scene {
    let mut scene = Scene::new(SIZE.width as usize, SIZE.height as usize);
    let end = SECONDS as f32;
    let mut walk = |points: &[(f32, f32, f32)], height: f32| {
        let tilt = 20.0 * random.normal();
        points.iter().map(|&(at, x, y)| Key::new(at, (x, y + tilt), height, "neutral")).collect::<Vec<_>>()
    };
    scene = scene.actor(walk(&[(0.0, 200.0, 360.0), (5.0, 1000.0, 380.0), (9.0, 250.0, 340.0), (end, 900.0, 360.0)], 150.0));
    scene = scene.actor(walk(&[(0.0, 1100.0, 330.0), (6.0, 150.0, 350.0), (12.0, 1150.0, 330.0), (end, 300.0, 350.0)], 160.0));
    scene = scene.actor(walk(&[(0.0, 640.0, 150.0), (4.0, 680.0, 150.0), (8.0, 600.0, 160.0), (end, 650.0, 150.0)], 110.0));
    scene = scene.actor(walk(&[(2.0, 1400.0, 560.0), (4.0, 900.0, 560.0), (7.0, 880.0, 570.0), (9.5, 1420.0, 560.0)], 200.0));
    scene = scene.actor(walk(&[(12.0, 1400.0, 560.0), (14.0, 820.0, 560.0), (end, 800.0, 560.0)], 200.0));
    let pace = (0..11).map(|leg| (2.0 * leg as f32, if leg % 2 == 0 { 120.0 } else { 420.0 }, 590.0)).collect::<Vec<_>>();
    scene.actor(walk(&pace, 140.0))
}

/// The visible faces: those inside of the frame and not behind a nearer one.
fn visible(shown: &[Appearance]) -> Boxes {
    let covered = |index: usize| {
        let face = shown[index].face;
        shown[index + 1..].iter().map(|nearer| face.intersection(nearer.face).area() / face.area()).fold(0.0, f32::max)
    };
    let inside = |face: Rect| face.clamp_to(SIZE).area() > 0.5 * face.area();
    let seen = (0..shown.len()).filter(|&index| inside(shown[index].face) && covered(index) <= MAX_COVERED);
    seen.map(|index| (shown[index].actor as u32, shown[index].face)).collect()
}

/// Simulated detections: 5 % are missed, and occasionally one for four frames in a row; boxes have an error of 2 % of their
/// side; one in ten has a low confidence; one frame in fifty has a false positive, one in ten a weak one.
struct Observer {
    random: Random,
    blind: Vec<u32>,
}

impl Observer {
    fn detect(&mut self, faces: &Boxes) -> Vec<Detection> {
        let mut found = Vec::new();
        for &(person, face) in faces {
            let blind = &mut self.blind[person as usize];
            *blind = if self.random.share() < 0.005 { 4 } else { blind.saturating_sub(1) };
            if *blind > 0 || self.random.share() < 0.05 {
                continue;
            }
            let mut off = |side: f32| side * (1.0 + 0.02 * self.random.normal());
            let (w, h) = (off(face.w), off(face.h));
            let center = Point::new(face.center().x + off(face.w) - face.w, face.center().y + off(face.h) - face.h);
            let rect = Rect::new(center.x - w / 2.0, center.y - h / 2.0, w, h);
            let confidence = if self.random.share() < 0.1 { 0.35 + 0.15 * self.random.share() } else { 0.6 + 0.35 * self.random.share() };
            found.push(Detection { rect, confidence, landmarks: None });
        }
        for (chance, confidence) in [(0.02, 0.55), (0.1, 0.4)] {
            if self.random.share() < chance {
                let side = 60.0 + 120.0 * self.random.share();
                let (x, y) = (SIZE.width as f32 * self.random.share(), SIZE.height as f32 * self.random.share());
                found.push(Detection { rect: Rect::new(x, y, side, side * 1.24), confidence, landmarks: None });
            }
        }
        found
    }
}

/// MOTA and IDF1 of one sequence, detecting on every `interval`th frame.
fn score(interval: u32, seed: u64) -> (f64, f64) {
    let scene = people(&mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let mut observer = Observer { random: Random(seed.wrapping_mul(0xd1b5_4a32_d192_ed03)), blind: vec![0; 8] };
    let mut tracker = Tracker::new(Duration::from_secs_f32(ABSENCE_S));
    let mut evaluation = Evaluation::default();
    for frame in 0..SECONDS * FRAMES_PER_SECOND {
        let time_s = frame as f32 / FRAMES_PER_SECOND as f32;
        let now = Duration::from_secs_f32(time_s);
        let faces = visible(&scene.appearances(time_s));
        let detections = observer.detect(&faces);
        if frame % interval == 0 {
            tracker.update(&detections, 0.5, now);
        }
        let boxes: Boxes = tracker.predict(now, SIZE).iter().map(|track| (track.id, track.rect)).collect();
        evaluation.add(&faces, &boxes);
    }
    (evaluation.mota(), evaluation.idf1())
}

/// Means over eight sequences.
fn scores(interval: u32) -> (f64, f64) {
    let all: Vec<_> = (1..=8).map(|seed| score(interval, seed)).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    let (mota, idf1) = (mean(|scores| scores.0), mean(|scores| scores.1));
    println!("interval {interval}: MOTA {mota:.4}, IDF1 {idf1:.4}; {all:.3?}");
    (mota, idf1)
}

#[test]
fn tracks_are_accurate_when_every_frame_is_searched() {
    let (mota, idf1) = scores(1);
    assert!(mota >= 0.97 && idf1 >= 0.95, "MOTA {mota}, IDF1 {idf1}");
}

#[test]
fn tracks_are_accurate_when_every_fifth_frame_is_searched() {
    let (mota, idf1) = scores(5);
    assert!(mota >= 0.93 && idf1 >= 0.9, "MOTA {mota}, IDF1 {idf1}");
}

#[test]
fn the_number_of_tracks_is_bounded_on_noise() {
    let mut tracker = Tracker::new(Duration::MAX);
    let noise = |step: u32| -> Vec<Detection> {
        let rect = |i: u32| Rect::new(100.0 * i as f32, 1e5 * step as f32, 40.0, 40.0);
        (0..1_500).map(|i| Detection { rect: rect(i), confidence: 0.9, landmarks: None }).collect()
    };
    let mut update = |found: &[Detection], step: u32| tracker.update(found, 0.5, Duration::from_millis(40) * step);
    for step in 0..5 {
        let tracks = update(&noise(step), step);
        assert_eq!(tracks.len(), MAX_DETECTIONS, "only the first ones");
        assert!(tracks.iter().zip(noise(step)).all(|(track, found)| track.rect == found.rect));
    }
    let mut ids = |step: u32, now: u32| update(&noise(step)[..10], now).iter().map(|track| track.id).collect::<Vec<_>>();
    assert_eq!(ids(4, 5), (4_001..4_011).collect::<Vec<_>>(), "the newest tracks are kept");
    assert_eq!(ids(0, 6), (5_001..5_011).collect::<Vec<_>>(), "the oldest ones are dropped before their timeout");
}
