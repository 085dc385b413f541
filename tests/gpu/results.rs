// SPDX-License-Identifier: MIT OR Apache-2.0
//! Results on the GPU are those on the CPU.

use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;
use gst::prelude::*;
use gst_video::VideoFormat;
use gstemotion::read_faces;
use test_support::gstreamer::{buffer, frame_at, init};
use test_support::three_faces;

use crate::{SMALL, WEBGPU};

const SIZE: Size = Size::new(640, 480);
/// Maximum difference of positions, in sizes of the frame, and of scores and blendshapes. The networks alone differ by less than 1e-5.
const TOLERANCE: f32 = 1e-3;
/// The same for models of bytes, which WebGPU runs in floating-point numbers.
const BYTES_TOLERANCE: f32 = 2e-2;
/// Differences of angles in degrees, for one of other values.
const DEGREES: f32 = 50.0;

/// The faces of the first frames of three still faces, after the elements of `chain`.
pub fn faces(chain: &str) -> Vec<Vec<FaceRecord>> {
    init();
    let (frame, info) = buffer(&three_faces().render(0.0), SIZE.width, SIZE.height, VideoFormat::I420);
    let line = format!("appsrc name=in format=time ! {chain} ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let source = pipeline.by_name("in").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
    let sink = pipeline.by_name("out").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok()).expect("a sink");
    source.set_caps(Some(&info.to_caps().expect("caps")));
    pipeline.set_state(gst::State::Playing).expect("a pipeline plays");
    let found = (0..2).map(|index| {
        source.push_buffer(frame_at(&frame, index)).expect("the pipeline takes it");
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(300)).expect("a frame comes out");
        let mut faces = read_faces(sample.buffer().expect("a buffer"), SIZE);
        faces.sort_by(|a, b| a.rect_norm.x.total_cmp(&b.rect_norm.x));
        faces
    });
    let found = found.collect();
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    found
}

/// Fails unless both are the same faces.
pub fn assert_equal(found: &[Vec<FaceRecord>], expected: &[Vec<FaceRecord>]) {
    assert_near(found, expected, TOLERANCE);
}

fn assert_near(found: &[Vec<FaceRecord>], expected: &[Vec<FaceRecord>], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        let (a, b) = (found.rect_norm, expected.rect_norm);
        near("box", [a.x, a.y, a.w, a.h], [b.x, b.y, b.w, b.h], tolerance);
        let confidence = |face: &FaceRecord| face.detection.as_ref().map(|detection| detection.confidence);
        near("confidence", confidence(found), confidence(expected), tolerance);
        let scores = |face: &FaceRecord| face.emotion.as_ref().map(|emotion| emotion.scores.as_slice().to_vec()).unwrap_or_default();
        near("scores", scores(found), scores(expected), tolerance);
        let geometry = |face: &FaceRecord| face.geometry.as_ref().map(|geometry| (geometry.pose.to_array(), geometry.blendshapes.0));
        let ((pose, shapes), (expected_pose, expected_shapes)) = match (geometry(found), geometry(expected)) {
            (Some(found), Some(expected)) => (found, expected),
            (None, None) => continue,
            other => panic!("geometry on one side only: {other:?}"),
        };
        near("pose", pose, expected_pose, DEGREES * tolerance);
        near("blendshapes", shapes, expected_shapes, tolerance);
    }
    assert!(found.iter().zip(expected).all(|(found, expected)| found.len() == expected.len()));
    assert!(expected.iter().all(|faces| faces.len() == 3), "all three faces are found");
}

fn near(what: &str, found: impl IntoIterator<Item = f32>, expected: impl IntoIterator<Item = f32>, tolerance: f32) {
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
    }
}

#[test]
fn all_elements_find_what_they_find_on_the_cpu() {
    let chain = |run: &str| {
        format!(
            "emotionfacedetect {run} {SMALL} ! facelandmarks {run} model-file=face-geometry smoothing=0 ! emotionclassify {run} \
             model-file=expression smoothing=0"
        )
    };
    let expected = faces(&chain("execution-provider=cpu"));
    assert!(expected.iter().flatten().all(|face| face.emotion.is_some() && face.geometry.is_some()));
    assert_equal(&faces(&chain(WEBGPU)), &expected);
}

#[test]
fn other_models_of_each_kind_run_too() {
    let chain = |run: &str| {
        format!(
            "emotionfacedetect {run} {SMALL} detector=centerface ! facelandmarks {run} model-file=face-geometry-int8 smoothing=0 ! \
             emotionclassify {run} model-file=expression-int8 smoothing=0"
        )
    };
    assert_near(&faces(&chain(WEBGPU)), &faces(&chain("execution-provider=cpu")), BYTES_TOLERANCE);
}

#[test]
fn one_process_has_a_network_on_each_provider() {
    let chain = |detect: &str, classify: &str| {
        format!("emotionfacedetect {detect} {SMALL} ! emotionclassify {classify} model-file=expression smoothing=0")
    };
    let expected = faces(&chain("", ""));
    let (on_gpu, mixed) = std::thread::scope(|scope| {
        // Two at a time: WebGPU's sessions may not run at the same time.
        let others = ["", WEBGPU].map(|detect| scope.spawn(move || faces(&chain(detect, WEBGPU))));
        let mixed = faces(&chain(WEBGPU, ""));
        (others.map(|thread| thread.join().expect("no panic")), mixed)
    });
    assert_equal(&mixed, &expected);
    for found in on_gpu {
        assert_equal(&found, &expected);
    }
}
