// SPDX-License-Identifier: MIT OR Apache-2.0
//! After the first frames, nothing is allocated for pixels, tensors, detections and scores.
//!
//! The test counts calls of this program's allocator. ONNX Runtime has an allocator of its own (an arena that it keeps).
//! Not tested: an OpenCV cascade; a network with more than four outputs such as YuNet (`ort` lists them on the heap); and
//! small allocations for each face: ids, names, metadata.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use emotion_core::crops::framing::CropFace;
use emotion_core::detector::network::{Family, NetworkDetector};
use emotion_core::detector::tiles::TiledDetector;
use emotion_core::detector::{DetectOptions, FaceDetector};
use emotion_core::expression::classifier::Classifier;
use emotion_core::geometry::{Crop, Landmarks5, Size};
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::RunOptions;
use emotion_core::model::search_path::SearchPath;
use test_support::average_faces::Scene;

thread_local! {
    /// Number of allocations on this thread. ONNX Runtime and other tests have other threads.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[allow(unsafe_code)]
// SAFETY: all calls are forwarded unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller upholds the contract of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the same contract as for `alloc`.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the same contract as for `alloc`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Number of allocations of `frame` after a few calls to warm up.
fn allocations(mut frame: impl FnMut()) -> usize {
    (0..3).for_each(|_| frame());
    let before = COUNT.get();
    (0..5).for_each(|_| frame());
    COUNT.get() - before
}

#[test]
fn allocations_are_counted() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![0u8; 100]))), 5);
}

#[test]
fn detection_does_not_allocate() {
    if !test_support::fetched("centerface") {
        return;
    }
    let (search, scene) = (SearchPath::from_env(None), test_support::three_faces());
    let centerface = ModelFile::open(&search.model("centerface", "centerface.onnx").expect("fetched"));
    for model in [Family::EmotionFace.default_model(&search), centerface] {
        detection_with_does_not_allocate(model.expect("a model"), &search, &scene);
    }
}

fn detection_with_does_not_allocate(model: ModelFile, search: &SearchPath, scene: &Scene) {
    let mut detector = NetworkDetector::load(model, None, 320, search, RunOptions::default()).expect("a detector");
    let rgb = scene.render(0.0);
    let view = FrameView::new(PixelFormat::Rgb, Size::new(640, 480), &[Plane { data: &rgb, stride: 1920 }], Colorimetry::default())
        .expect("a view");
    let mut found = Vec::new();
    let count = allocations(|| detector.detect(&view, &DetectOptions::default(), &mut found).expect("faces"));
    assert_eq!((found.len(), count), (3, 0));
    let mut tiled = TiledDetector::new(Box::new(detector), 352);
    let mut round = || {
        (0..4).for_each(|_| tiled.detect(&view, &DetectOptions::default(), &mut found).expect("faces"));
        assert_eq!((found.len(), tiled.tile_schedule().searches), (3, 4));
    };
    assert_eq!(allocations(&mut round), 0, "from tile to tile");
}

#[test]
fn classification_does_not_allocate_as_faces_come_and_go() {
    if !test_support::runtime_fetched() {
        return;
    }
    let (search, scene) = (SearchPath::from_env(None), test_support::three_faces());
    let mut classifier = ModelFile::named("expression", &search)
        .and_then(|model| Classifier::load(model, &search, RunOptions::default()))
        .expect("our own model");
    let rgb = scene.render(0.0);
    let view = FrameView::new(PixelFormat::Rgb, Size::new(640, 480), &[Plane { data: &rgb, stride: 1920 }], Colorimetry::default())
        .expect("a view");
    let faces: Vec<_> = scene
        .appearances(0.0)
        .iter()
        .map(|shown| CropFace { rect: shown.face, detector: Some("centerface"), landmarks: Some(Landmarks5::default()) })
        .collect();
    let crops: Vec<_> = faces.iter().map(|face| Crop { center: face.rect.center(), side: face.rect.h, roll: 0.3 }).collect();
    let count = allocations(|| {
        for some in [&faces[..3], &faces[..1], &faces[..2]] {
            assert_eq!(classifier.classify(&view, some).expect("scores").len(), some.len());
        }
        assert_eq!(classifier.classify_crops(&view, &crops).expect("scores").len(), 3);
    });
    assert_eq!(count, 0);
}
