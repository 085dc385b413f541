// SPDX-License-Identifier: MIT OR Apache-2.0
//! The compiled-in expression models, compared with the Python reference and tested on average faces.

use std::time::Duration;

use emotion_core::crops::framing::CropFace;
use emotion_core::crops::results::{Batch, FaceMemory, Selection};
use emotion_core::expression::classifier::Classifier;
use emotion_core::expression::scorer::{FaceScorer, ScoringOptions};
use emotion_core::face_geometry::PoseLimits;
use emotion_core::geometry::{Rect, Size};
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::RunOptions;
use emotion_core::model::search_path::SearchPath;
use emotion_core::record::FaceRecord;
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use test_support::average_faces::{Key, Scene};
use test_support::{our_model, runtime_fetched};

/// The models, the files with the scores of the Python reference, and the tolerances: processors round 8-bit products
/// differently.
const MODELS: [(&str, &str, f32); 2] = [
    ("expression", include_str!("../data/expression.json"), 1e-3),
    ("expression-int8", include_str!("../data/expression-int8.json"), 2e-2),
];

/// The compiled-in model, independent of model folders on this machine.
fn load(name: &str) -> emotion_core::error::Result<Classifier> {
    let runtime_file = SearchPath::from_env(None).runtime_library().ok();
    let search = SearchPath { runtime_file, ..Default::default() };
    Classifier::load(ModelFile::named(name, &search)?, &search, RunOptions::default())
}

fn classifier(name: &str) -> Classifier {
    load(name).expect("our own model")
}

fn file(name: &str) -> ModelFile {
    ModelFile::open(&our_model(name)).expect("our own model, with the checksum of its description")
}

#[test]
fn scores_match_the_python_reference() {
    if !runtime_fetched() {
        return;
    }
    for (name, golden, tolerance) in MODELS {
        let golden: serde_json::Value = serde_json::from_str(golden).expect("JSON");
        let (description, mut classifier) = (file(name).description.expect("a description"), classifier(name));
        assert!(golden["faces"].as_array().is_some_and(|faces| faces.len() >= 4));
        for face in golden["faces"].as_array().into_iter().flatten() {
            let numbers =
                |name: &str| face[name].as_array().expect("an array").iter().map(|value| value.as_f64().expect("a number") as f32);
            let pixels: Vec<u8> = numbers("pixels").map(|value| value as u8).collect();
            let view =
                FrameView::new(PixelFormat::Gray8, Size::new(48, 48), &[Plane { data: &pixels, stride: 48 }], Colorimetry::default());
            // The crop of this box is the picture itself, so that nothing is resampled.
            let crop = description.framing.crop(Rect::new(0.0, 0.0, 48.0, 48.0), None, None);
            let side = 48.0 * 48.0 / crop.side;
            let rect = Rect::new(24.0 - side / 2.0, 24.0 - (crop.center.y - 24.0) * side / 48.0 - side / 2.0, side, side);
            let found = classifier.classify(&view.expect("a view"), &[CropFace { rect, detector: None, landmarks: None }]).expect("scores");
            assert_eq!(numbers("scores").count(), FERPLUS_LABELS.len());
            for (found, expected) in found[0].as_slice().iter().zip(numbers("scores")) {
                assert!((found - expected).abs() <= tolerance, "{name}, {}: {found} instead of {expected}", face["name"]);
            }
        }
    }
}

#[test]
fn a_face_with_no_area_is_scored_by_the_nearest_edge() {
    if !runtime_fetched() {
        return;
    }
    let (size, scene) = (Size::new(640, 480), test_support::three_faces());
    let rgb = scene.render(0.0);
    let view = FrameView::new(PixelFormat::Rgb, size, &[Plane { data: &rgb, stride: 1920 }], Colorimetry::default()).expect("a view");
    let face = |rect: Rect| CropFace { rect, detector: None, landmarks: None };
    let happy = face(scene.appearances(0.0)[1].face);
    let flat = rgb[..3].repeat(640 * 480);
    let edge = FrameView::new(PixelFormat::Rgb, size, &[Plane { data: &flat, stride: 1920 }], Colorimetry::default()).expect("a view");
    let mut classifier = classifier("expression");
    let expected = classifier.classify(&edge, &[face(size.rect())]).expect("scores")[0].clone();
    for empty in [Rect::new(-5.0, -5.0, 0.0, 0.0), Rect::new(f32::NAN, f32::NAN, f32::NAN, f32::NAN), Rect::new(0.0, 0.0, 40.0, f32::NAN)] {
        // The tensor still contains a happy face in the second position.
        classifier.classify(&view, &[happy, happy]).expect("scores");
        let scores = classifier.classify(&view, &[happy, face(empty)]).expect("scores");
        let far = scores[1].as_slice().iter().zip(expected.as_slice()).any(|(score, expected)| (score - expected).abs() > 0.02);
        assert!(!far, "{empty:?}: {:?} instead of {expected:?}", scores[1]);
    }
}

/// An expression model with a dynamic input size that tells bright from dark, with external weights, in a folder with this
/// description of its input.
fn bright_or_dark(folder: &std::path::Path, input: &str) -> ModelFile {
    std::fs::create_dir_all(folder).expect("a folder");
    for name in ["external.onnx", "weights.data"] {
        std::fs::copy(test_support::data(name), folder.join(name)).expect("a copy");
    }
    let description = format!(
        "name = 'bright-or-dark'\ntask = 'expression'\n[input]\nname = 'input'\ncolour = 'gray'\nscale = [0.01]\n{input}\n\
         [[output]]\nname = 'logits'\nactivation = 'softmax'\nlabels = ['bright', 'dark']\n"
    );
    std::fs::write(folder.join("external.toml"), description).expect("a description");
    ModelFile::open(&folder.join("external.onnx")).expect("a model")
}

#[test]
fn external_weights_are_read_from_the_models_folder() {
    if !runtime_fetched() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("gst-emotion-external-{}", std::process::id()));
    let model = bright_or_dark(&folder, "width = 8\nheight = 8");
    let search = SearchPath::from_env(None);
    let mut classifier = Classifier::load(model, &search, RunOptions::default()).expect("the weights lie beside it");
    let white = [255; 64];
    let view = FrameView::new(PixelFormat::Gray8, Size::new(8, 8), &[Plane { data: &white, stride: 8 }], Colorimetry::default());
    let face = CropFace { rect: Size::new(8, 8).rect(), detector: None, landmarks: None };
    let scores = classifier.classify(&view.expect("a view"), &[face]).expect("scores");
    assert!(scores[0].as_slice()[0] > 0.99, "{scores:?}");

    std::fs::write(folder.join("weights.data"), [0; 20]).expect("a file");
    let short = ModelFile::open(&folder.join("external.onnx")).map(|_| ()).expect_err("it is too short").to_string();
    assert!(short.contains("external.onnx") && short.contains("weights.data") && short.contains("20 bytes"), "{short}");
    std::fs::remove_file(folder.join("weights.data")).expect("removed");
    let missing = ModelFile::open(&folder.join("external.onnx")).map(|_| ()).expect_err("it is missing").to_string();
    assert!(missing.contains("external.onnx") && missing.contains("weights.data"), "{missing}");
    let bytes = std::fs::read(folder.join("external.onnx")).expect("a file");
    let at = bytes.windows(12).position(|window| window == b"weights.data").expect("its location");
    for location in [*b"../ghts.data", *b"/eights.data", *b"a/ights.data", *b".eights.data", *b"weights.text"] {
        let outside: Vec<u8> = [&bytes[..at], &location[..], &bytes[at + 12..]].concat();
        std::fs::write(folder.join("external.onnx"), outside).expect("a file");
        let file = folder.join(String::from_utf8_lossy(&location).trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, [0; 24]).expect("a file that is there all the same");
        let outside = ModelFile::open(&folder.join("external.onnx")).map(|_| ()).expect_err("it is elsewhere").to_string();
        let location = String::from_utf8_lossy(&location);
        assert!(outside.contains("in a file beside it") && outside.contains(&*location), "{outside}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn an_input_with_no_area_is_an_error() {
    if !runtime_fetched() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("gst-emotion-no-area-{}", std::process::id()));
    bright_or_dark(&folder, "width = 8\nheight = 8");
    let described = std::fs::read_to_string(folder.join("external.toml")).expect("a description");
    std::fs::write(folder.join("external.toml"), described.replace("width = 8", "width = 0")).expect("a description");
    let search = SearchPath::from_env(None);
    let loaded = ModelFile::open(&folder.join("external.onnx")).and_then(|model| Classifier::load(model, &search, RunOptions::default()));
    let said = loaded.map(|_| ()).expect_err("no classifier takes an empty picture").to_string();
    assert!(said.contains("external.toml") && said.contains("width of 1 to 2048, found 0"), "{said}");
    std::fs::remove_dir_all(folder).expect("removed");
}

/// The faces on a frame with one face of track 1 in front of stripes of this width, and the batch to classify.
fn striped(scorer: &mut FaceScorer, stripes: usize, options: &ScoringOptions, now: Duration) -> (Vec<FaceRecord>, Batch) {
    let size = Size::new(160, 120);
    let rect_norm = Rect::new(20.0, 10.0, 100.0, 100.0).to_norm(size);
    let mut faces = vec![FaceRecord { id: 1, rect_norm, detection: None, emotion: None, geometry: None, confirmed: true }];
    let pixels: Vec<u8> = (0..160 * 120).map(|at| (at / stripes % 2 * 100) as u8).collect();
    let view = FrameView::new(PixelFormat::Gray8, size, &[Plane { data: &pixels, stride: 160 }], Colorimetry::default()).expect("a view");
    let batch = scorer.choose(&view, &mut faces, options, now);
    (faces, batch)
}

#[test]
fn a_blink_whose_scores_come_late_does_not_change_the_label() {
    let motion_gate = Some(Duration::from_secs(1));
    let selection = Selection { interval_frames: 1, budget: 1, min_face_size: 1.0, motion_gate, time_budget: None };
    let options =
        ScoringOptions { selection, half_life: Duration::from_millis(200), min_confidence: 0.0, pose_limits: PoseLimits::default() };
    let mut scorer = FaceScorer::new(LabelSet::new(["neutral", "surprise"]));
    let scores = |surprise: f32| vec![Scores::from_probabilities([1.0 - surprise, surprise])];
    let (_, open) = striped(&mut scorer, 16, &options, Duration::ZERO);
    scorer.store(&open, scores(0.0), Duration::ZERO, &options);
    let (_, blink) = striped(&mut scorer, 40, &options, Duration::from_millis(40));
    assert!(!blink.is_empty(), "it looks different, so it is classified");
    // While the classifier is busy, the face looks as before.
    for frame in 2..5 {
        let (_, same) = striped(&mut scorer, 16, &options, Duration::from_millis(40) * frame);
        assert_eq!((same.is_empty(), same.unchanged()), (true, 1));
    }
    scorer.store(&blink, scores(1.0), Duration::ZERO, &options);
    let (mut faces, _) = striped(&mut scorer, 16, &options, Duration::from_millis(200));
    scorer.complete(&mut faces, Size::new(160, 120), &options, Duration::from_millis(200));
    let shown = faces[0].emotion.as_ref().expect("scores");
    assert_eq!(shown.label(), "neutral", "{:?}", shown.scores);
    assert!((0.05..0.2).contains(&shown.scores.as_slice()[1]), "the blink counts for the time of its frame: {:?}", shown.scores);
}

#[test]
fn compiled_in_files_equal_those_of_the_repository() {
    for (name, ..) in MODELS {
        let description = file(name).description.expect("a description");
        assert_eq!(description.name, name);
        assert_eq!(description.outputs[0].labels, FERPLUS_LABELS);
        if runtime_fetched() {
            assert_eq!(classifier(name).name(), name);
            assert_eq!(classifier(name).labels().as_slice(), FERPLUS_LABELS);
        }
    }
}

#[test]
fn an_unknown_model_name_is_an_error_that_lists_the_known_ones() {
    let said = load("expresion").err().expect("no such model").to_string();
    for part in ["expresion", "compiled in: expression, expression-int8"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn average_faces_are_classified_as_their_own_expression() {
    if !runtime_fetched() {
        return;
    }
    for (name, ..) in MODELS {
        let mut classifier = classifier(name);
        for label in NAMED_RIGHT {
            let keys = [0.0, 1.0].map(|time| Key::new(time, (160.0, 120.0), 170.0, label)).into();
            let scene = Scene::new(320, 240).actor(keys);
            let (frame, rect) = (scene.render(0.0), scene.appearances(0.0)[0].face);
            let view =
                FrameView::new(PixelFormat::Rgb, Size::new(320, 240), &[Plane { data: &frame, stride: 960 }], Colorimetry::default());
            let face = CropFace { rect, detector: Some("centerface"), landmarks: None };
            let scores = &classifier.classify(&view.expect("a view"), &[face]).expect("scores")[0];
            let truth = FERPLUS_LABELS.iter().position(|known| *known == label).expect("a label");
            let above = scores.as_slice().iter().filter(|score| **score > scores.as_slice()[truth]).count();
            // On the average face of fear, neutral, sadness, fear and surprise are nearly equally probable.
            let most = if label == "fear" { 3 } else { 0 };
            assert!(above <= most && scores.as_slice()[truth] > 0.125, "{name} on {label}: {scores:?}");
        }
    }
}

/// The average faces that the models classify as the annotators did, whose votes selected the pictures, or nearly so (fear):
/// all but contempt, which they take for neutral.
const NAMED_RIGHT: [&str; 7] = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"];

#[test]
fn a_batch_has_the_same_scores_as_single_faces() {
    if !runtime_fetched() {
        return;
    }
    let scene = test_support::three_faces();
    let frame = scene.render(0.0);
    let view = FrameView::new(PixelFormat::Rgb, Size::new(640, 480), &[Plane { data: &frame, stride: 1920 }], Colorimetry::default())
        .expect("a view");
    let appearances = scene.appearances(0.0);
    let faces: Vec<_> = appearances.iter().map(|shown| CropFace { rect: shown.face, detector: None, landmarks: None }).collect();
    let mut classifier = classifier("expression");
    let together = classifier.classify(&view, &faces).expect("scores").to_vec();
    for batch in [1, 2] {
        classifier.set_batch_size(batch);
        for (a, b) in classifier.classify(&view, &faces).expect("scores").iter().zip(&together) {
            assert!(a.as_slice().iter().zip(b.as_slice()).all(|(a, b)| (a - b).abs() < 1e-4), "batches of {batch}");
        }
    }
    assert!(classifier.classify(&view, &[]).expect("no scores").is_empty());
}
