// SPDX-License-Identifier: MIT OR Apache-2.0
//! Equal content of all encodings of a face on a buffer, and the reading of third-party encodings.

use std::time::Duration;

use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord, SearchAge, UnknownReason};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gst_video::VideoRegionOfInterestMeta;
use gstemotion::meta::{custom, read_faces, roi, write_detections, write_emotions, write_search};
use test_support::gstreamer::init;

pub(super) const VGA: Size = Size::new(640, 480);

pub(super) fn detected(id: u32) -> FaceRecord {
    let landmarks = std::array::from_fn(|n| Point::new(0.25 + 0.0625 * n as f32, 0.5));
    FaceRecord {
        id,
        rect_norm: Rect::new(0.1 * id as f32, 0.2, 0.1, 0.2),
        detection: Some(DetectionInfo {
            confidence: 0.75,
            landmarks_norm: Some(Landmarks5(landmarks)),
            model_name: "centerface".into(),
            age: Duration::from_millis(66),
        }),
        emotion: None,
        geometry: None,
        confirmed: true,
    }
}

/// What the scores of [`scored`] rest on.
const BASELINE: Duration = Duration::from_millis(2_500);

pub(super) fn scored(id: u32, label_id: Option<usize>) -> FaceRecord {
    let scores = Scores::from_probabilities((0..8).map(|n| if n == id % 8 { 8.0 } else { 1.0 })).with_baseline(Some(BASELINE));
    let labels = LabelSet::new(FERPLUS_LABELS);
    let reason = label_id.is_none().then_some(UnknownReason::Uncertain);
    let emotion = EmotionResult { labels, scores, label_id, reason, smoothed: true, age: Duration::from_millis(40) };
    FaceRecord { emotion: Some(emotion), ..detected(id) }
}

/// A buffer with the metadata that `facedetect` and `emotionclassify` write for `faces`.
fn written(faces: &[FaceRecord]) -> gst::Buffer {
    init();
    let mut buffer = gst::Buffer::new();
    let writable = buffer.make_mut();
    let found: Vec<_> = faces.iter().map(|face| FaceRecord { emotion: None, ..face.clone() }).collect();
    write_detections(writable, VGA, &found);
    write_emotions(writable, VGA, faces);
    buffer
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
}

fn assert_same(read: &[FaceRecord], written: &[FaceRecord], encoding: &str) {
    assert_eq!(read.len(), written.len(), "{encoding}");
    for (a, b) in read.iter().zip(written) {
        assert_eq!(a.id, b.id, "{encoding}");
        assert!(a.rect_norm.iou(b.rect_norm) > 0.95, "{encoding}: {:?} for {:?}", a.rect_norm, b.rect_norm);
        let (a, b) = (a.emotion.as_ref().expect(encoding), b.emotion.as_ref().expect(encoding));
        assert_eq!((&a.labels, a.label_id, a.label()), (&b.labels, b.label_id, b.label()), "{encoding}");
        assert!(close(a.scores.as_slice(), b.scores.as_slice()), "{encoding}: {:?} for {:?}", a.scores, b.scores);
    }
}

#[test]
fn an_unconfirmed_face_stays_so_in_each_encoding_and_without_its_params() {
    init();
    let faces = [detected(1), FaceRecord { confirmed: false, ..detected(2) }];
    let confirmed = |faces: &[FaceRecord]| faces.iter().map(|face| face.confirmed).collect::<Vec<_>>();
    let mut buffer = gst::Buffer::new();
    write_search(buffer.make_mut(), VGA, &faces, SearchAge::Never);
    assert_eq!(confirmed(&roi::read(&buffer, VGA)), [true, false], "regions");
    assert_eq!(confirmed(&custom::read(&buffer)), [true, false], "GstEmotionMeta");
    assert_eq!(confirmed(&read_faces(&buffer, VGA)), [true, false]);
    // As after a conversion of the format, which drops the params of regions.
    let mut converted = gst::Buffer::new();
    custom::write(converted.make_mut(), VGA, &faces, &[]);
    for face in &faces {
        let rect = face.rect_norm.from_norm(VGA);
        let region = (rect.x as u32, rect.y as u32, rect.w as u32, rect.h as u32);
        VideoRegionOfInterestMeta::add(converted.make_mut(), "face", region).set_id(face.id as i32);
    }
    assert_eq!(confirmed(&read_faces(&converted, VGA)), [true, false], "without params");
}

#[test]
fn all_encodings_have_equal_content() {
    let faces = [scored(1, Some(1)), scored(2, Some(2)), scored(3, None)];
    let buffer = written(&faces);
    assert_same(&roi::read(&buffer, VGA), &faces, "regions");
    assert_same(&custom::read(&buffer), &faces, "GstEmotionMeta");
    #[cfg(feature = "v1_24")]
    assert_same(&gstemotion::meta::analytics::read(&buffer, VGA), &faces, "relation meta");
    for read in [roi::read(&buffer, VGA), custom::read(&buffer)] {
        for face in read {
            let emotion = face.emotion.expect("scores");
            assert_eq!((emotion.smoothed, emotion.age, emotion.scores.baseline()), (true, Duration::from_millis(40), Some(BASELINE)));
        }
    }
}

#[test]
fn the_reason_for_unknown_is_in_each_encoding_and_a_pending_face_has_no_class_in_relation_meta() {
    let reasons = [UnknownReason::Uncertain, UnknownReason::Small, UnknownReason::Pending];
    let faces = [1, 2, 3].map(|id| {
        let mut face = scored(id, None);
        face.emotion.as_mut().expect("scores").reason = Some(reasons[id as usize - 1]);
        face
    });
    let buffer = written(&faces);
    for read in [roi::read(&buffer, VGA), custom::read(&buffer), read_faces(&buffer, VGA)] {
        let found: Vec<_> = read.iter().map(|face| face.emotion.as_ref().and_then(|emotion| emotion.reason)).collect();
        assert_eq!(found, reasons.map(Some));
        let shown: Vec<_> = read.iter().map(|face| face.expression().is_some()).collect();
        assert_eq!(shown, [true, true, false]);
    }
    #[cfg(feature = "v1_24")]
    {
        let read = gstemotion::meta::analytics::read(&buffer, VGA);
        assert_eq!(read.iter().map(|face| face.emotion.is_some()).collect::<Vec<_>>(), [true, true, false]);
    }
}

#[test]
fn all_encodings_together_are_read_as_one_record_per_face() {
    let faces = [scored(1, Some(1)), scored(2, None)];
    let read = read_faces(&written(&faces), VGA);
    assert_same(&read, &faces, "all");
    for (read, written) in read.iter().zip(&faces) {
        assert_eq!(read.detection, written.detection);
    }
}

#[test]
fn a_region_without_params_gets_its_scores_from_the_custom_meta() {
    let faces = [scored(1, Some(1)), scored(2, Some(2))];
    let (bare, region_ids) = without_params(&written(&faces));
    for (region_ids, case) in [(region_ids, "the meta names the regions"), (vec![1, 2], "or they have the ids of the tracks")] {
        let mut buffer = bare.copy();
        let regions = buffer.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>();
        regions.zip(&region_ids).for_each(|(mut region, id)| region.set_id(*id));
        custom::write(buffer.make_mut(), VGA, &faces, if case.starts_with("the") { &region_ids } else { &[] });
        assert_same(&read_faces(&buffer, VGA), &faces, case);
    }
}

/// What remains of regions after a format-changing videoconvert of 1.22: boxes and ids.
fn without_params(full: &gst::BufferRef) -> (gst::Buffer, Vec<i32>) {
    let mut bare = gst::Buffer::new();
    for region in full.iter_meta::<VideoRegionOfInterestMeta>() {
        VideoRegionOfInterestMeta::add(bare.make_mut(), "face", region.rect()).set_id(region.id());
    }
    let ids = bare.iter_meta::<VideoRegionOfInterestMeta>().map(|region| region.id()).collect();
    (bare, ids)
}

/// As from `facedetect track=false`: the id of a region is no track id, whatever remains of the region.
#[test]
fn a_region_of_an_untracked_face_has_no_track_id_without_its_params() {
    init();
    let faces = [1, 2, 3].map(|id| FaceRecord { id: 0, ..detected(id) });
    let mut full = gst::Buffer::new();
    let region_ids = write_detections(full.make_mut(), VGA, &faces);
    let (mut bare, _) = without_params(&full);
    custom::write(bare.make_mut(), VGA, &faces, &region_ids);
    assert_eq!(read_faces(&bare, VGA).iter().map(|face| face.id).collect::<Vec<_>>(), [0, 0, 0]);
}

#[test]
fn a_face_in_the_custom_meta_alone_is_read_only_on_the_same_picture() {
    init();
    let faces = [scored(1, Some(1))];
    let mut buffer = gst::Buffer::new();
    custom::write(buffer.make_mut(), VGA, &faces, &[]);
    for same in [VGA, Size::new(320, 240), Size::new(1280, 960), Size::new(213, 160)] {
        assert_same(&read_faces(&buffer, same), &faces, "the same picture, at another scale");
    }
    for cut in [Size::new(640, 400), Size::new(480, 480), Size::new(480, 640)] {
        assert!(read_faces(&buffer, cut).is_empty(), "{cut:?} is a crop or a rotation of the picture");
    }
}

#[test]
fn the_age_of_the_last_search_is_read_back_and_survives_later_writers() {
    init();
    let ages = [SearchAge::Unknown, SearchAge::Never, SearchAge::Ago(Duration::ZERO), SearchAge::Ago(Duration::from_millis(40))];
    assert_eq!(custom::searched(&gst::Buffer::new()), SearchAge::Unknown);
    for age in ages {
        let mut buffer = gst::Buffer::new();
        write_search(buffer.make_mut(), VGA, &[scored(1, Some(1))], age);
        assert_eq!(custom::searched(&buffer), age);
        write_emotions(buffer.make_mut(), VGA, &[scored(1, Some(1))]);
        assert_eq!(custom::searched(&buffer), age, "after the classifier");
    }
}

#[test]
fn faces_without_ids_are_matched_by_position_at_any_scale() {
    init();
    // At a width of 10 px, rounding to whole pixels lowers the IoU far below that of one face.
    let exact = [Rect::new(100.4, 100.4, 10.0, 12.0), Rect::new(111.3, 100.4, 10.0, 12.0)].map(|rect| rect.to_norm(VGA));
    let faces = exact.map(|rect_norm| FaceRecord { id: 0, rect_norm, detection: None, emotion: None, geometry: None, confirmed: true });
    for frame in [VGA, Size::new(320, 240), Size::new(1280, 960)] {
        let mut buffer = gst::Buffer::new();
        custom::write_search(buffer.make_mut(), VGA, &faces, &[], SearchAge::Ago(Duration::ZERO));
        for rect in exact {
            // As videoscale scales a region that was already rounded.
            let pixels = rect.from_norm(VGA);
            let corner = |value: f32, from: u32, to: u32| (value.round() * to as f32 / from as f32).round() as u32;
            let (x, y) = (corner(pixels.x, VGA.width, frame.width), corner(pixels.y, VGA.height, frame.height));
            let right = corner(pixels.right(), VGA.width, frame.width);
            let bottom = corner(pixels.bottom(), VGA.height, frame.height);
            VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (x, y, right - x, bottom - y));
        }
        assert_eq!(read_faces(&buffer, frame).len(), 2, "{frame:?}");
    }
}

#[test]
fn unknown_fields_and_params_are_ignored() {
    let mut buffer = written(&[scored(1, Some(1))]);
    let before = read_faces(&buffer, VGA);
    for mut region in buffer.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>() {
        region.add_param(gst::Structure::builder("mood").field("label", "splendid").build());
        let emotion = region.param("emotion").expect("scores").to_owned();
        let mut extended = emotion.clone();
        extended.set("invented_later", 7_i32);
        region.add_param(extended);
    }
    let mut meta = gst::meta::CustomMeta::from_mut_buffer(buffer.make_mut(), custom::NAME).expect("the meta");
    meta.mut_structure().set("invented_later", "something");
    assert_eq!(read_faces(&buffer, VGA), before);
}

#[test]
fn fields_of_a_wrong_type_are_ignored() {
    init();
    let mut buffer = gst::Buffer::new();
    let mut region = VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (64, 48, 64, 96));
    region.add_param(gst::Structure::builder("emotion").field("labels", "happiness").field("scores", 0.5).build());
    region.add_param(gst::Structure::builder("detection").field("confidence", "high").field("landmarks", 3_i32).build());
    region.add_param(gst::Structure::builder("object_id").field("id", "one").build());
    let face = read_faces(&buffer, VGA).pop().expect("the region is a face");
    assert_eq!((face.id, face.emotion), (0, None));
    assert_eq!(face.detection.map(|detection| detection.confidence), Some(0.0));
}

/// DL Streamer (gvadetect, gvatrack, gvaclassify) as its documentation of `GstVideoRegionOfInterestMeta` has it.
#[test]
fn foreign_texts_are_not_interned_for_the_life_of_the_process() {
    let foreign_texts = ["a foreign label", "another foreign label", "a foreign detector"];
    let mut face = scored(1, Some(1));
    let emotion = face.emotion.as_mut().expect("scores");
    (emotion.labels, emotion.scores) = (LabelSet::new([foreign_texts[0], foreign_texts[1]]), Scores::from_probabilities([0.25, 0.75]));
    face.detection.as_mut().expect("a detection").model_name = foreign_texts[2].into();
    let faces = [face];
    let read = read_faces(&written(&faces), VGA);
    assert_same(&read, &faces, "they are written and read back");
    assert_eq!(read[0].detection, faces[0].detection);
    gstemotion::meta::message::emotion(&Default::default(), VGA, &read);
    for text in foreign_texts {
        assert_eq!(gst::glib::Quark::try_from_str(text), None, "{text} is interned for the life of the process");
    }
}

#[test]
fn ids_outside_of_the_range_are_read_as_none() {
    for id in [u32::MAX, i32::MAX as u32 + 1] {
        let buffer = written(&[FaceRecord { id, ..scored(1, Some(1)) }]);
        assert!(read_faces(&buffer, VGA).iter().all(|face| face.id == 0), "{id}");
        assert!(buffer.iter_meta::<VideoRegionOfInterestMeta>().all(|region| region.id() >= 0), "{id}");
    }
}

/// As from `facedetect track=false`: no ids, and boxes too small to be matched after rounding.
#[test]
fn small_faces_without_ids_are_separate_records() {
    init();
    let offset = |n: usize| (n as f32 * 0.37).fract();
    let faces: Vec<_> = (0..40)
        .map(|n| {
            let (x, y) = ((n % 8) as f32 * 40.0 + offset(n), (n / 8) as f32 * 40.0 + offset(3 * n));
            FaceRecord { id: 0, rect_norm: Rect::new(x, y, 10.0 + offset(5 * n), 10.0 - offset(7 * n)).to_norm(VGA), ..detected(1) }
        })
        .collect();
    let mut buffer = gst::Buffer::new();
    write_detections(buffer.make_mut(), VGA, &faces);
    let read = read_faces(&buffer, VGA);
    assert_eq!(read.len(), faces.len());
    let scored: Vec<_> = (1..).zip(read).map(|(id, face)| FaceRecord { id, emotion: scored(1, Some(1)).emotion, ..face }).collect();
    write_emotions(buffer.make_mut(), VGA, &scored);
    assert_eq!(read_faces(&buffer, VGA).len(), faces.len(), "and with scores");
}

#[test]
fn the_layout_of_dl_streamer_is_read() {
    init();
    let mut buffer = gst::Buffer::new();
    let mut region = VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (64, 48, 128, 96));
    region.set_id(4711);
    region.add_param(
        gst::Structure::builder("detection")
            .field("label_id", 1_i32)
            .field("confidence", 0.875_f64)
            .field("x_min", 0.1_f64)
            .field("x_max", 0.3_f64)
            .field("y_min", 0.1_f64)
            .field("y_max", 0.3_f64)
            .build(),
    );
    assert_eq!(read_faces(&buffer, VGA)[0].id, 0, "untracked: the id of the region is different on every frame");
    let mut region = buffer.make_mut().meta_mut::<VideoRegionOfInterestMeta>().expect("the region");
    region.add_param(gst::Structure::builder("object_id").field("id", 12_i32).build());
    region.add_param(
        gst::Structure::builder("classification_layer_name:prob_emotion")
            .field("label", "happy")
            .field("label_id", 1_i32)
            .field("confidence", 0.9_f64)
            .build(),
    );
    let face = read_faces(&buffer, VGA).pop().expect("a face");
    assert_eq!(face.id, 12);
    assert_eq!(face.rect_norm, Rect::from_corners(0.1, 0.1, 0.3, 0.3), "the exact box");
    assert_eq!(face.detection.expect("detection").confidence, 0.875);
    assert_eq!(face.emotion, None, "classes of another model are ignored");
}

/// gst-opencv's `facedetect` adds plain regions, all of id 0.
#[test]
fn regions_of_id_0_are_different_faces() {
    init();
    let mut buffer = gst::Buffer::new();
    for x in [100, 300] {
        VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (x, 100, 80, 80));
    }
    let read = read_faces(&buffer, VGA);
    assert_eq!(read.iter().map(|face| face.id).collect::<Vec<_>>(), [0, 0]);
    let named: Vec<_> =
        read.iter().zip([7, 8]).map(|(face, id)| FaceRecord { id, emotion: scored(id, Some(1)).emotion, ..face.clone() }).collect();
    write_emotions(buffer.make_mut(), VGA, &named);
    assert_same(&read_faces(&buffer, VGA), &named, "each face keeps its scores");
}

#[cfg(feature = "v1_24")]
mod relations {
    use super::*;
    use gst::glib;
    use gst_analytics::prelude::*;
    use gst_analytics::{AnalyticsClassificationMtd, AnalyticsODMtd, AnalyticsRelationMeta, AnalyticsTrackingMtd, RelTypes};
    use gstemotion::meta::analytics;

    fn add_object(buffer: &mut gst::BufferRef, kind: &str, x: i32) -> u32 {
        let write = |meta: &mut gst::MetaRefMut<AnalyticsRelationMeta, gst::meta::Standalone>| {
            meta.add_od_mtd(glib::Quark::from_str(kind), x, 48, 128, 96, 0.8).expect("room").id()
        };
        match buffer.meta_mut::<AnalyticsRelationMeta>() {
            Some(mut meta) => write(&mut meta),
            None => write(&mut AnalyticsRelationMeta::add(buffer)),
        }
    }

    #[test]
    fn relations_match_those_that_stock_consumers_follow() {
        let buffer = written(&[scored(1, Some(1))]);
        let meta = buffer.meta::<AnalyticsRelationMeta>().expect("the meta");
        let object = meta.iter::<AnalyticsODMtd>().next().expect("an object");
        let first = |kind| meta.iter_direct_related::<AnalyticsClassificationMtd>(object.id(), kind).next();
        for kind in [RelTypes::CONTAIN, RelTypes::RELATE_TO, RelTypes::ANY] {
            let top = first(kind).expect("a class");
            assert_eq!((top.len(), top.quark(0).as_str().as_str()), (1, "happiness"), "{kind:?}");
        }
        let top = first(RelTypes::CONTAIN).expect("a class");
        assert_eq!(meta.relation(top.id(), object.id()), RelTypes::IS_PART_OF);
        let all = meta.iter_direct_related::<AnalyticsClassificationMtd>(top.id(), RelTypes::RELATE_TO).next().expect("all classes");
        assert_eq!((all.len(), all.quark(0).as_str().as_str()), (8, "happiness"));
        assert!((1..8).all(|index| all.level(index - 1) >= all.level(index)), "sorted");
        assert_eq!(meta.iter::<AnalyticsTrackingMtd>().map(|track| track.info().0).collect::<Vec<_>>(), [1]);
        assert_eq!(meta.len(), 4, "an object, a track and two classes");
    }

    #[test]
    fn an_object_without_a_track_gets_its_id_written_back() {
        init();
        let mut buffer = gst::Buffer::new();
        add_object(buffer.make_mut(), "face", 64);
        add_object(buffer.make_mut(), "car", 300);
        let face = read_faces(&buffer, VGA).pop().expect("a face");
        assert_eq!(face.id, 0);
        assert!(face.rect_norm.iou(Rect::new(0.1, 0.1, 0.2, 0.2)) > 0.999);
        assert_eq!(face.detection.as_ref().map(|detection| detection.confidence), Some(0.8));
        let named = [FaceRecord { id: 5, emotion: scored(5, Some(5)).emotion, ..face }];
        write_emotions(buffer.make_mut(), VGA, &named);
        assert_same(&analytics::read(&buffer, VGA), &named, "relation meta");
        assert_same(&roi::read(&buffer, VGA), &named, "a region for readers without support for objects");
        assert_same(&read_faces(&buffer, VGA), &named, "one face, not two");
        assert_eq!(buffer.meta::<AnalyticsRelationMeta>().expect("the meta").iter::<AnalyticsODMtd>().count(), 2, "no second object");
    }

    #[test]
    fn a_region_and_an_object_at_the_same_position_are_one_face() {
        init();
        let mut buffer = gst::Buffer::new();
        VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (66, 48, 127, 97));
        VideoRegionOfInterestMeta::add(buffer.make_mut(), "face", (300, 48, 128, 96));
        add_object(buffer.make_mut(), "face", 64);
        add_object(buffer.make_mut(), "face", 460);
        assert_eq!(read_faces(&buffer, VGA).len(), 3);
    }

    #[test]
    fn a_region_and_an_object_with_the_same_id_are_one_face() {
        let faces = [scored(1, Some(1)), scored(2, Some(2))];
        let mut buffer = written(&faces);
        // As after an element that moves only one of them.
        buffer.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>().for_each(|mut region| region.set_rect((500, 300, 64, 96)));
        let read = read_faces(&buffer, VGA);
        assert_eq!(read.iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2]);
    }
}
