// SPDX-License-Identifier: MIT OR Apache-2.0
//! The estimator of face geometry with a generated network.

use emotion_core::crops::framing::CropFace;
use emotion_core::error::{Error, Result};
use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::landmarker::estimator::Landmarker;
use emotion_core::model::runtime::RunOptions;
use emotion_core::model::search_path::SearchPath;
use emotion_core::model::{ModelDescription, ModelFile};
use test_support::{data, runtime_fetched};

const SIZE: Size = Size::new(200, 160);

fn load(model: ModelFile) -> Result<Landmarker> {
    Landmarker::load(model, &SearchPath::from_env(None), RunOptions::default())
}

/// Five landmarks of an upright face around (100, 80), turned clockwise by `roll` radians.
fn five(roll: f32) -> Landmarks5 {
    let (sin, cos) = roll.sin_cos();
    Landmarks5(
        [(-20.0, -20.0), (20.0, -20.0), (0.0, 0.0), (-16.0, 20.0), (16.0, 20.0)]
            .map(|(x, y)| Point::new(100.0 + cos * x - sin * y, 80.0 + sin * x + cos * y)),
    )
}

#[test]
fn landmarks_and_pose_follow_a_turned_face_and_brightness_sets_the_rest() {
    if !runtime_fetched() {
        return;
    }
    let mut landmarker = load(ModelFile::open(&data("drawn-face.onnx")).expect("it is committed")).expect("a geometry model");
    assert_eq!(&**landmarker.name(), "drawn-face");
    let pixels = vec![192; 200 * 160];
    let plane = Plane { data: &pixels, stride: 200 };
    let view = FrameView::new(PixelFormat::Gray8, SIZE, &[plane], Colorimetry::default()).expect("a view");
    for batch_size in [0, 1] {
        landmarker.set_batch_size(batch_size);
        let rect = Rect::square(Point::new(100.0, 80.0), 100.0);
        let faces = [0.0, 0.5].map(|roll| CropFace { rect, detector: None, landmarks: Some(five(roll)) });
        let found = landmarker.estimate(&view, &faces).expect("estimates");
        let [upright, turned] = found.as_slice() else { panic!("{} estimates for 2 faces", found.len()) };
        let eyes = |estimate: &emotion_core::landmarker::estimator::Estimate| {
            let [right, left, ..] = estimate.landmarks.five().0;
            (left.y - right.y).atan2(left.x - right.x)
        };
        assert!(eyes(upright).abs() < 1e-3 && (eyes(turned) - 0.5).abs() < 1e-2, "{} {}", eyes(upright), eyes(turned));
        assert!((upright.pose.yaw - 22.5).abs() < 0.5 && upright.pose.roll.abs() < 1e-3, "{:?}", upright.pose);
        let nose = turned.pose.rotation().map(|row| row[2]);
        assert!(nose[0] > 0.3 && nose[1] < -0.15, "the nose points to the right and, with the turned face, down: {nose:?}");
        assert!((upright.blendshapes.get("jawOpen").expect("a name") - 0.5).abs() < 0.02 && upright.trust > 0.89);
    }
}

/// Landmarks of a face whose square is a picture of 80x80 pixels.
fn five_of_whole_picture() -> Landmarks5 {
    let (half, middle) = (13.797, 36.878);
    Landmarks5([(-half, -half), (half, -half), (0.0, 0.0), (-half, half), (half, half)].map(|(x, y)| Point::new(40.0 + x, middle + y)))
}

#[test]
fn the_networks_have_the_outputs_of_the_training_code() {
    if !runtime_fetched() {
        return;
    }
    let golden: serde_json::Value = serde_json::from_str(include_str!("../data/face-geometry.json")).expect("JSON");
    let numbers = |face: &serde_json::Value, key: &str| -> Vec<f32> {
        face[key].as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number") as f32).collect()
    };
    // In parts of the crop and of 1, and in degrees.
    for (name, tolerance, degrees) in [("face-geometry", 0.01, 0.5), ("face-geometry-int8", 0.03, 2.0)] {
        let mut landmarker = load(ModelFile::named(name, &SearchPath::default()).expect("it is compiled in")).expect("a geometry model");
        let faces = golden["faces"].as_array().expect("faces");
        assert_eq!(faces.len(), 3);
        for face in faces {
            let pixels: Vec<u8> = numbers(face, "pixels").into_iter().map(|pixel| pixel as u8).collect();
            let plane = Plane { data: &pixels, stride: 80 };
            let whole = Size::new(80, 80);
            let view = FrameView::new(PixelFormat::Gray8, whole, &[plane], Colorimetry::default()).expect("a view");
            let asked = CropFace { rect: whole.rect(), detector: None, landmarks: Some(five_of_whole_picture()) };
            let found = landmarker.estimate(&view, &[asked]).expect("an estimate")[0];
            let near = |found: f32, expected: f32, tolerance: f32, what: &str| {
                assert!((found - expected).abs() < tolerance, "{name}, {}, {what}: {found}, expected {expected}", face["name"]);
            };
            for (point, expected) in found.landmarks.0.iter().zip(numbers(face, "landmarks").chunks_exact(2)) {
                near(point.x / 80.0, expected[0], tolerance, "x");
                near(point.y / 80.0, expected[1], tolerance, "y");
            }
            let pose = numbers(face, "pose");
            near(found.pose.yaw, pose[0], degrees, "yaw");
            near(found.pose.pitch, pose[1], degrees, "pitch");
            near(found.pose.roll, pose[2], degrees, "roll");
            found
                .blendshapes
                .0
                .iter()
                .zip(numbers(face, "blendshapes"))
                .for_each(|(&found, expected)| near(found, expected, 3.0 * tolerance, "blendshape"));
            near(found.trust, numbers(face, "trust")[0], 3.0 * tolerance, "trust");
        }
    }
}

#[test]
fn other_networks_are_refused_with_what_they_lack() {
    if !runtime_fetched() {
        return;
    }
    let refused = |name: &str, description: &str| {
        let description = ModelDescription::parse("model.toml".as_ref(), description).expect("a description");
        let model = ModelFile { description: Some(description), ..ModelFile::open(&data(name)).expect("it is committed") };
        load(model).err().expect("not a geometry model")
    };
    let described = include_str!("../data/drawn-face.toml");
    let cases = [
        ("slow-expression.onnx", include_str!("../data/slow-expression.toml").to_owned(), "a geometry model"),
        ("slow-expression.onnx", described.replace("16", "8"), "an output landmarks [N, 140]"),
        ("drawn-face.onnx", described.replace("16", "24"), "an input input [N, 1, 24, 24]"),
        ("drawn-face.onnx", described.replace("width = 16", ""), "width and height in [input]"),
    ];
    for (name, description, lacking) in cases {
        let error = refused(name, &description);
        assert!(matches!(&error, Error::Model { expected, .. } if expected.contains(lacking)), "{name}: {error}");
    }
    let undescribed = ModelFile { description: None, ..ModelFile::open(&data("drawn-face.onnx")).expect("it is committed") };
    assert!(load(undescribed).err().expect("no description").to_string().contains("model.toml"));
}
