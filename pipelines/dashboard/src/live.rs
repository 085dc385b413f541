// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known of a source right now: who is to be seen, since when, and the room as a whole.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use gstemotion::export::{Aggregator, FrameReport, FrameTime};
use gstemotion::geometry::Size;
use gstemotion::record::{EmotionResult, FaceRecord};
use gstemotion::scores::LabelSet;
use serde::Serialize;

use crate::history::History;

/// Least time from one reading to the next.
const READING_INTERVAL: Duration = Duration::from_millis(100);
/// How long someone who is not seen is remembered.
const MEMORY: Duration = Duration::from_secs(5);
/// Over what time frames are counted.
const RATE_SPAN: Duration = Duration::from_secs(2);
const SECOND_NS: u64 = 1_000_000_000;

/// Milliseconds since 1970, of a clock that nobody sets back.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    started: Instant,
    unix: Duration,
}

impl Calendar {
    /// Takes the time of day once.
    pub fn new() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), unix }
    }

    /// That moment since 1970.
    pub fn at(&self, moment: Instant) -> Duration {
        self.unix + moment.saturating_duration_since(self.started)
    }
}

/// Who is to be seen and what was.
#[derive(Debug)]
pub struct Live {
    calendar: Calendar,
    persons: BTreeMap<u32, Person>,
    arrivals: VecDeque<Instant>,
    second: Aggregator,
    published: Option<Instant>,
    labels: Option<LabelSet>,
    frames: u64,
    /// The last day.
    pub history: History,
}

/// One track.
#[derive(Debug)]
struct Person {
    label: Option<String>,
    since: Instant,
    first_seen: Instant,
    last_seen: Instant,
}

/// What viewers are told, ten times a second at most.
#[derive(Debug, Serialize)]
struct Reading<'a> {
    /// When, in milliseconds since 1970.
    at: u64,
    /// Width and height of the frame in pixels.
    frame: [u32; 2],
    fps: f32,
    /// Age of the last picture that was sent, in milliseconds.
    latency: u64,
    labels: &'a [String],
    room: Room,
    /// Not told where only the room is to be seen.
    faces: Option<Vec<Face<'a>>>,
}

/// All faces of the frame together.
#[derive(Debug, Default, Serialize)]
struct Room {
    faces: usize,
    /// Mean score of each label; none if no face is scored.
    scores: Option<Vec<f32>>,
}

#[derive(Debug, Serialize)]
struct Face<'a> {
    id: u32,
    /// Left, top, width and height in 0..1 of the frame.
    #[serde(rename = "box")]
    rect: [f32; 4],
    label: Option<&'a str>,
    confidence: f32,
    scores: &'a [f32],
    /// Since when it has this label, in milliseconds since 1970.
    since: u64,
    /// Since when it is to be seen, likewise.
    here: u64,
}

/// A frame with what is known of it besides its faces.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was looked at.
    pub now: Instant,
    /// In pixels.
    pub size: Size,
    /// Age of the last picture.
    pub latency: Duration,
    /// Every face on it.
    pub faces: &'a [FaceRecord],
}

impl Live {
    /// Nothing was seen yet.
    pub fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            persons: BTreeMap::new(),
            arrivals: VecDeque::new(),
            second: Aggregator::new(SECOND_NS),
            published: None,
            labels: None,
            frames: 0,
            history: History::default(),
        }
    }

    /// Takes a frame in. Returns what to tell viewers as JSON, if it is time; with `aggregate_only` nothing of single faces.
    pub fn observe(&mut self, frame: &Frame<'_>, aggregate_only: bool) -> Option<String> {
        let now = frame.now;
        self.arrivals.push_back(now);
        while self.arrivals.front().is_some_and(|&arrival| now.saturating_duration_since(arrival) > RATE_SPAN) {
            self.arrivals.pop_front();
        }
        self.remember(now, frame.faces);
        self.sum_up(now, frame.faces);
        if self.published.is_some_and(|published| now.saturating_duration_since(published) < READING_INTERVAL) {
            return None;
        }
        self.published = Some(now);
        serde_json::to_string(&self.reading(frame, aggregate_only)).ok()
    }

    /// Another stream begins, whose ids start over.
    pub fn forget_persons(&mut self) {
        self.persons.clear();
        self.arrivals.clear();
    }

    fn remember(&mut self, now: Instant, faces: &[FaceRecord]) {
        for face in faces {
            let label = face.emotion.as_ref().map(EmotionResult::label);
            let person = self.persons.entry(face.id).or_insert_with(|| Person { label: None, since: now, first_seen: now, last_seen: now });
            person.last_seen = now;
            if person.label.as_deref() != label {
                person.label = label.map(str::to_owned);
                person.since = now;
            }
            if let Some(emotion) = &face.emotion {
                let known = self.labels.as_ref().is_some_and(|labels| labels.is_same(&emotion.labels));
                if !known {
                    self.labels = Some(emotion.labels.clone());
                }
            }
        }
        self.persons.retain(|_, person| now.saturating_duration_since(person.last_seen) < MEMORY);
    }

    fn sum_up(&mut self, now: Instant, faces: &[FaceRecord]) {
        let pts_ns = u64::try_from(self.calendar.at(now).as_nanos()).unwrap_or(u64::MAX);
        let time = FrameTime { pts_ns, ..FrameTime::default() };
        let report = FrameReport { stream: "", frame: self.frames, time, faces };
        self.frames += 1;
        if let Some(summary) = self.second.add(&report) {
            self.history.push(summary.time.pts_ns / SECOND_NS, &summary);
        }
    }

    /// Frames in a second, lately.
    fn fps(&self) -> f32 {
        match (self.arrivals.front(), self.arrivals.back()) {
            (Some(first), Some(last)) if last > first => (self.arrivals.len() - 1) as f32 / (*last - *first).as_secs_f32(),
            _ => 0.0,
        }
    }

    fn reading<'a>(&'a self, frame: &Frame<'a>, aggregate_only: bool) -> Reading<'a> {
        let ms = |moment| u64::try_from(self.calendar.at(moment).as_millis()).unwrap_or(u64::MAX);
        let face = |face: &'a FaceRecord| {
            let person = &self.persons[&face.id];
            Face {
                id: face.id,
                rect: [face.rect_norm.x, face.rect_norm.y, face.rect_norm.w, face.rect_norm.h],
                label: person.label.as_deref(),
                confidence: face.emotion.as_ref().map_or(0.0, EmotionResult::confidence),
                scores: face.emotion.as_ref().map_or(&[], |emotion| emotion.scores.as_slice()),
                since: ms(person.since),
                here: ms(person.first_seen),
            }
        };
        let faces = (!aggregate_only).then(|| {
            let mut faces: Vec<_> = frame.faces.iter().map(face).collect();
            faces.sort_unstable_by_key(|face| face.id);
            faces
        });
        Reading {
            at: ms(frame.now),
            frame: [frame.size.width, frame.size.height],
            fps: (self.fps() * 10.0).round() / 10.0,
            latency: u64::try_from(frame.latency.as_millis()).unwrap_or(u64::MAX),
            labels: self.labels.as_ref().map_or(&[], LabelSet::as_slice),
            room: room(frame.faces),
            faces,
        }
    }
}

fn room(faces: &[FaceRecord]) -> Room {
    let mut scores: Vec<f32> = Vec::new();
    let mut scored = 0.0;
    for emotion in faces.iter().filter_map(|face| face.emotion.as_ref()) {
        scored += 1.0;
        scores.resize(scores.len().max(emotion.scores.as_slice().len()), 0.0);
        scores.iter_mut().zip(emotion.scores.as_slice()).for_each(|(sum, score)| *sum += score);
    }
    scores.iter_mut().for_each(|sum| *sum /= scored);
    Room { faces: faces.len(), scores: (scored > 0.0).then_some(scores) }
}

#[cfg(test)]
mod tests {
    use gstemotion::geometry::Rect;
    use gstemotion::scores::Scores;

    use super::*;

    fn face(id: u32, scores: [f32; 2]) -> FaceRecord {
        let emotion = EmotionResult {
            labels: LabelSet::new(["calm", "joy"]),
            scores: Scores::from_probabilities(scores),
            label_id: Some(usize::from(scores[1] > scores[0])),
            smoothed: false,
            age: Duration::ZERO,
        };
        FaceRecord { id, rect_norm: Rect::new(0.25, 0.25, 0.5, 0.5), detection: None, emotion: Some(emotion) }
    }

    fn observe(live: &mut Live, start: Instant, at_ms: u64, faces: &[FaceRecord], aggregate_only: bool) -> Option<serde_json::Value> {
        let now = start + Duration::from_millis(at_ms);
        let frame = Frame { now, size: Size { width: 640, height: 480 }, latency: Duration::from_millis(20), faces };
        live.observe(&frame, aggregate_only).map(|json| serde_json::from_str(&json).unwrap())
    }

    fn live() -> (Live, Instant) {
        let start = Instant::now();
        (Live::new(Calendar { started: start, unix: Duration::from_secs(1000) }), start)
    }

    #[test]
    fn readings_say_who_is_there_and_since_when() {
        let (mut live, start) = live();
        observe(&mut live, start, 0, &[face(7, [0.75, 0.25])], false).unwrap();
        let reading = observe(&mut live, start, 500, &[face(9, [0.5, 0.5]), face(7, [0.25, 0.75])], false).unwrap();
        let faces = reading["faces"].as_array().unwrap();
        assert_eq!((faces[0]["id"].as_u64(), faces[0]["label"].as_str()), (Some(7), Some("joy")), "in the order of ids");
        assert_eq!((faces[0]["since"].as_u64(), faces[0]["here"].as_u64()), (Some(1_000_500), Some(1_000_000)));
        assert_eq!(reading["room"], serde_json::json!({"faces": 2, "scores": [0.375, 0.625]}));
        assert_eq!((reading["fps"].as_f64(), reading["latency"].as_u64()), (Some(2.0), Some(20)));
        assert_eq!(reading["labels"], serde_json::json!(["calm", "joy"]));
    }

    #[test]
    fn readings_come_ten_times_a_second_at_most() {
        let (mut live, start) = live();
        let readings = (0..100).filter(|frame| observe(&mut live, start, frame * 10, &[], false).is_some()).count();
        assert_eq!(readings, 10);
    }

    #[test]
    fn the_room_alone_names_nobody() {
        let (mut live, start) = live();
        let reading = observe(&mut live, start, 0, &[face(1, [0.0, 1.0])], true).unwrap();
        assert_eq!(reading["faces"], serde_json::Value::Null);
        assert_eq!(reading["room"]["faces"], 1);
    }

    #[test]
    fn those_who_left_are_forgotten_and_seconds_are_kept() {
        let (mut live, start) = live();
        for frame in 0..200 {
            observe(&mut live, start, frame * 100, &[face(frame as u32 + 1, [1.0, 0.0])], false);
        }
        assert!(live.persons.len() <= 51, "{} in memory", live.persons.len());
        let timeline = live.history.timeline(1000, 1100, 1000);
        assert_eq!(timeline.points.len(), 19, "the twentieth second is still open");
        assert_eq!(timeline.points[0].at, 1000);
        assert_eq!(timeline.points[0].scores.as_deref(), Some(&[1.0, 0.0][..]));
    }
}
