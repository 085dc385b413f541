// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records are read back as they were written, and those of other versions are read as far as they are known.

use super::*;

const TIMES: Times = Times {
    time_s: 0.08,
    duration_s: 0.04,
    pts: 80_000_000,
    duration: 40_000_000,
    stream_time: Some(80_000_000),
    running_time: None,
    utc: Some(Utc(1_700_000_000_123_456_000)),
    recording_time: None,
};

fn face() -> FaceLine<'static> {
    let eye = Point { x: 0.25, y: 0.5 };
    FaceLine {
        version: VERSION,
        stream: "cam \"1\"".into(),
        frame: 2,
        times: TIMES,
        id: Some(3),
        r#box: FaceBox { x: 0.1, y: 0.2, w: 0.3, h: 0.4 },
        landmarks: Some(Landmarks { right_eye: eye, ..Landmarks::default() }),
        label: Some("unknown".into()),
        reason: Some(UnknownReason::Small),
        scores: Some([("neutral", 0.9), ("joy", 0.1)].into_iter().collect()),
        geometry: Some(Geometry {
            pose: Some(Pose { yaw: 10.5, pitch: -2.0, roll: 0.0 }),
            landmarks_70: Some(vec![[0.5, 0.25]; 70]),
            blendshapes: Some([("browDownLeft", 0.25)].into_iter().collect()),
            ..Geometry::default()
        }),
        ..FaceLine::default()
    }
}

fn event(kind: EventKind) -> EventLine<'static> {
    EventLine { head: EventHead { version: VERSION, stream: "cam".into(), times: TIMES, id: 3 }, kind }
}

#[test]
fn records_are_read_back() {
    let text = serde_json::to_string(&face()).unwrap();
    assert!(text.starts_with(r#"{"type":"face","version":1,"stream":"cam \"1\"","frame":2,"time_s":0.08,"#), "{text}");
    assert_eq!(serde_json::from_str::<FaceLine<'_>>(&text).unwrap(), face());
    let summary = SummaryLine {
        times: Times { utc: None, recording_time: Some(5), ..TIMES },
        faces_mean: 1.5,
        counts: [("neutral", 2), ("unknown", 0)].into_iter().collect(),
        ..SummaryLine::default()
    };
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<SummaryLine<'_>>(&text).unwrap(), summary);
    let kinds = [
        EventKind::Expression { from: None, to: "joy".into() },
        EventKind::Turned { active: true, direction: Direction::Up },
        EventKind::Blink {},
        EventKind::Left { shares: Some([("joy".to_owned(), 0.75), ("calm".to_owned(), 0.25)].into_iter().collect()) },
    ];
    for line in kinds.map(event) {
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.starts_with(&format!(r#"{{"type":"{}","version":1,"#, line.kind.name())), "{text}");
        assert_eq!(serde_json::from_str::<EventLine<'_>>(&text).unwrap(), line, "{text}");
    }
}

#[test]
fn what_a_later_version_adds_is_ignored() {
    let line: EventLine<'_> = serde_json::from_str(r#"{"type":"nodded","id":7,"utc":"tomorrow","times":[1],"depth":{"a":2}}"#).unwrap();
    assert_eq!((line.kind, line.head.id, line.head.times.utc), (EventKind::Other, 7, None));
    let text = r#"{"type":"face","frame":1,"box":{"x":0,"y":0,"w":1,"h":1,"d":2},"reason":"asleep","mask":true,"label":null}"#;
    let line: FaceLine<'_> = serde_json::from_str(text).unwrap();
    assert_eq!((line.frame, line.r#box.w, line.reason, line.label), (1, 1.0, None, None));
    let wrong = serde_json::from_str::<FaceLine<'_>>(r#"{"type":"face","frame":1}"#).unwrap_err();
    assert!(wrong.to_string().starts_with("missing field `box`"), "{wrong}");
    assert!(serde_json::from_str::<EventLine<'_>>(r#"{"type":"expression","id":7}"#).is_err(), "an expression has a label");
}

#[test]
fn texts_without_escapes_are_borrowed() {
    let text = r#"{"type":"face","frame":1,"stream":"cam","box":{"x":0,"y":0,"w":1,"h":1},"label":"joy","scores":{"joy":1}}"#;
    let line: FaceLine<'_> = serde_json::from_str(text).unwrap();
    let scores = line.scores.unwrap();
    for text in [&line.stream, line.label.as_ref().unwrap(), &scores.0[0].0] {
        assert!(matches!(text.0, std::borrow::Cow::Borrowed(_)), "{text:?}");
    }
}
