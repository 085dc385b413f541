// SPDX-License-Identifier: MIT OR Apache-2.0
//! The geometry of faces in records, and the events that follow from it.

use std::sync::Arc;
use std::time::Duration;

use emotion_core::export::{Content, Exporter, Format, FrameReport, GeometryFields, Options, Output};
use emotion_core::face_geometry::{BLENDSHAPES, Blendshapes, FaceGeometry, HeadPose, Landmarks70, blendshapes};
use emotion_core::geometry::Point;
use emotion_core::record::FaceRecord;
use serde_json::Value;

use super::{FRAME_NS, found, report, scored, text_of, written};

fn geometry() -> FaceGeometry {
    FaceGeometry {
        pose: HeadPose { yaw: -31.456, pitch: 12.5, roll: -0.001 },
        landmarks_norm: Landmarks70(std::array::from_fn(|n| Point::new(n as f32 / 100.0, 0.5))),
        blendshapes: Blendshapes(std::array::from_fn(|n| n as f32 / 100.0)),
        trust: 0.876_54,
        age: Duration::from_millis(40),
        model_name: "face-geometry".into(),
    }
}

pub(super) fn measured(id: u32) -> FaceRecord {
    FaceRecord { geometry: Some(Arc::new(geometry())), ..found(id) }
}

fn json_of(fields: GeometryFields, face: FaceRecord) -> Value {
    let mut writer = Format::Ndjson.writer(Content::Faces, fields);
    serde_json::from_str(&written(writer.as_mut(), &report(0, &[face]), 0)).unwrap()
}

#[test]
fn ndjson_has_the_geometry_of_faces_that_have_one() {
    let record = json_of(GeometryFields::Auto, measured(1));
    assert_eq!(record["pose"], serde_json::json!({"yaw": -31.46, "pitch": 12.5, "roll": 0.0}));
    assert_eq!((&record["trust"], &record["geometry_age"]), (&0.8765.into(), &40_000_000.into()));
    let points = record["landmarks_70"].as_array().unwrap();
    assert_eq!((points.len(), &points[3]), (70, &serde_json::json!([0.03, 0.5])));
    let shapes = record["blendshapes"].as_object().unwrap();
    assert!(shapes.keys().map(String::as_str).eq(BLENDSHAPES), "in order");
    assert_eq!(shapes["jawOpen"], 0.24);

    let keys = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let without = json_of(GeometryFields::Auto, found(1));
    assert!(without.get("pose").is_none() && json_of(GeometryFields::Never, measured(1)) == without);
    let empty = json_of(GeometryFields::Always, found(1));
    assert_eq!(keys(&empty), keys(&record));
    assert!(empty["pose"].is_null() && empty["blendshapes"].is_null());
}

#[test]
fn csv_has_columns_for_the_geometry_if_the_first_record_has_one() {
    let table = |fields, faces: &[FaceRecord]| {
        let mut writer = Format::Csv.writer(Content::Faces, fields);
        let frame = report(0, faces);
        writer.header(frame.labels(), frame.has_geometry()).unwrap() + &written(writer.as_mut(), &frame, 0)
    };
    let read = |table: String| {
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let header = reader.headers().unwrap().clone();
        (header, reader.into_records().collect::<Result<Vec<_>, _>>().unwrap())
    };
    let (header, rows) = read(table(GeometryFields::Auto, &[found(2), measured(1)]));
    assert_eq!(header.len(), 31 + 5 + 52 + 140);
    let cell = |row: usize, name: &str| rows[row][header.iter().position(|column| column == name).unwrap()].to_owned();
    assert_eq!([cell(1, "yaw"), cell(1, "geometry_age"), cell(1, "blendshape_jawOpen")], ["-31.46", "40000000", "0.24"]);
    assert_eq!([cell(1, "landmark_69_x"), cell(1, "landmark_69_y"), cell(0, "yaw")], ["0.69", "0.5", ""]);
    let (narrow, rows) = read(table(GeometryFields::Auto, &[found(2)]));
    assert_eq!((narrow.len(), rows[0].len()), (31, 31));
    assert_eq!(read(table(GeometryFields::Never, &[measured(1)])).0.len(), 31);
    assert_eq!(read(table(GeometryFields::Always, &[])).0.len(), header.len());
}

#[test]
fn a_geometry_without_columns_is_warned_of_once() {
    let warnings = |geometry| {
        let mut exporter = Exporter::new(Options { format: Format::Csv, geometry, ..Options::default() });
        let faces = [found(1), measured(1), measured(1)];
        let warning = |(frame, face)| match exporter.frame(&report(frame, std::slice::from_ref(face))).unwrap() {
            Output::Text(chunk) => chunk.warning.is_some(),
            _ => panic!("expected text for a face"),
        };
        (0..).zip(&faces).map(warning).collect::<Vec<_>>()
    };
    assert_eq!(warnings(GeometryFields::Auto), [false, true, false]);
    assert_eq!([warnings(GeometryFields::Always), warnings(GeometryFields::Never)], [[false; 3], [false; 3]]);
}

#[test]
fn dl_streamer_and_onvif_have_the_pose() {
    let frame: Value = serde_json::from_str(&text_of(Format::DlStreamer, &report(0, &[measured(1)]))).unwrap();
    assert_eq!(frame["objects"][0]["geometry"]["pose"]["yaw"], -31.46);
    let pose = r#"<fc:PoseAngle><fc:PoseAngles roll="0" pitch="12.5" yaw="-31.46"/></fc:PoseAngle></tt:HumanFace>"#;
    let document = |face| text_of(Format::Onvif, &report(0, &[face]));
    assert!(document(measured(1)).contains(&["<tt:HumanFace>", pose].concat()));
    let happy = FaceRecord { geometry: measured(1).geometry, ..scored(1, Some(1), &[0.0, 1.0, 0.0]) };
    assert!(document(happy).contains(&["<fc:Expression>Smile</fc:Expression>", pose].concat()));
    let doubtful = FaceRecord { geometry: Some(Arc::new(FaceGeometry { trust: 0.05, ..geometry() })), ..found(1) };
    assert!(!document(doubtful).contains("HumanFace>"), "neither is known");
}

/// A geometry with this yaw, both blinks and jawOpen.
fn acting(yaw: f32, [left, right]: [f32; 2], jaw: f32) -> FaceGeometry {
    let mut shapes = Blendshapes::default();
    for (name, value) in [("eyeBlinkLeft", left), ("eyeBlinkRight", right), ("jawOpen", jaw)] {
        shapes.0[blendshapes::index(name).unwrap()] = value;
    }
    FaceGeometry { pose: HeadPose { yaw, pitch: 0.0, roll: 0.0 }, blendshapes: shapes, ..geometry() }
}

/// All events of a face with id 1, which is not there on a frame without a geometry, as type, first frame, length in frames and what is
/// special.
fn all_events_of(frames: impl IntoIterator<Item = Option<FaceGeometry>>, hysteresis: u64) -> Vec<(String, u64, u64, String)> {
    let options = Options { format: Format::Events, hysteresis_ns: hysteresis * FRAME_NS, ..Options::default() };
    let mut exporter = Exporter::new(options);
    let mut text = Vec::new();
    for (frame, geometry) in (0..).zip(frames) {
        let faces: Vec<_> = geometry.into_iter().map(|found_one| FaceRecord { geometry: Some(Arc::new(found_one)), ..found(1) }).collect();
        let report: FrameReport = report(frame, &faces);
        if let Output::Text(chunk) = exporter.frame(&report).unwrap() {
            text.extend(chunk.body);
        }
    }
    text.extend(exporter.finish().unwrap().map(|chunk| chunk.body).unwrap_or_default());
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let frames = |key: &str| event[key].as_u64().unwrap() / FRAME_NS;
        let active = event["active"].as_bool().map_or("", |active| if active { "+" } else { "-" });
        let detail = active.to_owned() + event["direction"].as_str().unwrap_or_default();
        (event["type"].as_str().unwrap().to_owned(), frames("stream_time"), frames("duration"), detail)
    };
    std::str::from_utf8(&text).unwrap().lines().map(event).collect()
}

/// What a face does, given its yaw, blink and jawOpen on each frame.
fn events_of(frames: &[(f32, f32, f32)], hysteresis: u64) -> Vec<(String, u64, u64, String)> {
    let frames = frames.iter().map(|&(yaw, blink, jaw)| Some(acting(yaw, [blink; 2], jaw)));
    let events = all_events_of(frames, hysteresis).into_iter();
    events.filter(|(kind, ..)| !["appeared", "left"].contains(&kind.as_str())).collect()
}

fn event(kind: &str, frame: u64, frames: u64, detail: &str) -> (String, u64, u64, String) {
    (kind.into(), frame, frames, detail.into())
}

#[test]
fn a_face_that_turns_away_and_back_is_told_after_the_hysteresis() {
    let frames =
        |yaws: &[(f32, usize)]| -> Vec<_> { yaws.iter().flat_map(|&(yaw, count)| std::iter::repeat_n((yaw, 0.0, 0.0), count)).collect() };
    // A glance of two frames is no event; 27 degrees are away for a face that was, and not for one that was not.
    let shown = frames(&[(27.0, 4), (40.0, 2), (0.0, 4), (40.0, 4), (27.0, 4), (-40.0, 5), (10.0, 5)]);
    let expected = [
        event("turned", 10, 0, "+left"),
        event("turned", 18, 8, "-left"),
        event("turned", 18, 0, "+right"),
        event("turned", 23, 5, "-right"),
    ];
    assert_eq!(events_of(&shown, 3), expected);
}

#[test]
fn short_closed_eyes_blink_and_long_ones_are_closed() {
    let frames = |blinks: &[(f32, usize)]| -> Vec<_> {
        blinks.iter().flat_map(|&(blink, count)| std::iter::repeat_n((0.0, blink, 0.0), count)).collect()
    };
    let shown = frames(&[(0.1, 5), (0.8, 3), (0.1, 5), (0.4, 5), (0.9, 20), (0.4, 3), (0.1, 15)]);
    let expected = [event("blink", 5, 3, ""), event("eyes_closed", 18, 0, "+"), event("eyes_closed", 41, 23, "-")];
    assert_eq!(events_of(&shown, 12), expected);
}

#[test]
fn a_mouth_that_moves_to_and_fro_speaks_and_one_that_opens_once_does_not() {
    let speech = (0..50).map(|frame| (0.0, 0.0, if frame % 6 < 3 { 0.05 } else { 0.35 }));
    let still = std::iter::repeat_n((0.0, 0.0, 0.05), 75);
    let yawn = (0..50).map(|frame| (0.0, 0.0, (frame as f32 / 25.0).min(1.0) * 0.8));
    let spoken: Vec<_> = still.clone().chain(speech).chain(still.clone()).collect();
    let events = events_of(&spoken, 5);
    assert_eq!(events.iter().map(|event| (event.0.as_str(), event.3.as_str())).collect::<Vec<_>>(), [("speaking", "+"), ("speaking", "-")]);
    assert!((75..95).contains(&events[0].1) && (125..160).contains(&events[1].1), "{events:?}");
    assert_eq!(events_of(&still.chain(yawn).collect::<Vec<_>>(), 5), []);
}

#[test]
fn what_a_face_does_ends_when_it_leaves() {
    let frame = |n: usize| {
        let jaw = if n % 6 < 3 { 0.05 } else { 0.35 };
        let (yaw, lids) = if n < 10 { (0.0, 0.0) } else { (40.0, 0.9) };
        (n < 60).then(|| acting(yaw, [lids; 2], jaw))
    };
    let ends = |events: Vec<(String, u64, u64, String)>| events.into_iter().skip_while(|event| event.1 < 60).collect::<Vec<_>>();
    let began = |kind: &str| all_events_of((0..60).map(frame), 5).into_iter().find(|event| event.0 == kind && event.3 == "+").unwrap().1;
    let expected = [
        event("turned", 60, 50, "-left"),
        event("eyes_closed", 60, 50, "-"),
        event("speaking", 60, 60 - began("speaking"), "-"),
        event("left", 60, 60, ""),
    ];
    assert_eq!(ends(all_events_of((0..80).map(frame), 5)), expected);
    assert_eq!(ends(all_events_of((0..60).map(frame), 5)), expected, "at the end of the stream");
}

#[test]
fn a_face_that_never_appeared_does_nothing_and_one_that_did_has_blinked_before() {
    let blinking =
        |frames: usize| (0..frames + 20).map(move |n| (n < frames).then(|| acting(0.0, [if n == 2 { 0.9 } else { 0.1 }; 2], 0.0)));
    assert_eq!(all_events_of(blinking(8), 12), []);
    let expected = [event("appeared", 0, 0, ""), event("blink", 2, 1, ""), event("left", 30, 30, "")];
    assert_eq!(all_events_of(blinking(30), 12), expected);
}

#[test]
fn a_wink_closes_one_eye() {
    for lids in [[0.92, 0.0], [0.0, 0.92], [0.92, 0.4]] {
        let frames = (0..60).map(|n| Some(acting(0.0, if (20..24).contains(&n) || n > 30 { lids } else { [0.1; 2] }, 0.0)));
        let kinds = all_events_of(frames, 5).into_iter().map(|event| event.0);
        assert_eq!(kinds.collect::<Vec<_>>(), ["appeared", "left"], "{lids:?}");
    }
}
