// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events of faces: when they are reported, and their text.

use emotion_core::export::{Exporter, Format, FrameReport, FrameTime, Options, Output, Utc};
use emotion_core::record::FaceRecord;

use super::{FRAME_NS, found, report, scored, time};

/// The faces of each frame, a letter for each label of the face with id 1: `-` no face, `.` not scored, `n`, `h` or `f`.
fn shown(letters: &str) -> Vec<Vec<FaceRecord>> {
    let face = |letter| match letter {
        '-' => vec![],
        '.' => vec![found(1)],
        letter => vec![scored(1, "nhf".find(letter), &[0.4, 0.3, 0.3])],
    };
    letters.chars().map(face).collect()
}

/// The events of such frames, each as type, first frame, length in frames and what is special, with a hysteresis in frames.
fn events_of(letters: &str, hysteresis: u64) -> Vec<(String, u64, u64, String)> {
    let options = Options { format: Format::Events, hysteresis_ns: hysteresis * FRAME_NS, ..Options::default() };
    let mut exporter = Exporter::new(options);
    let mut text = Vec::new();
    for (frame, faces) in shown(letters).iter().enumerate() {
        if let Output::Text(chunk) = exporter.frame(&report(frame as u64, faces)).unwrap() {
            text.extend(chunk.body);
        }
    }
    text.extend(exporter.finish().unwrap().map(|chunk| chunk.body).unwrap_or_default());
    let event = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["version"], &event["stream"], &event["id"]), (&1.into(), &"cam".into(), &1.into()));
        let frames = |key: &str| event[key].as_u64().unwrap() / FRAME_NS;
        let detail = match event["type"].as_str().unwrap() {
            "appeared" => String::new(),
            "expression" => format!("{}>{}", event["from"].as_str().unwrap_or("-"), event["to"].as_str().unwrap()),
            _ => event["shares"].to_string(),
        };
        (event["type"].as_str().unwrap().to_owned(), frames("stream_time"), frames("duration"), detail)
    };
    std::str::from_utf8(&text).unwrap().lines().map(event).collect()
}

fn event(kind: &str, frame: u64, frames: u64, detail: &str) -> (String, u64, u64, String) {
    (kind.into(), frame, frames, detail.into())
}

#[test]
fn events_tell_when_a_face_appeared_changed_and_left() {
    let expected = [
        event("appeared", 1, 0, ""),
        event("expression", 2, 1, "->neutral"),
        event("expression", 5, 3, "neutral>happiness"),
        event("left", 10, 9, r#"{"happiness":0.625,"neutral":0.375}"#),
    ];
    assert_eq!(events_of("-.nnnhhhhh----", 2), expected);
    assert_eq!(events_of("-.nnnhhhhh", 2), expected, "at the end of the stream, faces leave");
    assert_eq!(events_of("-.nnnhhhhh-", 0), expected, "without hysteresis, each change is an event");
}

#[test]
fn what_does_not_last_is_no_event() {
    let steady = [event("appeared", 0, 0, ""), event("expression", 0, 0, "->neutral"), event("left", 9, 9, r#"{"neutral":1.0}"#)];
    assert_eq!(events_of("nnnnnnnnn", 3), steady);
    assert_eq!(events_of("nnnnhfhnn", 3), steady, "labels that flicker");
    assert_eq!(events_of("nnnn--nnn", 3), steady, "a missed detection");
    assert_eq!(events_of("nn-----", 3), [], "a face that is soon gone");
    assert_eq!(events_of(".....", 3), [event("appeared", 0, 0, ""), event("left", 5, 5, "null")], "a face without scores");
}

#[test]
fn a_face_that_returns_after_it_left_appears_again() {
    let kinds: Vec<_> = events_of("nnn---nnn", 2).into_iter().map(|(kind, frame, _, _)| (kind, frame)).collect();
    let of_one = |first: u64| [("appeared", first), ("expression", first), ("left", first + 3)].map(|(kind, at)| (kind.to_owned(), at));
    assert_eq!(kinds, [of_one(0), of_one(6)].concat());
}

#[test]
fn an_event_in_json_has_the_time_at_which_it_happened() {
    let options = Options { format: Format::Events, hysteresis_ns: 2 * FRAME_NS, ..Options::default() };
    let mut exporter = Exporter::new(options);
    let utc = |frame: u64| Some(Utc(1_700_000_000_000_000_000 + frame * FRAME_NS));
    let faces = [scored(3, Some(1), &[0.06, 0.93, 0.01])];
    let outputs: Vec<_> = (0..3)
        .map(|frame| exporter.frame(&FrameReport { time: FrameTime { utc: utc(frame), ..time(frame) }, ..report(frame, &faces) }).unwrap())
        .collect();
    let Output::Text(chunk) = &outputs[2] else { panic!("{outputs:?}") };
    assert_eq!(chunk.span, time(2).span(), "the text is sent when the event is known");
    assert_eq!(
        String::from_utf8_lossy(&chunk.body),
        concat!(
            r#"{"type":"appeared","version":1,"stream":"cam","time_s":0.0,"duration_s":0.0,"pts":0,"duration":0,"stream_time":0,"running_time":1,"#,
            r#""utc":"2023-11-14T22:13:20.000000Z","id":3}"#,
            "\n",
            r#"{"type":"expression","version":1,"stream":"cam","time_s":0.0,"duration_s":0.0,"pts":0,"duration":0,"stream_time":0,"running_time":1,"#,
            r#""utc":"2023-11-14T22:13:20.000000Z","id":3,"from":null,"to":"happiness"}"#,
            "\n"
        )
    );
    let gap = FrameTime { duration_ns: 5 * FRAME_NS, ..time(3) };
    let Output::Text(chunk) = exporter.gap(&gap).unwrap() else { panic!("no event") };
    assert_eq!(
        String::from_utf8_lossy(&chunk.body),
        concat!(
            r#"{"type":"left","version":1,"stream":"cam","time_s":0.12,"duration_s":0.12,"pts":120000000,"duration":120000000,"stream_time":120000000,"#,
            r#""running_time":120000001,"utc":"2023-11-14T22:13:20.120000Z","id":3,"shares":{"happiness":1.0}}"#,
            "\n"
        ),
        "a gap in the video ends a stay"
    );
}

#[test]
fn events_are_summaries_where_only_aggregates_may_be_exported() {
    let options = Options { format: Format::Events, aggregate_only: true, ..Options::default() };
    let Output::Text(chunk) = Exporter::new(options).frame(&report(0, &shown("n")[0])).unwrap() else { panic!("no text") };
    assert!(chunk.body.starts_with(br#"{"type":"summary","#), "{}", String::from_utf8_lossy(&chunk.body));
}

#[test]
fn faces_without_an_id_and_faces_before_a_seek_cause_no_events() {
    let mut exporter = Exporter::new(Options { format: Format::Events, ..Options::default() });
    assert!(matches!(exporter.frame(&report(0, &[found(0)])).unwrap(), Output::Gap(_)));
    assert!(matches!(exporter.frame(&report(1, &[found(7)])).unwrap(), Output::Text(_)));
    exporter.restart();
    assert_eq!(exporter.finish().unwrap(), None);
}
