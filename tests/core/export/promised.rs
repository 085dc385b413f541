// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fields of records that are promised.

use std::collections::BTreeSet;
use std::time::Duration;

use emotion_core::behaviour::Direction;
use emotion_core::export::{Content, Event, EventKind, Format, FrameReport, FrameTime, GeometryFields, Utc};
use emotion_core::record::{FaceRecord, UnknownReason};
use emotion_core::scores::{FERPLUS_LABELS, UNKNOWN};
use serde_json::Value;
use test_support::promises;

use super::geometry::measured;
use super::{report, scored, summary_of, time, written};

/// Objects with a key for each class of the model.
const BY_CLASS: [&str; 3] = ["scores", "counts", "shares"];

/// A face with a value in every field.
fn complete() -> FaceRecord {
    let mut face = FaceRecord { geometry: measured(3).geometry, ..scored(3, Some(1), &[0.06, 0.93, 0.01]) };
    let emotion = face.emotion.as_mut().expect("scores");
    emotion.scores = emotion.scores.clone().with_baseline(Some(Duration::from_millis(2_500)));
    face
}

fn complete_time() -> FrameTime {
    FrameTime { utc: Some(Utc(1_700_000_000_123_456_789)), ..time(2) }
}

fn text_of(format: Format, faces: &[FaceRecord]) -> String {
    let mut writer = format.writer(Content::Faces, GeometryFields::Always);
    let frame = FrameReport { time: complete_time(), ..report(2, faces) };
    let header = writer.header(frame.labels(), frame.has_geometry()).unwrap_or_default();
    header + &written(writer.as_mut(), &frame, frame.time.duration_ns)
}

/// An event of each kind, with all values that are words.
fn event_lines() -> String {
    let both = [true, false];
    let directions = [Direction::Left, Direction::Right, Direction::Up, Direction::Down];
    let turned = both.into_iter().flat_map(|active| directions.map(|direction| EventKind::Turned { active, direction }));
    let mut kinds = vec![
        EventKind::Appeared {},
        EventKind::Expression { from: Some("neutral".into()), to: "happiness".into() },
        EventKind::Blink {},
        EventKind::Left { shares: Some([("happiness".to_owned(), 1.0)].into_iter().collect()) },
    ];
    kinds
        .extend(turned.chain(both.map(|active| EventKind::EyesClosed { active })).chain(both.map(|active| EventKind::Speaking { active })));
    let found: BTreeSet<&str> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(found, EventKind::NAMES.iter().copied().collect(), "every event is promised");
    let mut writer = Format::Ndjson.writer(Content::Events, GeometryFields::Never);
    let mut out = Vec::new();
    for kind in kinds {
        writer.write_event("cam", &Event { id: 3, time: complete_time(), kind }, &mut out).expect("memory");
    }
    String::from_utf8(out).expect("UTF-8")
}

/// The fields of lines of JSON. A record is named by its type, if it has one.
fn json_fields(schema: &str, text: &str) -> BTreeSet<String> {
    let values = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let name = |value: &Value| value["type"].as_str().map_or(schema.to_owned(), |kind| format!("{schema} {kind}"));
    values.flat_map(|value| promises::fields(&name(&value), &value, &BY_CLASS)).collect()
}

fn columns(table: &str, text: &str) -> BTreeSet<String> {
    let header = text.split("\r\n").next().expect("a header");
    header.split(',').map(|column| format!("{table}: {column}")).collect()
}

#[test]
fn the_fields_of_records_are_kept() {
    let faces = [complete()];
    let frames = vec![faces.to_vec()];
    let mut lines = json_fields("ndjson", &text_of(Format::Ndjson, &faces));
    lines.extend(json_fields("ndjson", &text_of(Format::Ndjson, &[])));
    lines.extend(json_fields("ndjson", &summary_of(Format::Ndjson, &frames)));
    lines.extend(json_fields("events", &event_lines()));
    lines.extend(json_fields("dlstreamer", &text_of(Format::DlStreamer, &faces)));
    lines.extend(columns("csv of faces", &text_of(Format::Csv, &faces)));
    lines.extend(columns("csv of summaries", &summary_of(Format::Csv, &frames)));
    let labels = FERPLUS_LABELS.into_iter().chain([UNKNOWN]);
    lines.extend(labels.map(|label| format!("label: {label}")));
    let reasons = [UnknownReason::Uncertain, UnknownReason::Small, UnknownReason::Turned, UnknownReason::Pending];
    lines.extend(reasons.map(|reason| format!("reason: {}", reason.as_str())));
    let events = event_lines();
    for key in ["type", "direction"] {
        let values = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")[key].clone());
        lines.extend(values.filter_map(|value| Some(format!("events {key}: {}", value.as_str()?))));
    }
    promises::assert_kept("records", lines);
}

#[test]
fn a_broken_promise_is_named_even_when_lists_are_updated() {
    let broken = std::panic::catch_unwind(|| promises::assert_kept("metrics", ["emotion_faces gauge".to_owned()]));
    let said = broken.expect_err("most metrics are missing").downcast::<String>().expect("a text");
    assert!(said.contains("removed or changed") && said.contains("emotion_source_up gauge"), "{said}");
}
