// SPDX-License-Identifier: MIT OR Apache-2.0
//! The geometry of faces in regions and in `GstEmotionMeta`.

use std::sync::Arc;
use std::time::Duration;

use emotion_core::face_geometry::{Blendshapes, FaceGeometry, HeadPose, Landmarks70, blendshapes};
use emotion_core::geometry::{AxisMap, Point, Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gst::meta::CustomMeta;
use gst_video::VideoRegionOfInterestMeta;
use gstemotion::meta::{Change, custom, read, read_faces, roi, write_detections, write_emotions, write_geometries};
use test_support::gstreamer::init;

const VGA: Size = Size::new(640, 480);

fn geometry() -> FaceGeometry {
    FaceGeometry {
        pose: HeadPose { yaw: -31.5, pitch: 12.25, roll: 4.0 },
        landmarks_norm: Landmarks70(std::array::from_fn(|n| Point::new(0.25 + n as f32 / 512.0, -0.125 + n as f32 / 256.0))),
        blendshapes: Blendshapes(std::array::from_fn(|n| n as f32 / 64.0)),
        trust: 0.75,
        age: Duration::from_millis(40),
        model_name: "face-geometry".into(),
    }
}

fn detected(id: u32) -> FaceRecord {
    FaceRecord {
        id,
        rect_norm: Rect::new(0.125 * id as f32, 0.25, 0.125, 0.25),
        detection: Some(DetectionInfo { confidence: 0.75, landmarks_norm: None, model_name: "face".into(), age: Duration::ZERO }),
        emotion: None,
        geometry: None,
        confirmed: true,
    }
}

pub(super) fn measured(id: u32) -> FaceRecord {
    FaceRecord { geometry: Some(Arc::new(geometry())), ..detected(id) }
}

fn scored(face: &FaceRecord) -> FaceRecord {
    let (labels, scores) = (LabelSet::new(FERPLUS_LABELS), Scores::from_probabilities([1.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]));
    let emotion = EmotionResult { labels, scores, label_id: Some(1), reason: None, smoothed: true, age: Duration::ZERO };
    FaceRecord { emotion: Some(emotion), ..face.clone() }
}

/// A buffer with two faces, the second of which has a geometry.
fn written() -> gst::Buffer {
    init();
    let mut buffer = gst::Buffer::new();
    write_detections(buffer.make_mut(), VGA, &[detected(1), detected(2)]);
    write_geometries(buffer.make_mut(), VGA, &[detected(1), measured(2)]);
    buffer
}

fn geometries(faces: &[FaceRecord]) -> Vec<Option<FaceGeometry>> {
    faces.iter().map(|face| face.geometry.as_deref().cloned()).collect()
}

#[test]
fn region_and_custom_meta_carry_the_same_geometry() {
    let buffer = written();
    let expected = [None, Some(geometry())];
    assert_eq!(geometries(&roi::read(&buffer, VGA)), expected);
    assert_eq!(geometries(&custom::read(&buffer)), expected);
    assert_eq!(geometries(&read_faces(&buffer, VGA)), expected);
}

#[test]
fn geometry_and_scores_do_not_displace_each_other_in_either_order() {
    let mut buffer = written();
    let faces: Vec<_> = read_faces(&buffer, VGA).iter().map(scored).collect();
    write_emotions(buffer.make_mut(), VGA, &faces);
    let mut reverse = gst::Buffer::new();
    write_detections(reverse.make_mut(), VGA, &[detected(1), detected(2)]);
    write_emotions(reverse.make_mut(), VGA, &[scored(&detected(1)), scored(&detected(2))]);
    let faces: Vec<_> = read_faces(&reverse, VGA);
    write_geometries(reverse.make_mut(), VGA, &[faces[0].clone(), FaceRecord { geometry: measured(2).geometry, ..faces[1].clone() }]);
    for buffer in [buffer, reverse] {
        for read in [roi::read(&buffer, VGA), custom::read(&buffer), read_faces(&buffer, VGA)] {
            assert_eq!(geometries(&read), [None, Some(geometry())]);
            assert!(read.iter().all(|face| face.emotion.as_ref().is_some_and(|emotion| emotion.label() == "happiness")));
        }
    }
}

#[test]
fn a_conversion_that_drops_the_params_leaves_the_geometry_of_the_custom_meta() {
    let written = written();
    let mut converted = gst::Buffer::new();
    let writable = converted.make_mut();
    for region in written.iter_meta::<VideoRegionOfInterestMeta>() {
        VideoRegionOfInterestMeta::add(writable, "face", region.rect()).set_id(region.id());
    }
    let meta = CustomMeta::from_buffer(&written, custom::NAME).expect("it was written").structure().to_owned();
    let mut copy = CustomMeta::add(writable, custom::NAME).expect("it is registered");
    meta.iter().for_each(|(name, value)| copy.mut_structure().set_value(name, value.clone()));
    assert_eq!(geometries(&read_faces(&converted, VGA)), [None, Some(geometry())]);

    // Regions that were moved, nobody knows how: the landmarks would be elsewhere. Somebody knows: they follow.
    let mut moved = gst::Buffer::new();
    let writable = moved.make_mut();
    for region in written.iter_meta::<VideoRegionOfInterestMeta>() {
        let (x, y, w, h) = region.rect();
        VideoRegionOfInterestMeta::add(writable, "face", (640 - x - w, y, w, h)).set_id(region.id());
    }
    let mut copy = CustomMeta::add(writable, custom::NAME).expect("it is registered");
    meta.iter().for_each(|(name, value)| copy.mut_structure().set_value(name, value.clone()));
    assert_eq!(geometries(&read_faces(&moved, VGA)), [None, None]);
    let mirror = AxisMap { scale: (-1.0, 1.0), offset: (1.0, 0.0), ..AxisMap::IDENTITY };
    let found = read(&moved, VGA, Change::CustomOnly(mirror)).faces;
    assert_eq!(geometries(&found)[1], Some(geometry().moved(mirror)));
    assert!((found[1].rect_norm.x - (1.0 - 0.25 - 0.125)).abs() < 1e-3, "GStreamer has moved the region already");
}

#[test]
fn a_mirrored_picture_exchanges_left_and_right() {
    let mirror = AxisMap { scale: (-1.0, 1.0), offset: (1.0, 0.0), ..AxisMap::IDENTITY };
    let faces = read(&written(), VGA, Change::All(mirror)).faces;
    let found = faces[1].geometry.as_deref().expect("a geometry");
    assert!((found.pose.yaw - 31.5).abs() < 1e-3 && (found.pose.roll + 4.0).abs() < 1e-3, "{:?}", found.pose);
    assert_eq!(found.landmarks_norm.0[0], Point::new(1.0 - geometry().landmarks_norm.0[16].x, geometry().landmarks_norm.0[16].y));
    assert_eq!(found.blendshapes.get("jawLeft"), geometry().blendshapes.get("jawRight"));
}

#[test]
fn a_malformed_geometry_is_none_and_unknown_fields_are_ignored() {
    let numbers = |count: usize, value: f64| gst::Array::new((0..count).map(|_| value));
    let complete = || {
        gst::Structure::builder("geometry")
            .field("yaw", 1.0_f64)
            .field("pitch", 2.0_f64)
            .field("roll", 3.0_f64)
            .field("landmarks", numbers(140, 0.5))
            .field("blendshapes", numbers(blendshapes::COUNT, 0.25))
            .field("trust", 0.5_f64)
            .field("unheard_of", "x")
            .build()
    };
    init();
    let read = |structure: gst::Structure| {
        let mut buffer = gst::Buffer::new();
        VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (10, 10, 50, 50)).add_param(structure);
        read_faces(&buffer, VGA).remove(0).geometry
    };
    let found = read(complete()).expect("age, model_name and version may be missing");
    assert_eq!((found.pose.pitch, found.age, &*found.model_name), (2.0, Duration::ZERO, ""));
    let broken = |field: &str, value: gst::glib::SendValue| {
        let mut structure = complete();
        structure.set_value(field, value);
        read(structure)
    };
    use gst::glib::prelude::*;
    assert_eq!(broken("yaw", f64::NAN.to_send_value()), None);
    assert_eq!(broken("trust", "high".to_send_value()), None);
    assert_eq!(broken("landmarks", numbers(136, 0.5).to_send_value()), None);
    assert_eq!(broken("blendshapes", numbers(52, f64::INFINITY).to_send_value()), None);
    assert_eq!(broken("blendshapes", gst::Array::new(vec!["x"; 52]).to_send_value()), None);
}
