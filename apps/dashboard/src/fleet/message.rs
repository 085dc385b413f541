// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records that cameras publish, as far as the page shows them.

use emotion_core::behaviour::{ClassSummary, Summary};
use emotion_core::scores::UNKNOWN;
use emotion_records::{ByLabel, Direction, EventKind, EventLine, FaceLine, SummaryLine, Text, Times, Utc};
use serde::Serialize;

/// Longest time that a record may cover: a day.
const MAX_DURATION_NS: u64 = 86_400_000_000_000;
/// Longest text of a record that is shown, in bytes. Labels are short.
const MAX_TEXT_BYTES: usize = 100;
/// Maximum number of labels.
const MAX_LABELS: usize = 64;

/// The entries of an object that are shown.
fn shown<'a, T: Copy>(entries: &'a ByLabel<Text<'_>, T>) -> impl Iterator<Item = (&'a str, T)> {
    entries.iter().filter(|(label, _)| label.len() <= MAX_TEXT_BYTES).take(MAX_LABELS)
}

/// The time of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// When it began, in milliseconds since 1970.
    pub from_ms: u64,
    /// When it ended.
    pub until_ms: u64,
}

impl Stretch {
    /// From the record's own time, or up to its arrival if it has no time. A time in the future comes from a wrong clock.
    fn of(times: &Times, length_ns: u64, now_ms: u64) -> Self {
        let length_ms = length_ns.min(MAX_DURATION_NS) / 1_000_000;
        let arrived = Self { from_ms: now_ms.saturating_sub(length_ms), until_ms: now_ms };
        let Some(Utc(ns)) = times.utc else { return arrived };
        let from_ms = ns / 1_000_000;
        if from_ms > arrived.from_ms { arrived } else { Self { from_ms, until_ms: from_ms + length_ms } }
    }
}

/// Reads a record of the schema `summary`; `None` if it is another.
pub fn summary(payload: &[u8], now_ms: u64) -> Option<(Summary, Stretch)> {
    let line: SummaryLine<'_> = serde_json::from_slice(payload).ok()?;
    if !(0.0..=1e6).contains(&line.faces_mean) {
        return None;
    }
    let scored = line.faces_scored as f64;
    let score = |label: &str| line.scores.as_ref().and_then(|scores| scores.get(label)).map_or(0.0, |score| score.clamp(0.0, 1.0));
    let classes = shown(&line.counts).filter(|(label, _)| *label != UNKNOWN);
    let classes = classes.map(|(label, count)| ClassSummary { label: label.to_owned(), count, score_sum: score(label) * scored });
    let summary = Summary {
        frames: line.frames,
        faces: (line.faces_mean * line.frames as f64).round() as u64,
        faces_max: line.faces_max,
        faces_scored: line.faces_scored,
        classes: classes.collect(),
        ..Summary::default()
    };
    Some((summary, Stretch::of(&line.times, line.times.duration, now_ms)))
}

/// What happened to a face, as the page shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Event {
    /// When it happened, in milliseconds since 1970.
    pub at: u64,
    /// The name of [`EventKind`].
    #[serde(rename = "type")]
    pub name: &'static str,
    pub id: u64,
    /// Of `expression`: the new label. Of `left`: the label that it had for the longest time.
    pub label: Option<String>,
    /// Whether a state began or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Where a turned face looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// True if the face has left.
    #[serde(skip)]
    pub has_left: bool,
}

/// Reads a record of the schema `events`; `None` if it is another, or an event of a later version.
pub fn event(payload: &[u8], now_ms: u64) -> Option<Event> {
    let EventLine { head, kind } = serde_json::from_slice(payload).ok()?;
    let at = Stretch::of(&head.times, 0, now_ms).from_ms;
    let event = Event { at, name: kind.name(), id: head.id, ..Event::default() };
    let label = |label: String| Some(label).filter(|label| label.len() <= MAX_TEXT_BYTES);
    Some(match kind {
        EventKind::Appeared {} | EventKind::Blink {} => event,
        EventKind::Expression { to, .. } => Event { label: label(to), ..event },
        EventKind::Turned { active, direction } => Event { active: Some(active), direction: Some(direction), ..event },
        EventKind::EyesClosed { active } | EventKind::Speaking { active } => Event { active: Some(active), ..event },
        EventKind::Left { shares } => {
            let longest = shares.and_then(|shares| shares.0.into_iter().next());
            Event { label: longest.and_then(|(longest, _)| label(longest)), has_left: true, ..event }
        }
        EventKind::Other => return None,
    })
}

/// The faces of one frame, which are published one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    number: u64,
    stretch: Stretch,
    summary: Summary,
}

/// Adds a record of the schema `faces` to the open frame. Returns the frame that this completes.
pub fn face(open: &mut Option<Frame>, payload: &[u8], now_ms: u64) -> Option<(Summary, Stretch)> {
    let line: FaceLine<'_> = serde_json::from_slice(payload).ok()?;
    let complete = open.take_if(|frame| frame.number != line.frame).map(|frame| (frame.summary, frame.stretch));
    let frame = open.get_or_insert_with(|| Frame {
        number: line.frame,
        stretch: Stretch::of(&line.times, line.times.duration, now_ms),
        summary: Summary { frames: 1, ..Summary::default() },
    });
    frame.summary.faces += 1;
    frame.summary.faces_max += 1;
    if let Some(scores) = line.scores {
        frame.summary.faces_scored += 1;
        for (index, (label, score)) in shown(&scores).enumerate() {
            let is_top = line.label.as_deref() == Some(label);
            let class = match frame.summary.classes.get_mut(index) {
                Some(class) if class.label == label => class,
                Some(_) => continue,
                None => {
                    frame.summary.classes.push(ClassSummary { label: label.to_owned(), count: 0, score_sum: 0.0 });
                    frame.summary.classes.last_mut()?
                }
            };
            class.score_sum += score.clamp(0.0, 1.0);
            class.count += u64::from(is_top);
        }
    }
    complete
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = r#"{"message_id":"1-0","type":"summary","version":1,"stream":"door","utc":null,"duration":2000000000,
        "frames":20,"faces_mean":1.5,"faces_max":2,"faces_scored":30,"counts":{"neutral":20,"joy":10,"unknown":0},
        "scores":{"neutral":0.75,"joy":0.25}}"#;

    #[test]
    fn records_of_1_0_are_read() {
        let lines = |name: &str| std::fs::read_to_string(test_support::data(&format!("1.0/{name}.ndjson"))).unwrap();
        let (summaries, events, faces) = (lines("summary"), lines("events"), lines("faces"));
        let totals: Vec<_> = summaries.lines().map(|line| summary(line.as_bytes(), 10_000).expect(line).0).collect();
        assert_eq!((totals.len(), totals[0].frames, totals[0].classes[0].count), (6, 4, 3));
        let shown: Vec<_> = events.lines().filter_map(|line| event(line.as_bytes(), 10_000)).collect();
        assert_eq!((shown[0].name, shown[1].label.as_deref()), ("appeared", Some("neutral")));
        let mut open = None;
        let frames: Vec<_> = faces.lines().filter_map(|line| face(&mut open, line.as_bytes(), 10_000)).collect();
        assert!(frames.len() == 10 && frames.iter().all(|(frame, _)| frame.faces_scored > 0), "{frames:?}");
    }

    #[test]
    fn a_summary_is_read_in_the_order_of_the_model() {
        let (summary, stretch) = summary(SUMMARY.as_bytes(), 10_000).unwrap();
        assert_eq!(stretch, Stretch { from_ms: 8000, until_ms: 10_000 }, "without a time of its own, up to its arrival");
        assert_eq!((summary.labels(), summary.faces_mean()), (vec!["neutral".into(), "joy".into()], 1.5));
        let scores: Vec<f64> = summary.scores().unwrap().map(|(_, score)| score).collect();
        assert_eq!(scores, [0.75, 0.25]);
    }

    #[test]
    fn records_that_waited_have_their_own_time_and_wrong_clocks_have_none() {
        let at = |utc: &str, now_ms| summary(SUMMARY.replace("null", utc).as_bytes(), now_ms).unwrap().1.from_ms;
        assert_eq!(at("\"1970-01-01T00:00:03.000000Z\"", 60_000), 3000);
        assert_eq!(at("\"2970-01-01T00:00:03.000000Z\"", 60_000), 58_000);
        assert_eq!(at("\"yesterday\"", 60_000), 58_000);
    }

    #[test]
    fn an_event_has_one_label() {
        let read = |text: &str| event(text.as_bytes(), 5000);
        let left = read(r#"{"type":"left","id":3,"utc":null,"shares":{"joy":0.6,"anger":0.4}}"#).unwrap();
        assert_eq!(left, Event { at: 5000, name: "left", id: 3, label: Some("joy".into()), has_left: true, ..Event::default() });
        assert_eq!(read(r#"{"type":"appeared","id":3}"#).unwrap().label, None);
        for other in ["", "{}", "[1]", r#"{"type":"summary","id":3}"#, r#"{"type":"left"}"#, r#"{"type":"nodded","id":3}"#] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn events_of_the_geometry_are_shown_as_well() {
        let read = |kind: &str, fields: &str| event(format!(r#"{{"type":"{kind}","id":3{fields}}}"#).as_bytes(), 5000).unwrap();
        let of = |name, active| Event { at: 5000, name, id: 3, active, ..Event::default() };
        let turned = read("turned", r#","active":true,"direction":"left""#);
        assert_eq!(turned, Event { direction: Some(Direction::Left), ..of("turned", Some(true)) });
        assert_eq!(serde_json::to_value(&turned).unwrap()["direction"], "left");
        assert_eq!(read("eyes_closed", r#","active":false"#), of("eyes_closed", Some(false)));
        assert_eq!(read("speaking", r#","active":true"#), of("speaking", Some(true)));
        assert_eq!(read("blink", r#","duration":200000000"#), of("blink", None));
    }

    #[test]
    fn faces_of_a_frame_are_summed() {
        let record = |frame: u64, joy: f64| {
            format!(
                r#"{{"type":"face","frame":{frame},"utc":null,"duration":40000000,"box":{{"x":0,"y":0,"w":0.5,"h":0.5}},"label":"joy",
                "scores":{{"calm":{},"joy":{joy}}}}}"#,
                1.0 - joy
            )
        };
        let mut open = None;
        assert_eq!(face(&mut open, record(1, 0.75).as_bytes(), 1000), None);
        assert_eq!(face(&mut open, record(1, 0.25).as_bytes(), 1001), None);
        let (summary, stretch) = face(&mut open, record(2, 1.0).as_bytes(), 1100).unwrap();
        assert_eq!((summary.faces, summary.faces_scored, summary.classes[1].count, stretch.until_ms), (2, 2, 2, 1000));
        assert_eq!(summary.scores().unwrap().map(|(_, score)| score).collect::<Vec<_>>(), [0.5, 0.5]);
        let gone = r#"{"type":"frame","version":1,"frame":3,"utc":null,"duration":40000000,"faces":0}"#;
        assert_eq!([face(&mut open, b"{}", 1200), face(&mut open, gone.as_bytes(), 1200)], [None, None], "no faces");
    }

    #[test]
    fn an_object_with_very_many_labels_is_cut() {
        let counts: String = (0..1000).map(|number| format!("\"label {number}\":1,")).collect();
        let text = SUMMARY.replace("\"neutral\":20,", &counts);
        assert_eq!(summary(text.as_bytes(), 10_000).unwrap().0.classes.len(), MAX_LABELS);
    }
}
