// SPDX-License-Identifier: MIT OR Apache-2.0
//! Streams whose pictures are run together.

use std::sync::Barrier;
use std::time::Duration;

use emotion_core::crops::framing::CropFace;
use emotion_core::error::Result;
use emotion_core::expression::classifier::Classifier;
use emotion_core::geometry::{Rect, Size};
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::{Execution, RunOptions};
use emotion_core::model::search_path::SearchPath;
use emotion_core::scores::Scores;
use test_support::{our_model, runtime_fetched};

const SIDE: u32 = 96;
/// So long that a test which waits for it does not end.
const WINDOW: Duration = Duration::from_secs(24 * 3600);

fn load(batch_window: Duration) -> Classifier {
    let model = ModelFile::open(&our_model("expression")).expect("our own model");
    let run = RunOptions { threads: 1, ..RunOptions::default() };
    Classifier::load(model, &SearchPath::from_env(None), Execution { run, batch_window, ..Execution::default() }).expect("our own model")
}

/// The scores of `count` parts of a picture that depends on `seed`.
fn scores(classifier: &mut Classifier, seed: u32, count: u32) -> Result<Vec<Scores>> {
    let pixels: Vec<u8> = (0..SIDE * SIDE).map(|index| (index.wrapping_mul(seed + 3) % 251) as u8).collect();
    let view = FrameView::new(
        PixelFormat::Gray8,
        Size::new(SIDE, SIDE),
        &[Plane { data: &pixels, stride: SIDE as usize }],
        Colorimetry::default(),
    )?;
    let face = |index: u32| CropFace { rect: Rect::new(2.0 * index as f32, 5.0, 48.0, 48.0), detector: None, landmarks: None };
    Ok(classifier.classify(&view, &(0..count).map(face).collect::<Vec<_>>())?.to_vec())
}

#[test]
fn each_stream_gets_the_results_of_its_own_pictures() {
    if !runtime_fetched() {
        return;
    }
    const STREAMS: u32 = 4;
    let mut alone = load(Duration::ZERO);
    let mut streams: Vec<Classifier> = (0..STREAMS).map(|_| load(WINDOW)).collect();
    let barrier = Barrier::new(STREAMS as usize);
    // In each round, all streams come, so none waits for the window.
    let found: Vec<Vec<Vec<Scores>>> = std::thread::scope(|scope| {
        let run = |(seed, classifier): (usize, &mut Classifier)| -> Vec<Vec<Scores>> {
            (0..8).map(|round| scores(classifier, seed as u32, 1 + (seed as u32 + round) % 5).expect("scores")).collect()
        };
        let barrier = &barrier;
        let threads: Vec<_> = streams
            .iter_mut()
            .enumerate()
            .map(|stream| {
                scope.spawn(move || {
                    barrier.wait();
                    run(stream)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for (seed, rounds) in found.iter().enumerate() {
        for (round, found) in rounds.iter().enumerate() {
            let expected = scores(&mut alone, seed as u32, 1 + (seed as u32 + round as u32) % 5).expect("scores");
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let differences = found.as_slice().iter().zip(expected.as_slice()).map(|(a, b)| (a - b).abs());
                assert!(differences.fold(0.0, f32::max) < 1e-5, "stream {seed}, round {round}: {found:?} instead of {expected:?}");
            }
        }
    }
}

#[test]
fn a_stream_alone_does_not_wait() {
    if !runtime_fetched() {
        return;
    }
    // Another window, so the streams of the other test are not those of this one.
    let mut classifier = load(WINDOW + Duration::from_secs(1));
    assert_eq!(scores(&mut classifier, 0, 3).expect("scores").len(), 3);
}
