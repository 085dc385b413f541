// SPDX-License-Identifier: MIT OR Apache-2.0
//! `recall=high`: faces that are to be hidden.

use super::*;
use test_support::average_faces::Scene;

/// Centres of the faces that `line` finds in a picture with one head of this place and height.
fn found(line: &str, place: (f32, f32), height: f32) -> Vec<(f32, f32)> {
    init();
    let still = [0.0, 1000.0].map(|at_s| Key::new(at_s, place, height, "neutral")).into();
    let (frame, info) = buffer(&Scene::new(640, 480).actor(still).render(0.0), 640, 480, VideoFormat::I420);
    let mut harness = Harness::new_parse(line);
    harness.set_src_caps(info.to_caps().expect("caps"));
    let centre = |face: &FaceRecord| (face.rect_norm.center().x * 640.0, face.rect_norm.center().y * 480.0);
    faces(&harness.push_and_pull(frame_at(&frame, 0)).expect("a frame")).iter().map(centre).collect()
}

#[test]
fn high_recall_finds_small_large_and_cut_off_faces_that_the_default_misses() {
    if !runtime_fetched() {
        return;
    }
    for (name, place, height) in [
        ("small", (320.0, 240.0), 14.0),
        ("cut off on the right", (600.0, 240.0), 900.0),
        ("cut off below", (320.0, 480.0), 500.0),
        ("larger than the picture", (320.0, 240.0), 1200.0),
    ] {
        assert_eq!(found("emotionfacedetect", place, height), [], "{name}: the test needs a harder face");
        let [(x, y)] = found("emotionfacedetect recall=high", place, height)[..] else { panic!("{name}: expected one face") };
        let shown = |centre: f32, side: f32| centre.clamp(0.0, side);
        let far = (x - shown(place.0, 640.0)).hypot(y - shown(place.1, 480.0));
        assert!(far < height / 3.0, "{name}: found at {x}, {y}");
    }
}

#[test]
fn a_threshold_that_is_set_applies_with_high_recall_too() {
    if runtime_fetched() {
        assert_eq!(found("emotionfacedetect recall=high score-threshold=0.99", (320.0, 240.0), 14.0), []);
    }
}
