// SPDX-License-Identifier: MIT OR Apache-2.0
//! Third-party expression models, recognised by their signature, with tiny networks that have the same signatures.

use std::process::Command;

use emotion_core::crops::framing::CropFace;
use emotion_core::expression::classifier::Classifier;
use emotion_core::geometry::{Rect, Size};
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::RunOptions;
use emotion_core::model::search_path::SearchPath;
use emotion_core::scores::Scores;
use test_support::{data, runtime_fetched};

/// Colour of the whole picture: red, green, blue.
const COLOUR: [u8; 3] = [200, 100, 50];

/// Name and labels of a model, and the hand-computed value of each input channel for a picture of [`COLOUR`].
type Expected = (&'static str, &'static [&'static str], Vec<f32>);

fn expected() -> [Expected; 4] {
    let grey = 0.299 * 200.0 + 0.587 * 100.0 + 0.114 * 50.0;
    let rgb = [200.0, 100.0, 50.0];
    let imagenet = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];
    let (hse, opencv) = (
        &["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
        &["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
    );
    [
        ("emotion-ferplus-8", &["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"], vec![grey]),
        ("hsemotion-b0-8", hse, rgb.iter().zip(imagenet).map(|(value, (mean, deviation))| (value / 255.0 - mean) / deviation).collect()),
        ("mobilefacenet", opencv, rgb.iter().map(|value| (value / 255.0 - 0.5) / 0.5).collect()),
        ("mini-xception", &["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"], vec![(grey / 255.0 - 0.5) * 2.0]),
    ]
}

#[test]
fn known_models_are_recognised_and_preprocessed_as_by_their_authors() {
    if !runtime_fetched() {
        return;
    }
    let pixels = COLOUR.repeat(300 * 300);
    let view = FrameView::new(PixelFormat::Rgb, Size::new(300, 300), &[Plane { data: &pixels, stride: 900 }], Colorimetry::default());
    let view = view.expect("a view");
    let face = |x: f32| CropFace { rect: Rect::new(x, 60.0, 100.0, 120.0), detector: Some("centerface"), landmarks: None };
    for (name, labels, input) in expected() {
        let file = ModelFile::open(&data(&format!("preset-{name}.onnx"))).expect("a model file");
        assert!(file.description.is_none(), "{name} is recognised, not described");
        let mut classifier = Classifier::load(file, &SearchPath::from_env(None), RunOptions::default()).expect("a known model");
        assert_eq!((classifier.name(), classifier.labels().as_slice().join(" ")), (name, labels.join(" ")));
        let mut values = vec![0.0; labels.len()];
        values.iter_mut().zip(&input).for_each(|(value, mean)| *value = mean / 100.0);
        // Only mini-XCEPTION outputs probabilities.
        let wanted = if name == "mini-xception" { Scores::from_probabilities(values) } else { Scores::from_logits(&values, 1.0) };
        let scores = classifier.classify(&view, &[face(20.0), face(90.0), face(180.0)]).expect("scores of three faces at once");
        assert_eq!(scores.len(), 3);
        for (found, wanted) in scores.iter().flat_map(|scores| scores.as_slice().iter().zip(wanted.as_slice())) {
            assert!((found - wanted).abs() < 1e-4, "{name}: {found} instead of {wanted}");
        }
    }
}

#[test]
fn an_unknown_signature_is_an_error_that_lists_what_is_supported() {
    if !runtime_fetched() {
        return;
    }
    let file = ModelFile::open(&data("identity.onnx")).expect("a model file");
    let error = Classifier::load(file, &SearchPath::from_env(None), RunOptions::default()).err().expect("no expression model").to_string();
    for part in ["identity.onnx", "model.toml", "signature of a known model", "input [1, 3, 32, 32]"] {
        assert!(error.contains(part), "{part} not in: {error}");
    }
}

#[test]
fn skipped_tests_are_counted_in_the_output() {
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command.args(["known_models_are_recognised", "an_unknown_signature"]).env_remove("GST_EMOTION_REQUIRE_MODELS");
    let output = command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").output().expect("this test program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("left out: 2 tests: ONNX Runtime"), "{output:?}");
}
