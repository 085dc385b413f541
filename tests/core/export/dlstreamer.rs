// SPDX-License-Identifier: MIT OR Apache-2.0
//! The JSON of DL Streamer.

use emotion_core::export::{Format, FrameReport, FrameTime, Utc};

use super::{found, report, scored, text_of, time};

#[test]
fn the_json_of_dl_streamer_has_its_fields_and_the_scores() {
    let faces = [scored(3, Some(1), &[0.06, 0.93, 0.01]), scored(4, None, &[0.4, 0.35, 0.25]), found(0)];
    let frame = FrameReport { time: FrameTime { utc: Some(Utc(1_700_000_000_123_456_789)), ..time(2) }, ..report(2, &faces) };
    let line = text_of(Format::DlStreamer, &frame);
    assert_eq!(line.matches('\n').count(), 1);
    let object = |detection: serde_json::Value| serde_json::json!({"x": 160, "y": 60, "w": 320, "h": 160, "region_id": 0, "roi_type": "face", "detection": detection});
    let bounding_box = serde_json::json!({"x_min": 0.25, "y_min": 0.125, "x_max": 0.75, "y_max": 0.45833});
    let detected = object(serde_json::json!({"bounding_box": bounding_box, "confidence": 0.9123, "label": "face"}));
    let with = |id: u32, emotion: serde_json::Value| {
        let mut object = detected.clone();
        (object["region_id"], object["id"], object["emotion"]) = (id.into(), id.into(), emotion);
        object
    };
    let happy = serde_json::json!({
        "label": "happiness", "label_id": 1, "confidence": 0.93, "model": {"name": "emotionclassify"},
        "scores": {"neutral": 0.06, "happiness": 0.93, "fear": 0.01}, "smoothed": true, "age": 80_000_000, "version": 1,
    });
    let unknown = serde_json::json!({
        "label": "unknown", "confidence": 0.4, "model": {"name": "emotionclassify"},
        "scores": {"neutral": 0.4, "happiness": 0.35, "fear": 0.25}, "smoothed": true, "age": 80_000_000, "version": 1,
    });
    let bare = object(serde_json::json!({"bounding_box": bounding_box, "label": "face"}));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&line).unwrap(),
        serde_json::json!({
            "resolution": {"width": 640, "height": 480}, "source": "cam", "timestamp": 80_000_000,
            "system_timestamp": "2023-11-14T22:13:20.123456Z", "objects": [with(3, happy), with(4, unknown), bare],
        })
    );
}

#[test]
fn the_json_of_dl_streamer_without_faces_has_no_objects() {
    let time = FrameTime { stream_time_ns: None, ..time(0) };
    let line = text_of(Format::DlStreamer, &FrameReport { time, ..report(0, &[]) });
    assert_eq!(line, "{\"resolution\":{\"width\":640,\"height\":480},\"source\":\"cam\"}\n");
}
