// SPDX-License-Identifier: MIT OR Apache-2.0
//! Network detectors through ONNX Runtime, with tiny networks whose output is a simple function of the picture.

use std::path::{Path, PathBuf};

use emotion_core::detector::network::{Family, NetworkDetector};
use emotion_core::detector::{DetectOptions, Detection, FaceDetector};
use emotion_core::geometry::{Rect, Size};
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::{Provider, RunOptions};
use emotion_core::model::search_path::SearchPath;
use test_support::average_faces::{Key, Scene};
use test_support::{data, runtime_fetched};

fn load(model: &str, wanted: Option<Family>, detect_size: u32) -> emotion_core::error::Result<NetworkDetector> {
    let model = ModelFile::open(&data(model)).expect("a file");
    NetworkDetector::load(model, wanted, detect_size, &SearchPath::from_env(None), RunOptions { threads: 1, provider: Provider::Cpu })
}

/// The detections of `detector` on a black frame of `size` with a white rectangle.
fn detect(detector: &mut NetworkDetector, size: Size, white: Rect) -> Vec<Detection> {
    let inside = |n: u32, start: f32, length: f32| (start..start + length).contains(&(n as f32));
    detect_with(detector, size, &DetectOptions::default(), |x, y| inside(x, white.x, white.w) && inside(y, white.y, white.h))
}

/// The detections of `detector` on a black frame of `size` whose `lit` pixels are white.
fn detect_with(detector: &mut NetworkDetector, size: Size, options: &DetectOptions, lit: impl Fn(u32, u32) -> bool) -> Vec<Detection> {
    let pixels: Vec<u8> = (0..size.width * size.height).map(|n| if lit(n % size.width, n / size.width) { 255 } else { 0 }).collect();
    let plane = Plane { data: &pixels, stride: size.width as usize };
    let view = FrameView::new(PixelFormat::Gray8, size, &[plane], Colorimetry::default()).expect("a view");
    let mut found = Vec::new();
    detector.detect(&view, options, &mut found).expect("an inference");
    found
}

fn assert_close(found: Rect, expected: Rect) {
    let far = [found.x - expected.x, found.y - expected.y, found.w - expected.w, found.h - expected.h];
    assert!(far.iter().all(|distance| distance.abs() < 0.1), "{found:?}, not {expected:?}");
}

#[test]
fn more_streams_than_cores_share_the_sessions_of_a_model() {
    if !runtime_fetched() {
        return;
    }
    let streams = 4 * std::thread::available_parallelism().map_or(1, usize::from);
    let detectors: Vec<_> = (0..streams).map(|_| load("anchors.onnx", None, 320).expect("a detector")).collect();
    // Each stream has a face of its own, so that no stream may see the tensors of another.
    std::thread::scope(|scope| {
        for (stream, mut detector) in detectors.into_iter().enumerate() {
            scope.spawn(move || {
                let white = Rect::new(64.0 * (stream % 2) as f32, 0.0, 64.0, 48.0);
                for _ in 0..50 {
                    let found = detect(&mut detector, Size::new(128, 48), white);
                    assert_eq!(found.len(), 1, "{found:?}");
                    assert_close(found[0].rect, white);
                }
            });
        }
    });
}

#[test]
fn anchor_detectors_keep_the_input_size_of_their_file() {
    if !runtime_fetched() {
        return;
    }
    // The input is 64 x 48. A frame of 128 x 48 fills only its upper half, whatever the detection size.
    let mut detector = load("anchors.onnx", None, 320).expect("a detector");
    assert_eq!(detector.name(), "ultraface");
    let found = detect(&mut detector, Size::new(128, 96), Rect::new(64.0, 48.0, 64.0, 48.0));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_close(found[0].rect, Rect::new(64.0, 48.0, 64.0, 48.0));
    assert!(found[0].confidence > 0.95 && found[0].landmarks.is_none());
    let wide = detect(&mut detector, Size::new(128, 48), Rect::new(0.0, 0.0, 64.0, 48.0));
    assert_close(wide[0].rect, Rect::new(0.0, 0.0, 64.0, 48.0));
}

#[test]
fn cells_of_all_strides_become_faces() {
    if !runtime_fetched() {
        return;
    }
    let mut detector = load("cells.onnx", None, 320).expect("a detector");
    assert_eq!(detector.name(), "emotion-face");
    let size = Size::new(320, 240);
    let small = detect(&mut detector, size, Rect::new(40.0, 80.0, 8.0, 8.0));
    assert_eq!(small.len(), 1, "{small:?}");
    assert_close(small[0].rect, Rect::new(36.0, 76.0, 16.0, 16.0));
    let [right_eye, left_eye, nose, ..] = small[0].landmarks.expect("landmarks").0;
    assert!((right_eye.x - 40.0).abs() < 0.1 && (left_eye.x - 48.0).abs() < 0.1 && (nose.y - 84.0).abs() < 0.1);
    // A cell of 32 pixels covers 16 cells of stride 8 and 4 of stride 16. Its own box overlaps few of theirs.
    let large = detect(&mut detector, size, Rect::new(96.0, 64.0, 32.0, 32.0));
    assert!(large.iter().any(|found| found.rect.w > 63.0), "{large:?}");
}

#[test]
fn cells_of_yunet_become_faces() {
    if !runtime_fetched() {
        return;
    }
    let mut detector = load("yunet-cells.onnx", None, 320).expect("a detector");
    assert_eq!(detector.name(), "yunet");
    let found = detect(&mut detector, Size::new(320, 240), Rect::new(40.0, 80.0, 8.0, 8.0));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_close(found[0].rect, Rect::new(28.0, 68.0, 32.0, 32.0));
    let [right_eye, left_eye, nose, ..] = found[0].landmarks.expect("landmarks").0;
    assert!((right_eye.x - 36.0).abs() < 0.1 && (left_eye.x - 52.0).abs() < 0.1 && (nose.y - 84.0).abs() < 0.1);
}

#[test]
fn a_network_of_another_family_is_an_error_that_names_both() {
    if !runtime_fetched() {
        return;
    }
    let error = load("cells.onnx", Some(Family::UltraFace), 320).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("cells.onnx") && error.contains("outputs of ultraface") && error.contains("stride_8"), "{error}");
}

/// The compiled-in network, independent of model folders on this machine.
fn compiled_in(detect_size: u32) -> NetworkDetector {
    our_own(detect_size, Vec::new()).expect("a detector")
}

/// Our network, from the first of `model_folders` that has it.
fn our_own(detect_size: u32, model_folders: Vec<PathBuf>) -> emotion_core::error::Result<NetworkDetector> {
    let runtime_file = SearchPath::from_env(None).runtime_library().ok();
    let search = SearchPath { runtime_file, model_folders, ..Default::default() };
    let run = RunOptions { threads: 1, ..Default::default() };
    NetworkDetector::load(Family::EmotionFace.default_model(&search)?, Some(Family::EmotionFace), detect_size, &search, run)
}

#[test]
fn our_network_matches_the_python_reference() {
    // Tolerances in pixels and in scores, for sums in another order and a rounded fixture. Landmarks are sampled again.
    const PIXELS: f32 = 0.02;
    const SAMPLED: f32 = 0.15;
    const SCORES: f32 = 1e-3;
    if !runtime_fetched() {
        return;
    }
    let golden: serde_json::Value = serde_json::from_str(include_str!("../data/face.json")).expect("JSON");
    let numbers = |value: &serde_json::Value| {
        let values = value.as_array().expect("an array").iter();
        values.map(|value| value.as_f64().expect("a number") as f32).collect::<Vec<_>>()
    };
    let pixels: Vec<u8> = numbers(&golden["pixels"]).iter().flat_map(|&value| [value as u8; 3]).collect();
    let size = Size::new(128, 96);
    let plane = Plane { data: &pixels, stride: 3 * 128 };
    let view = FrameView::new(PixelFormat::Rgb, size, &[plane], Colorimetry::default()).expect("a view");
    let mut found = Vec::new();
    let score_threshold = golden["threshold"].as_f64().expect("a number") as f32;
    let options = DetectOptions { score_threshold, ..Default::default() };
    // At the size of the frame, so that nothing is resampled.
    compiled_in(0).detect(&view, &options, &mut found).expect("an inference");
    let expected = golden["faces"].as_array().expect("faces");
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let score = expected["score"].as_f64().expect("a number") as f32;
        assert!((found.confidence - score).abs() < SCORES, "{} instead of {score}", found.confidence);
        let rect = [found.rect.x, found.rect.y, found.rect.w, found.rect.h];
        let marks: Vec<_> = found.landmarks.expect("landmarks").0.iter().flat_map(|mark| [mark.x, mark.y]).collect();
        for (key, values, tolerance) in [("box", &rect[..], PIXELS), ("landmarks", &marks[..], SAMPLED)] {
            let wanted = numbers(&expected[key]);
            assert_eq!(values.len(), wanted.len(), "{expected}");
            for (value, wanted) in values.iter().zip(wanted) {
                assert!((value - wanted).abs() < tolerance, "{found:?} instead of {expected}");
            }
        }
    }
}

#[test]
fn our_network_finds_average_faces_of_many_sizes() {
    if !runtime_fetched() {
        return;
    }
    let mut detector = compiled_in(320);
    assert_eq!(detector.name(), "emotion-face");
    for height in [64.0, 90.0, 170.0, 300.0] {
        let keys = [0.0, 1.0].map(|time| Key::new(time, (320.0, 240.0), height, "happiness")).into();
        let scene = Scene::new(640, 480).actor(keys);
        let (frame, shown) = (scene.render(0.0), scene.appearances(0.0)[0].face);
        let view = FrameView::new(PixelFormat::Rgb, Size::new(640, 480), &[Plane { data: &frame, stride: 1920 }], Colorimetry::default());
        let mut found = Vec::new();
        detector.detect(&view.expect("a view"), &DetectOptions::default(), &mut found).expect("an inference");
        assert_eq!(found.len(), 1, "{height} px: {found:?}");
        assert!(found[0].rect.iou(shown) > 0.6, "{height} px: {found:?} instead of {shown:?}");
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = found[0].landmarks.expect("landmarks").0;
        assert!(right_eye.x < nose.x && nose.x < left_eye.x && right_mouth.x < left_mouth.x && nose.y < right_mouth.y, "{height} px");
    }
}

#[test]
fn a_custom_refiner_is_used_and_an_invalid_one_is_an_error() {
    if !runtime_fetched() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("gst-emotion-refiner-{}", std::process::id()));
    let own = folder.join("face-refiner");
    std::fs::create_dir_all(&own).expect("a folder");
    let load = |network: &Path, description: &str| {
        std::fs::copy(network, own.join("model.onnx")).expect("a copy");
        std::fs::write(own.join("model.toml"), description).expect("a description");
        our_own(320, vec![folder.clone()]).map(|_| ()).map_err(|error| error.to_string())
    };
    let described = include_str!("../../models/face-refiner/model.toml");
    let (network, faces, identity) = (data("../../models/face-refiner/model.onnx"), data("cells.onnx"), data("identity.onnx"));
    let unsealed: String = described.lines().filter(|line| !line.starts_with("sha256")).map(|line| format!("{line}\n")).collect();
    assert_eq!(load(&network, described), Ok(()));
    let wrong = [
        ("the task refine", &network, described.replace(r#"task = "refine""#, r#"task = "face""#)),
        ("width and height in [input]", &network, described.replace("width = 32\n", "")),
        ("outputs [N, 1], [N, 4], [N, 10]", &faces, unsealed.clone()),
        ("outputs [N, 1], [N, 4], [N, 10]", &identity, unsealed),
        ("expected sha256", &faces, described.into()),
    ];
    for (expected, network, description) in wrong {
        let said = load(network, &description).expect_err(expected).replace('\\', "/");
        assert!(said.contains(expected) && said.contains("face-refiner/model."), "{said}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_model_that_cannot_run_fails_to_load() {
    if !runtime_fetched() {
        return;
    }
    let wrong = [
        ("no-inputs.onnx", "expected one input [1, 3, H, W]", "inputs ; outputs heat"),
        ("short-landmarks.onnx", "expected outputs of centerface", "2560 values of landmarks"),
        ("short-boxes.onnx", "expected outputs of yunet", "values of bbox_8"),
        ("grey-cells.onnx", "expected one input [1, 3, H, W]", "inputs input [?, 1, ?, ?]"),
    ];
    for (file, expected, found) in wrong {
        let error = load(file, None, 320).map(|_| ()).expect_err(file);
        assert!(matches!(error, emotion_core::error::Error::Model { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(file) && said.contains(expected), "{said}");
        assert!(said.contains(found) || file == "short-landmarks.onnx", "{said}");
    }
}

/// Detects a face two cells (16 pixels) wide around each white cell. A refiner moves it to the bright part around it.
fn cells_with_a_refiner(detect_size: u32) -> NetworkDetector {
    let folder = std::env::temp_dir().join(format!("gst-emotion-centroid-{detect_size}-{}", std::process::id()));
    let refiner = folder.join("centroid");
    std::fs::create_dir_all(&refiner).expect("a folder");
    std::fs::copy(data("centroid-refiner.onnx"), refiner.join("model.onnx")).expect("a copy");
    std::fs::copy(data("cells.onnx"), folder.join("cells.onnx")).expect("a copy");
    let refines = "name = 'centroid'\ntask = 'refine'\n[input]\nname = 'input'\nwidth = 32\nheight = 32\n";
    std::fs::write(refiner.join("model.toml"), refines).expect("a description");
    let detects = "name = 'cells'\ntask = 'face'\nrefiner = 'centroid'\n[input]\nname = 'input'\n";
    std::fs::write(folder.join("cells.toml"), detects).expect("a description");
    let runtime_file = SearchPath::from_env(None).runtime_library().ok();
    let search = SearchPath { runtime_file, model_folders: vec![folder.clone()], ..Default::default() };
    let model = ModelFile::open(&folder.join("cells.onnx")).expect("a file");
    let detector = NetworkDetector::load(model, None, detect_size, &search, RunOptions::default()).expect("a detector");
    std::fs::remove_dir_all(folder).expect("removed");
    detector
}

#[test]
fn boxes_that_the_refiner_moves_onto_one_face_are_merged() {
    if !runtime_fetched() {
        return;
    }
    let options = DetectOptions { iou_threshold: 0.4, ..Default::default() };
    // Two boxes 8 pixels apart, with an IoU of 1/3; each is moved towards the middle of both.
    let lit = |x: u32, y: u32| (80..96).contains(&x) && (80..88).contains(&y);
    let found = detect_with(&mut cells_with_a_refiner(320), Size::new(320, 240), &options, lit);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].rect.iou(Rect::new(80.0, 76.0, 16.0, 16.0)) > 0.8, "{found:?}");
}

#[test]
fn the_refiner_skips_excess_boxes_without_dropping_them() {
    if !runtime_fetched() {
        return;
    }
    let lit = |x: u32, y: u32| x % 24 < 8 && y % 24 < 8;
    let found = detect_with(&mut cells_with_a_refiner(640), Size::new(640, 480), &DetectOptions::default(), lit);
    assert_eq!(found.len(), 27 * 20);
    // The refiner sets all landmarks to one point.
    let refined = |found: &&Detection| found.landmarks.is_some_and(|landmarks| landmarks.0.iter().all(|mark| *mark == landmarks.0[0]));
    assert_eq!(found.iter().filter(refined).count(), 256);
}

#[test]
fn landmarks_follow_a_rotated_head() {
    if !runtime_fetched() {
        return;
    }
    let mut detector = compiled_in(320);
    let size = Size::new(640, 480);
    for height in [60.0, 170.0, 300.0] {
        let keys = [0.0, 1.0].map(|time| Key::new(time, (320.0, 240.0), height, "neutral")).into();
        let upright = Scene::new(640, 480).actor(keys).render(0.0);
        for degrees in [-25.0f32, 0.0, 25.0] {
            let frame = turned(&upright, size, degrees.to_radians());
            let view = FrameView::new(PixelFormat::Rgb, size, &[Plane { data: &frame, stride: 1920 }], Colorimetry::default());
            let mut found = Vec::new();
            detector.detect(&view.expect("a view"), &DetectOptions::default(), &mut found).expect("an inference");
            assert_eq!(found.len(), 1, "{height} px, {degrees} degrees: {found:?}");
            let roll = found[0].landmarks.expect("landmarks").roll().to_degrees();
            assert!((roll - degrees).abs() < 10.0, "{height} px: {roll} instead of {degrees} degrees");
        }
    }
}

/// An RGB frame rotated clockwise around its centre, with its edge repeated.
fn turned(frame: &[u8], size: Size, roll: f32) -> Vec<u8> {
    let (width, height, (sin, cos)) = (size.width as usize, size.height as usize, roll.sin_cos());
    let pixel = |index: usize| {
        let (x, y) = ((index % width) as f32 - width as f32 / 2.0, (index / width) as f32 - height as f32 / 2.0);
        let at = |position: f32, length: usize| (position + length as f32 / 2.0).round().clamp(0.0, length as f32 - 1.0) as usize;
        let start = 3 * (at(y * cos - x * sin, height) * width + at(x * cos + y * sin, width));
        [frame[start], frame[start + 1], frame[start + 2]]
    };
    (0..width * height).flat_map(pixel).collect()
}
