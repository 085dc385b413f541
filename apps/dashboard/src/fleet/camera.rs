// SPDX-License-Identifier: MIT OR Apache-2.0
//! One camera of the fleet: what it has published.

use std::collections::{BTreeSet, VecDeque};

use emotion_publish::mqtt::STATUS_INTERVAL;
use serde::Serialize;

use super::message::{self, Event, Frame, Stretch};
use crate::history::History;
use crate::sample::Sample;

/// Length of a span of its history, in seconds. A day of it takes about 1 MB.
const SPAN_S: u64 = 10;
/// Number of events that are remembered.
const MAX_EVENTS: usize = 20;
/// Maximum number of faces that are counted by events.
const MAX_PRESENT: usize = 1000;
/// Faces are counted from the records of faces if there was no summary for this long.
const SUMMARY_TIMEOUT_MS: u64 = 60_000;
/// A camera of which nothing arrives for this long after a new connection is offline, whatever the broker has kept. It repeats its
/// status, and needs less than half of this time to connect to a broker that was restarted.
const MAX_DOUBT_MS: u64 = 2 * STATUS_INTERVAL.as_secs() * 1000;

/// Whether a camera is connected to the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It has published no status.
    #[default]
    Unknown,
    /// It is.
    Online,
    /// It is not.
    Offline,
}

/// A camera.
#[derive(Debug)]
pub struct Camera {
    /// Its topic, without the last part.
    pub topic: String,
    /// Its name: the parts of the topic for which the address has `+`.
    pub name: String,
    /// Index of its broker.
    pub broker: usize,
    /// The version of the fleet in which it changed last.
    pub version: u64,
    /// When a message of it arrived last, in milliseconds since 1970.
    pub heard_ms: u64,
    /// Whether it is connected.
    pub status: Status,
    /// Since when, in milliseconds since 1970.
    since_ms: u64,
    /// True if the status was already there when the dashboard connected, so that it is older than `since_ms`.
    is_older: bool,
    /// Since when only the broker says that it is online, which may have been restarted since; `None` if the camera itself has said
    /// something on this connection.
    doubted_ms: Option<u64>,
    faces_max: u64,
    /// The newest totals.
    pub latest: Option<Sample>,
    /// When the last summary arrived.
    summary_ms: Option<u64>,
    open: Option<Frame>,
    events: VecDeque<Event>,
    /// Ids of the faces that have appeared and not left, by the events. `None` if the camera may have had faces before.
    present: Option<BTreeSet<u64>>,
    /// Totals of the last day.
    pub history: History,
}

/// A camera as the page receives it.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    id: u32,
    name: &'a str,
    topic: &'a str,
    broker: usize,
    status: Status,
    since: u64,
    is_older: bool,
    /// The newest totals; `None` before the first.
    totals: Option<Totals<'a>>,
    /// The number of faces by the events, as long as there are no totals; `None` if it is not known.
    present: Option<usize>,
    /// The newest one first.
    events: Vec<&'a Event>,
}

#[derive(Debug, Serialize)]
struct Totals<'a> {
    from: u64,
    until: u64,
    faces_mean: f64,
    faces_max: u64,
    labels: Vec<&'a str>,
    scores: Option<Vec<f64>>,
}

impl Camera {
    /// A camera that has published nothing yet.
    pub fn new(broker: usize, topic: &str, name: &str, now_ms: u64) -> Self {
        Self {
            topic: topic.to_owned(),
            name: name.to_owned(),
            broker,
            version: 0,
            heard_ms: now_ms,
            status: Status::Unknown,
            since_ms: now_ms,
            is_older: false,
            doubted_ms: None,
            faces_max: 0,
            latest: None,
            summary_ms: None,
            open: None,
            events: VecDeque::new(),
            present: None,
            history: History::new(SPAN_S),
        }
    }

    /// Takes a message. Returns whether it changed what the page shows.
    pub fn take(&mut self, schema: &str, payload: &[u8], is_retained: bool, now_ms: u64) -> bool {
        self.heard_ms = now_ms;
        let is_back = !is_retained && self.is_back(now_ms);
        let is_changed = match schema {
            "status" => self.take_status(payload, is_retained, now_ms),
            "events" => message::event(payload, now_ms).is_some_and(|event| self.take_event(event)),
            "summary" => message::summary(payload, now_ms).is_some_and(|(summary, stretch)| {
                self.summary_ms = Some(now_ms);
                self.take_summary(&summary, stretch, now_ms)
            }),
            "faces" if self.summary_ms.is_none_or(|at| now_ms.abs_diff(at) > SUMMARY_TIMEOUT_MS) => {
                message::face(&mut self.open, payload, now_ms)
                    .is_some_and(|(summary, stretch)| self.take_summary(&summary, stretch, now_ms))
            }
            _ => false,
        };
        is_back || is_changed
    }

    /// Notes that it has said something, and whether it was held to be offline.
    fn is_back(&mut self, now_ms: u64) -> bool {
        let was_gone = self.doubted_ms.take().is_some() && self.status == Status::Offline;
        if was_gone {
            (self.status, self.since_ms, self.is_older) = (Status::Online, now_ms, true);
        }
        was_gone
    }

    /// Doubts that it is online, since the connection to the broker is new.
    pub fn doubt(&mut self, now_ms: u64) {
        if self.status == Status::Online {
            self.doubted_ms = Some(now_ms);
        }
    }

    /// Takes it for offline if it has been doubted for too long. Returns whether that changed it.
    pub fn give_up(&mut self, now_ms: u64) -> bool {
        let is_gone = self.status == Status::Online && self.doubted_ms.is_some_and(|since| now_ms.saturating_sub(since) >= MAX_DOUBT_MS);
        if is_gone {
            self.set_status(Status::Offline, now_ms, true);
        }
        is_gone
    }

    fn take_status(&mut self, payload: &[u8], is_retained: bool, now_ms: u64) -> bool {
        let status = match payload {
            b"online" => Status::Online,
            b"offline" => Status::Offline,
            _ => return false,
        };
        let is_given_up = self.status == Status::Offline && self.doubted_ms.is_some();
        if status == self.status || (is_given_up && is_retained) {
            return false;
        }
        self.set_status(status, now_ms, is_retained);
        self.doubted_ms = (status == Status::Online && is_retained).then_some(now_ms);
        true
    }

    fn set_status(&mut self, status: Status, now_ms: u64, is_older: bool) {
        (self.status, self.since_ms, self.is_older) = (status, now_ms, is_older);
        // A camera that has just started has no faces yet.
        self.present = (status == Status::Online && !is_older).then(BTreeSet::new);
        if status == Status::Offline {
            self.latest = None;
        }
    }

    fn take_event(&mut self, event: Event) -> bool {
        if let Some(present) = &mut self.present {
            match event.has_left {
                true => present.remove(&event.id),
                false => present.len() < MAX_PRESENT && present.insert(event.id),
            };
        }
        let index = self.events.partition_point(|known| known.at <= event.at);
        self.events.insert(index, event);
        if self.events.len() > MAX_EVENTS {
            self.events.pop_front();
        }
        true
    }

    fn take_summary(&mut self, summary: &emotion_core::export::Summary, stretch: Stretch, now_ms: u64) -> bool {
        let Stretch { from_ms, until_ms } = stretch;
        self.history.push(from_ms / 1000, until_ms.saturating_sub(from_ms).div_ceil(1000), summary);
        // A record that waited while the broker was away is older than what is shown. What is shown is in the future after the
        // clock was set back.
        if self.latest.as_ref().is_none_or(|latest| until_ms >= latest.until_ms || latest.until_ms > now_ms) {
            self.latest = Some(Sample::of(summary, from_ms, until_ms));
            self.faces_max = summary.faces_max;
        }
        true
    }

    /// Since when it is offline, in milliseconds since 1970; `None` if it is not.
    pub fn offline_since(&self) -> Option<u64> {
        (self.status == Status::Offline).then_some(self.since_ms)
    }

    /// The camera as the page receives it.
    pub fn view(&self, id: u32) -> View<'_> {
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        let totals = self.latest.as_ref().map(|sample| Totals {
            from: sample.from_ms,
            until: sample.until_ms,
            faces_mean: rounded(sample.faces),
            faces_max: self.faces_max,
            labels: sample.scores.iter().map(|(label, _)| label.as_str()).collect(),
            scores: (!sample.scores.is_empty()).then(|| sample.scores.iter().map(|(_, score)| rounded(*score)).collect()),
        });
        View {
            id,
            name: &self.name,
            topic: &self.topic,
            broker: self.broker,
            status: self.status,
            since: self.since_ms,
            is_older: self.is_older,
            present: self.present.as_ref().filter(|_| totals.is_none()).map(BTreeSet::len),
            totals,
            events: self.events.iter().rev().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Camera {
        Camera::new(0, "emotion/door", "door", 1000)
    }

    #[test]
    fn a_status_has_the_time_at_which_it_changed() {
        let mut camera = camera();
        assert!(camera.take("status", b"online", true, 2000));
        assert!(!camera.take("status", b"online", false, 3000), "nothing changes");
        assert_eq!((camera.status, camera.since_ms, camera.is_older), (Status::Online, 2000, true));
        assert!(camera.take("status", b"offline", false, 4000));
        assert_eq!((camera.offline_since(), camera.is_older), (Some(4000), false));
        assert!(!camera.take("status", b"perhaps", false, 5000));
    }

    #[test]
    fn events_are_sorted_and_their_number_is_limited() {
        let mut camera = camera();
        for number in 0..1000_u64 {
            let at = if number == 999 { 500 } else { number };
            let text = format!(r#"{{"type":"appeared","id":{number},"utc":"1970-01-01T00:00:{:02}.{:06}Z"}}"#, at / 1000, at % 1000 * 1000);
            assert!(camera.take("events", text.as_bytes(), false, 60_000));
        }
        assert_eq!(camera.events.len(), MAX_EVENTS);
        assert_eq!((camera.events[0].id, camera.events[MAX_EVENTS - 1].id), (979, 998), "a late one is not among the newest");
    }

    #[test]
    fn faces_of_a_camera_that_has_just_started_are_counted_by_events_until_the_first_summary() {
        let mut camera = camera();
        let event = |kind: &str, id: u64| format!(r#"{{"type":"{kind}","id":{id},"utc":null,"to":"joy"}}"#);
        camera.take("status", b"online", true, 2000);
        camera.take("events", event("appeared", 1).as_bytes(), false, 2100);
        assert_eq!(camera.view(1).present, None, "it may have had faces before");
        camera.take("status", b"offline", false, 3000);
        assert_eq!(camera.view(1).present, None);
        camera.take("status", b"online", false, 4000);
        assert_eq!(camera.view(1).present, Some(0));
        for (kind, id) in [("appeared", 1), ("expression", 1), ("appeared", 2), ("left", 1), ("appeared", 3)] {
            camera.take("events", event(kind, id).as_bytes(), false, 4100);
        }
        assert_eq!(camera.view(1).present, Some(2));
        let summary =
            r#"{"utc":null,"duration":1000000000,"frames":10,"faces_mean":4,"faces_max":4,"faces_scored":0,"counts":{},"scores":null}"#;
        assert!(camera.take("summary", summary.as_bytes(), false, 5000));
        assert_eq!((camera.view(1).present, camera.view(1).totals.map(|totals| totals.faces_max)), (None, Some(4)));
    }

    #[test]
    fn an_older_summary_goes_into_the_history_only() {
        let mut camera = camera();
        let summary = |faces: u64, second: u64| {
            format!(
                r#"{{"type":"summary","utc":"1970-01-01T00:00:{second:02}.000000Z","duration":10000000000,"frames":10,"faces_mean":{faces},
                "faces_max":{faces},"faces_scored":0,"counts":{{}},"scores":null}}"#
            )
        };
        assert!(camera.take("summary", summary(3, 40).as_bytes(), false, 60_000));
        assert!(camera.take("summary", summary(1, 20).as_bytes(), false, 60_100));
        assert_eq!((camera.faces_max, camera.latest.as_ref().map(|latest| latest.until_ms)), (3, Some(50_000)));
        let points = camera.history.timeline(0, 60, 100).points;
        assert_eq!(points.iter().map(|point| (point.at, point.faces)).collect::<Vec<_>>(), [(20, 1.0), (40, 3.0)]);
    }

    #[test]
    fn totals_go_on_after_the_clock_was_set_back() {
        let mut camera = camera();
        let summary = |faces: u64| {
            format!(
                r#"{{"type":"summary","utc":null,"duration":10000000000,"frames":10,"faces_mean":{faces},"faces_max":{faces},
                "faces_scored":0,"counts":{{}},"scores":null}}"#
            )
        };
        assert!(camera.take("summary", summary(3).as_bytes(), false, 9_000_000));
        assert!(camera.take("summary", summary(1).as_bytes(), false, 60_000));
        assert_eq!((camera.faces_max, camera.latest.as_ref().map(|latest| latest.until_ms)), (1, Some(60_000)));
    }

    #[test]
    fn faces_count_only_without_summaries() {
        let face = |frame: u64| {
            format!(r#"{{"frame":{frame},"utc":null,"duration":1000000000,"box":{{"x":0,"y":0,"w":1,"h":1}},"label":null,"scores":null}}"#)
        };
        let mut camera = camera();
        assert!(!camera.take("faces", face(1).as_bytes(), false, 2000));
        assert!(camera.take("faces", face(2).as_bytes(), false, 3000));
        assert_eq!(camera.latest.as_ref().map(|latest| latest.faces), Some(1.0));
        camera.summary_ms = Some(4000);
        assert!(!camera.take("faces", face(3).as_bytes(), false, 5000));
        assert!(!camera.take("dlstreamer", b"{}", false, 5000));
    }
}
