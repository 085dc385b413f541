// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records that cameras publish, as far as the page shows them.

use std::fmt;
use std::marker::PhantomData;

use gstemotion::export::{ClassSummary, Summary, Utc};
use gstemotion::scores::UNKNOWN;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Deserialize as Derive, Serialize};

/// Longest time that a record may cover: a day.
const MAX_DURATION_NS: u64 = 86_400_000_000_000;
/// Longest text of a record that is shown, in bytes. Labels are short.
const MAX_TEXT_BYTES: usize = 100;
/// Maximum number of labels.
const MAX_LABELS: usize = 64;

/// An object of JSON, in its own order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, T>()? {
                    if entries.len() < MAX_LABELS && key.len() <= MAX_TEXT_BYTES {
                        entries.push((key, value));
                    }
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
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
    fn of(utc: Option<&str>, duration_ns: u64, now_ms: u64) -> Self {
        let length_ms = duration_ns.min(MAX_DURATION_NS) / 1_000_000;
        let arrived = Self { from_ms: now_ms.saturating_sub(length_ms), until_ms: now_ms };
        let Some(Utc(ns)) = utc.and_then(Utc::parse) else { return arrived };
        let from_ms = ns / 1_000_000;
        if from_ms > arrived.from_ms { arrived } else { Self { from_ms, until_ms: from_ms + length_ms } }
    }
}

#[derive(Derive)]
struct SummaryText {
    utc: Option<String>,
    duration: u64,
    frames: u64,
    faces_mean: f64,
    faces_max: u64,
    faces_scored: u64,
    counts: Ordered<u64>,
    scores: Option<Ordered<f64>>,
}

/// Reads a record of the schema `summary`; `None` if it is another.
pub fn summary(payload: &[u8], now_ms: u64) -> Option<(Summary, Stretch)> {
    let text: SummaryText = serde_json::from_slice(payload).ok()?;
    if !(0.0..=1e6).contains(&text.faces_mean) {
        return None;
    }
    let stretch = Stretch::of(text.utc.as_deref(), text.duration, now_ms);
    let scores = text.scores.map(|scores| scores.0).unwrap_or_default();
    let score = |label: &str| scores.iter().find(|(known, _)| known == label).map_or(0.0, |(_, score)| score.clamp(0.0, 1.0));
    let scored = text.faces_scored as f64;
    let classes = text.counts.0.iter().filter(|(label, _)| label != UNKNOWN);
    let classes =
        classes.map(|(label, count)| ClassSummary { label: label.clone(), count: *count, score_sum: score(label) * scored }).collect();
    let summary = Summary {
        frames: text.frames,
        faces: (text.faces_mean * text.frames as f64).round() as u64,
        faces_max: text.faces_max,
        faces_scored: text.faces_scored,
        classes,
        ..Summary::default()
    };
    Some((summary, stretch))
}

/// What happened to a face, as the page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// When it happened, in milliseconds since 1970.
    pub at: u64,
    /// `appeared`, `expression` or `left`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: u64,
    /// Of `expression`: the new label. Of `left`: the label that it had for the longest time.
    pub label: Option<String>,
}

#[derive(Derive)]
struct EventText {
    r#type: String,
    utc: Option<String>,
    id: u64,
    to: Option<String>,
    shares: Option<Ordered<f64>>,
}

/// Reads a record of the schema `events`; `None` if it is another.
pub fn event(payload: &[u8], now_ms: u64) -> Option<Event> {
    let text: EventText = serde_json::from_slice(payload).ok()?;
    let label = text.to.or_else(|| text.shares?.0.into_iter().next().map(|(label, _)| label));
    let is_known = ["appeared", "expression", "left"].contains(&text.r#type.as_str());
    let at = Stretch::of(text.utc.as_deref(), 0, now_ms).from_ms;
    is_known.then(|| Event { at, kind: text.r#type, id: text.id, label: label.filter(|label| label.len() <= MAX_TEXT_BYTES) })
}

/// The faces of one frame, which are published one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    number: u64,
    stretch: Stretch,
    summary: Summary,
}

#[derive(Derive)]
struct FaceText {
    frame: u64,
    utc: Option<String>,
    duration: u64,
    label: Option<String>,
    scores: Option<Ordered<f64>>,
}

/// Adds a record of the schema `faces` to the open frame. Returns the frame that this completes.
pub fn face(open: &mut Option<Frame>, payload: &[u8], now_ms: u64) -> Option<(Summary, Stretch)> {
    let text: FaceText = serde_json::from_slice(payload).ok()?;
    let complete = open.take_if(|frame| frame.number != text.frame).map(|frame| (frame.summary, frame.stretch));
    let frame = open.get_or_insert_with(|| Frame {
        number: text.frame,
        stretch: Stretch::of(text.utc.as_deref(), text.duration, now_ms),
        summary: Summary { frames: 1, ..Summary::default() },
    });
    frame.summary.faces += 1;
    frame.summary.faces_max += 1;
    if let Some(scores) = text.scores {
        frame.summary.faces_scored += 1;
        for (index, (label, score)) in scores.0.into_iter().enumerate() {
            let is_top = text.label.as_deref() == Some(label.as_str());
            let class = match frame.summary.classes.get_mut(index) {
                Some(class) if class.label == label => class,
                Some(_) => continue,
                None => {
                    frame.summary.classes.push(ClassSummary { label, count: 0, score_sum: 0.0 });
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
        assert_eq!((shown[0].kind.as_str(), shown[1].label.as_deref()), ("appeared", Some("neutral")));
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
        assert_eq!(left, Event { at: 5000, kind: "left".into(), id: 3, label: Some("joy".into()) });
        assert_eq!(read(r#"{"type":"appeared","id":3}"#).unwrap().label, None);
        for other in ["", "{}", "[1]", r#"{"type":"summary","id":3}"#, r#"{"type":"left"}"#] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn faces_of_a_frame_are_summed() {
        let record = |frame: u64, joy: f64| {
            format!(
                r#"{{"type":"face","frame":{frame},"utc":null,"duration":40000000,"label":"joy","scores":{{"calm":{},"joy":{joy}}}}}"#,
                1.0 - joy
            )
        };
        let mut open = None;
        assert_eq!(face(&mut open, record(1, 0.75).as_bytes(), 1000), None);
        assert_eq!(face(&mut open, record(1, 0.25).as_bytes(), 1001), None);
        let (summary, stretch) = face(&mut open, record(2, 1.0).as_bytes(), 1100).unwrap();
        assert_eq!((summary.faces, summary.faces_scored, summary.classes[1].count, stretch.until_ms), (2, 2, 2, 1000));
        assert_eq!(summary.scores().unwrap().map(|(_, score)| score).collect::<Vec<_>>(), [0.5, 0.5]);
        assert_eq!(face(&mut open, b"{}", 1200), None);
    }

    #[test]
    fn an_object_with_very_many_labels_is_cut() {
        let counts: String = (0..1000).map(|number| format!("\"label {number}\":1,")).collect();
        let text = SUMMARY.replace("\"neutral\":20,", &counts);
        assert_eq!(summary(text.as_bytes(), 10_000).unwrap().0.classes.len(), MAX_LABELS);
    }
}
