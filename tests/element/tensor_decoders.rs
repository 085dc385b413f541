// SPDX-License-Identifier: MIT OR Apache-2.0
//! This project's networks in GStreamer's `onnxinference`, decoded by this plugin's tensor decoders, from GStreamer 1.28 on.

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::SearchAge;
use gst_analytics::prelude::*;
use gst_analytics::{
    AnalyticsClassificationMtd, AnalyticsODMtd, AnalyticsRelationMeta, Tensor, TensorDataType, TensorDimOrder, TensorMeta,
};
use gst_check::Harness;
use gst_video::{VideoFormat, VideoRegionOfInterestMeta};
use gstemotion::meta::{custom, read_faces};
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{buffer, frame_at, init};
use test_support::our_model;

/// A size that the face network takes as it is.
const FRAME: Size = Size::new(320, 256);
const NAMES: [&str; 3] = ["neutral", "happiness", "surprise"];

fn installed() -> bool {
    init();
    let missing = ["onnxinference", "tensordecodebin"].iter().find(|name| gst::ElementFactory::find(name).is_none());
    if let Some(missing) = missing {
        test_support::left_out::note(format!("no element {missing}"));
    }
    missing.is_none()
}

fn model(name: &str) -> String {
    our_model(name).display().to_string()
}

fn scene(size: Size, faces: &[(&'static str, (f32, f32), f32)]) -> Scene {
    let still =
        |&(name, center, height): &(&'static str, (f32, f32), f32)| [0.0, 100.0].map(|at_s| Key::new(at_s, center, height, name)).to_vec();
    faces.iter().fold(Scene::new(size.width as usize, size.height as usize), |scene, face| scene.actor(still(face)))
}

fn three_faces() -> Scene {
    scene(FRAME, &[("neutral", (60.0, 110.0), 90.0), ("happiness", (160.0, 110.0), 90.0), ("surprise", (260.0, 110.0), 90.0)])
}

/// What the elements of `line` make of the first frame of `scene`.
fn decoded(line: &str, scene: &Scene, size: Size) -> gst::Buffer {
    let (frame, info) = buffer(&scene.render(0.0), size.width, size.height, VideoFormat::Rgb);
    let mut harness = Harness::new_parse(line);
    harness.set_live(false);
    harness.set_src_caps(info.to_caps().expect("caps"));
    harness.push_and_pull(frame_at(&frame, 0)).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn tensordecodebin_decodes_faces_with_landmarks() {
    if !installed() {
        return;
    }
    let line = format!("onnxinference model-file={} ! tensordecodebin", model("face"));
    let out = decoded(&line, &three_faces(), FRAME);
    let mut faces = read_faces(&out, FRAME);
    faces.sort_by(|a, b| a.rect_norm.x.total_cmp(&b.rect_norm.x));
    let shown = three_faces().appearances(0.0);
    assert_eq!(faces.len(), shown.len(), "{faces:?}");
    for (face, shown) in faces.iter().zip(&shown) {
        let expected = shown.face.to_norm(FRAME);
        assert!(face.rect_norm.iou(expected) > 0.6, "{:?} for {expected:?}", face.rect_norm);
        let detection = face.detection.as_ref().expect("a detection");
        assert_eq!(&*detection.model_name, "emotion-face");
        let nose = detection.landmarks_norm.expect("landmarks").0[2];
        let Rect { x, y, w, h } = face.rect_norm;
        assert!((x..x + w).contains(&nose.x) && (y..y + h).contains(&nose.y), "{nose:?} in {:?}", face.rect_norm);
    }
    let objects = out.meta::<AnalyticsRelationMeta>().expect("the meta").iter::<AnalyticsODMtd>().count();
    assert_eq!((objects, out.iter_meta::<VideoRegionOfInterestMeta>().count()), (3, 3));
    assert_eq!(custom::searched(&out), SearchAge::Ago(std::time::Duration::ZERO));
}

#[test]
fn decoded_faces_are_classified() {
    if !installed() || !test_support::runtime_fetched() {
        return;
    }
    let line = format!("onnxinference model-file={} ! tensordecodebin ! emotionclassify", model("face"));
    let mut faces = read_faces(&decoded(&line, &three_faces(), FRAME), FRAME);
    faces.sort_by(|a, b| a.rect_norm.x.total_cmp(&b.rect_norm.x));
    let labels: Vec<_> = faces.iter().map(|face| face.emotion.as_ref().expect("scores").label()).collect();
    assert_eq!(labels, NAMES);
}

#[test]
fn tensordecodebin_decodes_expressions() {
    if !installed() {
        return;
    }
    let size = Size::new(48, 48);
    for name in ["happiness", "surprise"] {
        // The network's crop is about as high as a detector's box.
        let face = scene(size, &[(name, (24.0, 24.0), 58.0)]);
        for network in ["expression", "expression-int8"] {
            let line = format!("onnxinference model-file={} ! tensordecodebin", model(network));
            let out = decoded(&line, &face, size);
            let meta = out.meta::<AnalyticsRelationMeta>().expect("the meta");
            let classes: Vec<_> = meta.iter::<AnalyticsClassificationMtd>().collect();
            assert_eq!(classes.len(), 1, "{network}");
            assert_eq!((classes[0].len(), classes[0].quark(0).as_str().as_str()), (8, name), "{network}");
            let levels: Vec<f32> = (0..8).map(|index| classes[0].level(index)).collect();
            assert!(levels.is_sorted_by(|a, b| a >= b) && (levels.iter().sum::<f32>() - 1.0).abs() < 1e-3, "{levels:?}");
        }
    }
}

#[test]
fn a_higher_threshold_reports_fewer_faces() {
    if !installed() {
        return;
    }
    let count = |threshold: f32| {
        let line = format!("onnxinference model-file={} ! emotionfacetensordec score-threshold={threshold}", model("face"));
        read_faces(&decoded(&line, &three_faces(), FRAME), FRAME).len()
    };
    assert_eq!((count(0.5), count(1.0)), (3, 0));
}

/// A buffer with the outputs of the face network for `FRAME`, of which `change` replaces the axes.
fn tensors(change: impl Fn(usize, &mut Vec<usize>)) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let tensor = |stride: usize| {
        let mut dims = vec![1, 15, FRAME.height as usize / stride, FRAME.width as usize / stride];
        change(stride, &mut dims);
        let data = gst::Buffer::with_size(4 * dims.iter().product::<usize>()).expect("memory");
        let id = gst::glib::Quark::from_str(format!("gst-plugin-emotion-face-out-stride_{stride}"));
        Tensor::new_simple(id, TensorDataType::Float32, data, TensorDimOrder::RowMajor, &dims)
    };
    TensorMeta::add(buffer.make_mut()).set([4, 8, 16, 32].map(tensor).into());
    buffer
}

#[test]
fn tensors_of_another_size_are_no_search() {
    init();
    let caps = "video/x-raw,format=RGB,width=320,height=256,framerate=30/1,tensors=(structure)[tensorgroups,\
                gst-plugin-emotion-face-out=(/uniquelist){";
    let tensor = |stride: usize| {
        format!(
            "(caps)[tensor/strided,dims-order=(string)row-major,tensor-id=(string)gst-plugin-emotion-face-out-stride_{stride},\
             dims=(int)<0,15,0,0>,type=(string)float32]"
        )
    };
    let caps = format!("{caps}{}}};]", [4, 8, 16, 32].map(tensor).join(","));
    let caps: gst::Caps = caps.parse().expect("caps");
    let mut harness = Harness::new("emotionfacetensordec");
    harness.set_src_caps(caps);
    let searched =
        |harness: &mut Harness, buffer: gst::Buffer| custom::searched(&harness.push_and_pull(frame_at(&buffer, 0)).expect("a frame"));
    let now = SearchAge::Ago(std::time::Duration::ZERO);
    assert_eq!(searched(&mut harness, tensors(|_, _| ())), now);
    assert_eq!(searched(&mut harness, tensors(|stride, dims| dims[3] += usize::from(stride == 8))), SearchAge::Never, "too wide");
    assert_eq!(searched(&mut harness, tensors(|stride, dims| dims[1] -= usize::from(stride == 32))), SearchAge::Never, "14 channels");
    assert_eq!(searched(&mut harness, gst::Buffer::new()), SearchAge::Never, "no tensors");
}
