// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as DL Streamer reads them: `VideoFrame::get_regions` of its `video_frame.h` and the conditions of its
//! `jsonconverter.cpp` (release 2026), which take an object, the region with the object's id, and that region's params.

use std::time::Duration;

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord, SearchAge};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gst::glib;
use gst_analytics::prelude::*;
use gst_analytics::{AnalyticsClassificationMtd, AnalyticsMtdRef, AnalyticsODMtd, AnalyticsRelationMeta, AnalyticsTrackingMtd, RelTypes};
use gst_check::Harness;
use gst_video::{VideoFormat, VideoRegionOfInterestMeta};
use gstemotion::meta::{read_faces, write_emotions, write_search};
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{buffer, frame_at, init};

const VGA: Size = Size::new(640, 480);

/// What `gvametaconvert` exports of a face.
#[derive(Clone, Debug, PartialEq)]
struct Exported {
    id: u64,
    left: i32,
    bounds: Option<[f64; 4]>,
    emotion: Option<(String, f64)>,
}

/// The faces that DL Streamer finds on `buffer`.
fn regions(buffer: &gst::BufferRef) -> Vec<Exported> {
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else { return Vec::new() };
    meta.iter::<AnalyticsODMtd>().map(|object| region(buffer, &meta, &object)).collect()
}

fn region(
    buffer: &gst::BufferRef,
    meta: &gst::MetaRef<'_, AnalyticsRelationMeta>,
    object: &AnalyticsMtdRef<'_, AnalyticsODMtd>,
) -> Exported {
    let mut regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let region = regions.find(|region| u32::try_from(region.id()) == Ok(object.id())).expect("a region with the id of the object");
    let of = |name: &str| region.params().find(|param| param.name().as_str() == name);
    let number = |param: &gst::StructureRef, field: &str| param.get::<f64>(field).ok();
    let bounds = of("detection").and_then(|param| {
        let [x_min, y_min, x_max, y_max] = ["x_min", "y_min", "x_max", "y_max"].map(|field| number(param, field));
        Some([x_min?, y_min?, x_max?, y_max?])
    });
    let emotion = of("emotion").and_then(|param| {
        param.get::<&str>("model_name").ok()?;
        Some((param.get::<String>("label").ok()?, number(param, "confidence")?))
    });
    let track = meta.iter_direct_related::<AnalyticsTrackingMtd>(object.id(), RelTypes::ANY).next();
    Exported { id: track.map_or(0, |track| track.info().0), left: object.location().expect("a box").x, bounds, emotion }
}

/// The classifications that DL Streamer takes for those of the whole frame: they are part of no object.
fn frame_classifications(buffer: &gst::BufferRef) -> usize {
    let meta = buffer.meta::<AnalyticsRelationMeta>().expect("the meta");
    let is_attached = |class: &AnalyticsMtdRef<'_, AnalyticsClassificationMtd>| {
        let belongs = |object: AnalyticsMtdRef<'_, AnalyticsODMtd>| {
            meta.relation(object.id(), class.id()).intersects(RelTypes::CONTAIN | RelTypes::RELATE_TO)
        };
        meta.iter_direct_related::<AnalyticsODMtd>(class.id(), RelTypes::IS_PART_OF).next().is_some()
            || meta.iter::<AnalyticsODMtd>().any(belongs)
    };
    meta.iter::<AnalyticsClassificationMtd>().filter(|class| !is_attached(class)).count()
}

fn detected(id: u32) -> FaceRecord {
    let detection = DetectionInfo { confidence: 0.75, landmarks_norm: None, model_name: "centerface".into(), age: Duration::ZERO };
    let rect_norm = Rect::new(0.2 * id as f32 - 0.15, 0.2, 0.1, 0.2);
    FaceRecord { id, rect_norm, detection: Some(detection), emotion: None, geometry: None, confirmed: true }
}

fn scored(id: u32) -> FaceRecord {
    let scores = Scores::from_probabilities((0..8).map(|n| if n == id { 8.0 } else { 1.0 }));
    let label_id = Some(id as usize);
    let emotion =
        EmotionResult { labels: LabelSet::new(FERPLUS_LABELS), scores, label_id, reason: None, smoothed: true, age: Duration::ZERO };
    FaceRecord { emotion: Some(emotion), ..detected(id) }
}

fn expected(face: &FaceRecord) -> Exported {
    let Rect { x, y, .. } = face.rect_norm;
    let emotion = face.emotion.as_ref().map(|emotion| (emotion.label().to_string(), f64::from(emotion.confidence())));
    Exported {
        id: face.id.into(),
        left: (x * VGA.width as f32).round() as i32,
        bounds: Some([x, y, face.rect_norm.right(), face.rect_norm.bottom()].map(f64::from)),
        emotion,
    }
}

#[test]
fn each_of_four_faces_has_its_own_params() {
    init();
    // The numbers of the objects are 0, 2, 4 and 6, which are the tracks of other faces.
    let faces = [4, 2, 1, 3].map(scored);
    let mut buffer = gst::Buffer::new();
    let found = faces.clone().map(|face| FaceRecord { emotion: None, ..face });
    write_search(buffer.make_mut(), VGA, &found, SearchAge::Ago(Duration::ZERO));
    assert_eq!(regions(&buffer), found.iter().map(expected).collect::<Vec<_>>(), "detected");
    write_emotions(buffer.make_mut(), VGA, &faces);
    assert_eq!(regions(&buffer), faces.iter().map(expected).collect::<Vec<_>>(), "classified");
    assert_eq!(frame_classifications(&buffer), 0);
    assert_eq!(read_faces(&buffer, VGA).iter().map(|face| face.id).collect::<Vec<_>>(), [4, 2, 1, 3], "and we read the tracks");
}

#[test]
fn a_region_of_an_application_is_found_by_its_object() {
    init();
    let mut buffer = gst::Buffer::new();
    for (id, x) in [(7, 60), (0, 300)] {
        VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (x, 100, 80, 80)).set_id(id);
    }
    let read = read_faces(&buffer, VGA);
    assert_eq!(read.iter().map(|face| face.id).collect::<Vec<_>>(), [7, 0]);
    let faces: Vec<_> =
        [7, 8].into_iter().zip(&read).map(|(id, face)| FaceRecord { id, emotion: scored(1).emotion, ..face.clone() }).collect();
    write_emotions(buffer.make_mut(), VGA, &faces);
    let exported = regions(&buffer);
    assert_eq!(exported.iter().map(|face| (face.id, face.left)).collect::<Vec<_>>(), [(7, 60), (8, 300)]);
    assert!(exported.iter().all(|face| face.emotion.is_some()));
    assert_eq!(read_faces(&buffer, VGA).iter().map(|face| face.id).collect::<Vec<_>>(), [7, 8]);
}

/// As `gvadetect` writes them, with `gvatrack` behind it: an object, a region with its id, and a track.
#[test]
fn regions_of_dl_streamer_keep_their_objects() {
    init();
    let mut buffer = gst::Buffer::new();
    let mut objects = Vec::new();
    {
        let mut meta = AnalyticsRelationMeta::add(buffer.make_mut());
        for (track, x) in [(12, 60), (13, 300)] {
            let object = meta.add_od_mtd(glib::Quark::from_str("face"), x, 100, 80, 80, 0.9).expect("room").id();
            let track = meta.add_tracking_mtd(track, gst::ClockTime::ZERO).expect("room").id();
            meta.set_relation(RelTypes::RELATE_TO, object, track).expect("a relation");
            objects.push((object, x));
        }
    }
    for &(object, x) in &objects {
        VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (x as u32, 100, 80, 80)).set_id(object as i32);
    }
    let read = read_faces(&buffer, VGA);
    assert_eq!(read.iter().map(|face| face.id).collect::<Vec<_>>(), [12, 13], "also without params, as after a conversion");
    let faces: Vec<_> = read.iter().map(|face| FaceRecord { emotion: scored(1).emotion, ..face.clone() }).collect();
    write_emotions(buffer.make_mut(), VGA, &faces);
    let ids: Vec<_> = buffer.iter_meta::<VideoRegionOfInterestMeta>().map(|region| region.id() as u32).collect();
    assert_eq!(ids, objects.iter().map(|(object, _)| *object).collect::<Vec<_>>());
    assert!(regions(&buffer).iter().all(|face| face.emotion.is_some()));
}

#[test]
fn our_elements_write_what_dl_streamer_reads() {
    if !test_support::runtime_fetched() {
        return;
    }
    init();
    let still = |x: f32, expression| vec![Key::new(0.0, (x, 220.0), 130.0, expression), Key::new(100.0, (x, 220.0), 130.0, expression)];
    let names = ["neutral", "happiness", "surprise", "happiness"];
    let scene = names.iter().zip([90.0, 240.0, 400.0, 550.0]).fold(Scene::new(640, 480), |scene, (name, x)| scene.actor(still(x, *name)));
    let (frame, info) = buffer(&scene.render(0.0), 640, 480, VideoFormat::Nv12);
    let mut harness = Harness::new_parse("emotionfacedetect ! emotionclassify");
    // In a live stream, faces are scored once they are confirmed.
    harness.set_live(false);
    harness.set_src_caps(info.to_caps().expect("caps"));
    for index in 0..3 {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        let mut exported = regions(&out);
        exported.sort_by_key(|face| face.left);
        let labels: Vec<_> = exported.iter().map(|face| face.emotion.as_ref().expect("an expression").0.as_str()).collect();
        assert_eq!(labels, names, "frame {index}");
        for (face, x) in exported.iter().zip([90.0, 240.0, 400.0, 550.0]) {
            let [x_min, _, x_max, _] = face.bounds.expect("a box");
            assert!(((x_min + x_max) / 2.0 * 640.0 - x).abs() < 20.0, "{face:?} is not the one at {x}");
        }
        let mut ids: Vec<_> = exported.iter().map(|face| face.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4], "tracks, frame {index}");
    }
}
