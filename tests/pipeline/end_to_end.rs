// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cost of detection and framing: average faces at many sizes, positions and backgrounds through the elements, compared
//! with the same faces cropped exactly.

use emotion_core::crops::framing::CropFace;
use emotion_core::expression::classifier::Classifier;
use emotion_core::geometry::Size;
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::RunOptions;
use emotion_core::model::search_path::SearchPath;
use emotion_core::scores::FERPLUS_LABELS;
use gst_check::Harness;
use gst_video::VideoFormat;
use gstemotion::meta::read_faces;
use test_support::average_faces::{Key, Scene};
use test_support::fetched;
use test_support::gstreamer::{buffer, init};

const SIZE: Size = Size { width: 640, height: 480 };
/// The default detector and the fetched one.
const DETECTORS: [&str; 2] = ["auto", "centerface"];
/// Maximum share of right answers that may be lost.
const MAX_LOST: f32 = 0.015;
/// Maximum mean loss of the score of the true class.
const MAX_SCORE_LOST: f32 = 0.03;
/// Heights from above the forehead to below the chin, in pixels.
const HEIGHTS: [f32; 3] = [84.0, 130.0, 210.0];
const PLACES: [(f32, f32); 2] = [(0.3, 0.4), (0.72, 0.55)];
/// Colours at the top and at the bottom: dark, the default, bright.
const BACKGROUNDS: [[[f32; 3]; 2]; 3] = [
    [[40.0, 44.0, 52.0], [22.0, 24.0, 30.0]],
    [[168.0, 190.0, 205.0], [112.0, 132.0, 150.0]],
    [[245.0, 240.0, 230.0], [220.0, 214.0, 200.0]],
];

#[test]
fn detected_faces_score_like_exact_crops() {
    if !fetched("centerface") {
        return;
    }
    init();
    let search = SearchPath::from_env(None);
    let model = ModelFile::named("expression", &search).expect("our own model");
    let mut classifier = Classifier::load(model, &search, RunOptions::default()).expect("our own model");
    let (mut count, mut direct_right) = (0, 0);
    let mut chains = DETECTORS.map(|detector| (chain(detector), 0, 0.0));
    for (background, [top, bottom]) in BACKGROUNDS.into_iter().enumerate() {
        for (size, height) in HEIGHTS.into_iter().enumerate() {
            let (x, y) = PLACES[(background + size) % PLACES.len()];
            for (truth, &label) in FERPLUS_LABELS.iter().enumerate() {
                let center = (x * SIZE.width as f32, y * SIZE.height as f32);
                let keys = [0.0, 1.0].map(|time| Key::new(time, center, height, label)).into();
                let scene = Scene::new(SIZE.width as usize, SIZE.height as usize).background(top, bottom).actor(keys);
                let frame = scene.render(0.0);
                let plane = Plane { data: &frame, stride: SIZE.width as usize * 3 };
                let view = FrameView::new(PixelFormat::Rgb, SIZE, &[plane], Colorimetry::default()).expect("a view");
                let face = CropFace { rect: scene.appearances(0.0)[0].face, detector: Some("centerface"), landmarks: None };
                let direct = classifier.classify(&view, &[face]).expect("scores")[0].clone();
                count += 1;
                direct_right += usize::from(direct.top().0 == truth);
                for (detector, (chain, right, score_lost)) in DETECTORS.into_iter().zip(&mut chains) {
                    let shown = format!("{label}, {height} px at {center:?} before {top:?}, {detector}");
                    let (found, scores) = through_the_elements(chain, &frame, &shown);
                    *right += usize::from(found == label);
                    *score_lost += direct.as_slice()[truth] - scores[truth];
                }
            }
        }
    }
    assert!(direct_right > count / 2, "only {direct_right} of {count} right even when cropped by hand");
    for (detector, (_, right, score_lost)) in DETECTORS.into_iter().zip(chains) {
        let said = format!("{count} faces: {direct_right} right cropped by hand, {right} through the elements with {detector}");
        let mean_lost = score_lost / count as f32;
        println!("{said}; score lost {mean_lost:.4}");
        assert!((direct_right as f32 - right as f32) / count as f32 <= MAX_LOST, "{said}");
        assert!(mean_lost <= MAX_SCORE_LOST, "{said}: the true class loses {mean_lost:.3} in the mean");
    }
}

/// The elements with a detector. Without tracks, a face needs no confirmation by a second frame, although the harness is a
/// live source, and frames have nothing to do with each other. Each face gets the label of its best score, however low.
fn chain(detector: &str) -> Harness {
    let mut harness =
        Harness::new_parse(&format!("emotionfacedetect detector={detector} track=false ! emotionclassify smoothing=0 min-confidence=0"));
    harness.set_src_caps_str(&format!("video/x-raw,format=RGB,width={},height={},framerate=30/1", SIZE.width, SIZE.height));
    harness
}

/// Label and scores of the only face on `frame`, detected and framed by the elements.
fn through_the_elements(chain: &mut Harness, frame: &[u8], shown: &str) -> (String, Vec<f32>) {
    let (buffer, _) = buffer(frame, SIZE.width, SIZE.height, VideoFormat::Rgb);
    let faces = read_faces(&chain.push_and_pull(buffer).expect("a buffer"), SIZE);
    assert_eq!(faces.len(), 1, "faces found: {shown}");
    let emotion = faces[0].emotion.as_ref().expect("scores");
    (emotion.label().to_string(), emotion.scores.as_slice().to_vec())
}
