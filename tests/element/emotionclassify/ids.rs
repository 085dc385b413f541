// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ids of faces found by other detectors.

use super::*;

/// OpenCV's own `facedetect`. Once loaded, it replaces ours under that name in this process.
fn opencvs_facedetect() -> Option<gst::Element> {
    init();
    gst::Plugin::load_by_name("opencv").ok()?;
    let features = gst::Registry::get().features_by_plugin("opencv");
    let factory = features.into_iter().find(|feature| feature.name() == "facedetect")?;
    factory.downcast::<gst::ElementFactory>().ok()?.create().build().ok()
}

#[test]
fn faces_of_opencvs_element_get_ids_and_scores() {
    if !runtime_fetched() {
        return;
    }
    let Some(detector) = opencvs_facedetect() else {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "gstreamer1.0-opencv is not installed");
        test_support::left_out::note("no OpenCV plugin");
        return;
    };
    detector.set_property("display", false);
    let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Rgb);
    let mut detect = Harness::with_element(&detector, Some("sink"), Some("src"));
    detect.set_src_caps(info.to_caps().expect("caps"));
    let mut classify = harness(&info, &[]);
    for index in 0..3 {
        let found = detect.push_and_pull(frame_at(&frame, index)).expect("a frame");
        assert!(faces(&found).len() >= 2 && faces(&found).iter().all(|face| face.id == 0), "OpenCV's faces have no ids");
        let scored = faces(&classify.push_and_pull(found).expect("a frame"));
        let mut ids: Vec<_> = scored.iter().map(|face| face.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=scored.len() as u32).collect::<Vec<_>>(), "frame {index}");
        for face in &scored {
            let shown = three_faces().appearances(0.0);
            let nearest = shown.iter().position(|shown| shown.face.to_norm(VGA).iou(face.rect_norm) > 0.3).expect("one of the faces");
            assert_eq!(face.emotion.as_ref().expect("scores").label(), NAMES[nearest]);
        }
    }
}

#[test]
fn faces_without_an_id_get_a_persistent_one() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    for index in 0..4 {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        assert_eq!(faces(&out).iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2, 3]);
        let regions: Vec<_> = roi::read(&out, VGA).iter().map(|face| face.id).collect();
        assert_eq!(regions, [1, 2, 3], "ids are written back to the regions");
    }
}

#[test]
fn existing_ids_are_kept_and_not_reused() {
    if !runtime_fetched() {
        return;
    }
    let (mut frame, info) = frame(VideoFormat::Nv12);
    frame.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>().take(1).for_each(|mut meta| meta.set_id(7));
    let out = harness(&info, &[]).push_and_pull(frame).expect("a frame");
    assert_eq!(faces(&out).iter().map(|face| face.id).collect::<Vec<_>>(), [7, 8, 9]);
}

#[test]
fn the_largest_id_does_not_exhaust_the_ids() {
    if !runtime_fetched() {
        return;
    }
    init();
    let (mut frame, info) = frame(VideoFormat::Nv12);
    frame.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>().take(1).for_each(|mut meta| meta.set_id(i32::MAX));
    let mut chain = Harness::new_parse("emotionclassify ! emotionexport");
    chain.set_src_caps(info.to_caps().expect("caps"));
    for index in 0..2 {
        let text = chain.push_and_pull(frame_at(&frame, index)).expect("records");
        let text = String::from_utf8(text.map_readable().expect("text").to_vec()).expect("UTF-8");
        let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let ids: Vec<_> = records.iter().map(|record| record["id"].as_i64()).collect();
        assert_eq!(ids, [Some(i32::MAX.into()), Some(1), Some(2)], "one record for each face, frame {index}");
    }
}

/// DL Streamer numbers the regions of each frame anew. Without its tracker, nothing identifies a face across frames.
#[test]
fn regions_of_dl_streamer_get_a_persistent_id() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[]);
    for index in 0..3 {
        let mut next = frame_at(&frame, index);
        for (number, mut region) in (index as i32 * 3 + 100..).zip(next.make_mut().iter_meta_mut::<VideoRegionOfInterestMeta>()) {
            region.set_id(number);
            region.add_param(gst::Structure::builder("detection").field("confidence", 0.9).field("label_id", 1_i32).build());
        }
        let out = harness.push_and_pull(next).expect("a frame");
        assert_eq!(faces(&out).iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2, 3], "frame {index}");
        assert_eq!(labels(&out), NAMES);
    }
}

/// As written by `ultralightfacedetectortensordec`: objects, without regions and tracks.
#[cfg(feature = "v1_24")]
#[test]
fn objects_of_a_stock_detector_get_scores_and_a_persistent_id() {
    use gst_analytics::AnalyticsRelationMeta;
    use gst_analytics::prelude::*;
    if !runtime_fetched() {
        return;
    }
    let (mut frame, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::Nv12);
    {
        let mut meta = AnalyticsRelationMeta::add(frame.make_mut());
        for Rect { x, y, w, h } in three_faces().appearances(0.0).iter().map(|shown| shown.face) {
            let kind = gst::glib::Quark::from_str("face");
            meta.add_od_mtd(kind, x as i32, y as i32, w as i32, h as i32, 0.9).expect("room");
        }
    }
    let mut harness = harness(&info, &[]);
    for index in 0..3 {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        assert_eq!(labels(&out), NAMES);
        for read in [faces(&out), gstemotion::meta::analytics::read(&out, VGA), roi::read(&out, VGA), custom::read(&out)] {
            assert_eq!(read.iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2, 3], "frame {index}");
        }
    }
}
