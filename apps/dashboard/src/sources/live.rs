// SPDX-License-Identifier: MIT OR Apache-2.0
//! The current state of a source: which faces are visible, since when, and the totals over all of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use emotion_core::behaviour::{ActivitySums, Aggregator, FaceActivity, FaceSigns, FrameReport, FrameTime, Observation};
use emotion_core::expression::baseline::Baseline;
use emotion_core::geometry::Size;
use emotion_core::record::{EmotionResult, FaceRecord};
use emotion_core::scores::LabelSet;
use serde::Serialize;

use crate::calendar::Calendar;
use crate::history::History;
use crate::sample::Sample;

/// Minimum time between two readings.
const READING_INTERVAL: Duration = Duration::from_millis(100);
/// How long a lost face is remembered.
const LOST_FACE_TIMEOUT: Duration = Duration::from_secs(5);
/// The time over which the frame rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(2);
const SECOND_NS: u64 = 1_000_000_000;

/// The visible faces and the history of a source.
#[derive(Debug)]
pub struct Live {
    calendar: Calendar,
    tracks: BTreeMap<u32, Track>,
    arrivals: VecDeque<Instant>,
    second: Aggregator,
    published: Option<Instant>,
    labels: Option<LabelSet>,
    frames: u64,
    /// Totals of the last day.
    pub history: History,
    /// Totals of the last complete second.
    pub latest: Option<Sample>,
}

/// A tracked face.
#[derive(Debug)]
struct Track {
    label: Option<String>,
    since: Instant,
    first_seen: Instant,
    last_seen: Instant,
    activity: FaceActivity,
    /// What the newest frame shows, and the sums since the face is there.
    observation: Observation,
    sums: ActivitySums,
}

impl Track {
    fn new(now: Instant) -> Self {
        Self {
            label: None,
            since: now,
            first_seen: now,
            last_seen: now,
            activity: FaceActivity::default(),
            observation: Observation::default(),
            sums: ActivitySums::default(),
        }
    }
}

/// The message to viewers, at most ten per second.
#[derive(Debug, Serialize)]
struct Reading<'a> {
    /// Time of the frame, in milliseconds since 1970.
    at: u64,
    /// Width and height of the frame in pixels.
    frame: [u32; 2],
    fps: f32,
    /// Age of the last picture that was sent, in milliseconds.
    latency: u64,
    labels: &'a [String],
    room: Room,
    /// None if individual faces are hidden.
    faces: Option<Vec<LiveFace<'a>>>,
}

/// Totals over all faces in the frame.
#[derive(Debug, Default, Serialize)]
struct Room {
    faces: usize,
    /// Mean score of each label; `None` if no face was classified.
    scores: Option<Vec<f32>>,
    /// Number of faces whose pose is known, and of those that face the camera; `None` without one.
    facing: Option<[usize; 2]>,
}

#[derive(Debug, Serialize)]
struct LiveFace<'a> {
    id: u32,
    /// Left, top, width and height in 0..1 of the frame.
    #[serde(rename = "box")]
    rect: [f32; 4],
    label: Option<&'a str>,
    confidence: f32,
    scores: &'a [f32],
    /// How sure the face's own baseline is, 0..1; `None` if scores are relative to all people.
    baseline: Option<f32>,
    /// Since when the face has this label, in milliseconds since 1970.
    since: u64,
    /// Since when the face is visible, likewise.
    here: u64,
    /// The pose of its head; `None` if nobody estimates it, or it is not reliable.
    head: Option<Head>,
}

/// Where a head is turned, and how often the face has blinked.
#[derive(Debug, Serialize)]
struct Head {
    /// Yaw, pitch and roll in degrees.
    pose: [f32; 3],
    /// How far the eyes are closed, 0..1; `None` if that is not reliable.
    lids: Option<f32>,
    /// True if the face faces the camera.
    facing: bool,
    /// The share of the time for which it has, since it is there.
    share: f64,
    /// Blinks a minute since it is there; `None` if frames are too far apart.
    blinks: Option<f64>,
}

/// A frame and its faces.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When the frame was read.
    pub now: Instant,
    /// Its timestamp in nanoseconds. Frames arrive less evenly than they were taken.
    pub pts_ns: Option<u64>,
    /// In pixels.
    pub size: Size,
    /// Age of the last picture.
    pub latency: Duration,
    /// All faces in the frame.
    pub faces: &'a [FaceRecord],
}

impl Live {
    /// A state without frames.
    pub fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            tracks: BTreeMap::new(),
            arrivals: VecDeque::new(),
            second: Aggregator::new(SECOND_NS),
            published: None,
            labels: None,
            frames: 0,
            history: History::new(1),
            latest: None,
        }
    }

    /// Adds a frame. Returns the reading for viewers as JSON, if one is due; with `aggregate_only` without individual faces.
    pub fn observe(&mut self, frame: &Frame<'_>, aggregate_only: bool) -> Option<String> {
        let now = frame.now;
        self.arrivals.push_back(now);
        while self.arrivals.front().is_some_and(|&arrival| now.saturating_duration_since(arrival) > RATE_WINDOW) {
            self.arrivals.pop_front();
        }
        self.note_labels(frame.faces);
        if aggregate_only {
            // What is hidden is not remembered either, such as since when a face is there.
            self.tracks.clear();
        } else {
            self.update_tracks(frame);
        }
        self.aggregate(now, frame.faces);
        if self.published.is_some_and(|published| now.saturating_duration_since(published) < READING_INTERVAL) {
            return None;
        }
        self.published = Some(now);
        serde_json::to_string(&self.reading(frame, aggregate_only)).ok()
    }

    /// Forgets all tracks, because the ids of a new run start again.
    pub fn forget_tracks(&mut self) {
        self.tracks.clear();
        self.arrivals.clear();
    }

    fn note_labels(&mut self, faces: &[FaceRecord]) {
        for emotion in faces.iter().filter_map(|face| face.emotion.as_ref()).filter(|emotion| emotion.is_scored()) {
            let known = self.labels.as_ref().is_some_and(|labels| labels.is_same(&emotion.labels));
            if !known {
                self.labels = Some(emotion.labels.clone());
            }
        }
    }

    fn update_tracks(&mut self, frame: &Frame<'_>) {
        let now = frame.now;
        let time_ns = frame.pts_ns.unwrap_or_else(|| self.calendar.ms(now).saturating_mul(1_000_000));
        for face in frame.faces {
            let label = face.expression().map(EmotionResult::label);
            let track = self.tracks.entry(face.id).or_insert_with(|| Track::new(now));
            track.last_seen = now;
            let signs = face.geometry.as_deref().map(FaceSigns::from);
            track.observation = track.activity.see(signs.as_ref(), time_ns);
            track.sums.add(&track.observation, u64::from(track.observation.blink_ns.is_some()));
            if track.label.as_deref() != label {
                track.label = label.map(str::to_owned);
                track.since = now;
            }
        }
        self.tracks.retain(|_, track| now.saturating_duration_since(track.last_seen) < LOST_FACE_TIMEOUT);
    }

    fn aggregate(&mut self, now: Instant, faces: &[FaceRecord]) {
        let pts_ns = self.calendar.ms(now).saturating_mul(1_000_000);
        let time = FrameTime { pts_ns, ..FrameTime::default() };
        let report = FrameReport { stream: "", frame: self.frames, time, size: Size::default(), faces, misplaced: false };
        self.frames += 1;
        if let Some(summary) = self.second.add(&report) {
            let second = summary.time.pts_ns / SECOND_NS;
            self.history.push(second, 1, &summary);
            self.latest = Some(Sample::of(&summary, second * 1000, (second + 1) * 1000));
        }
    }

    /// Totals over the faces of a frame. Without tracks, a face faces the camera by this frame alone.
    fn room(&self, faces: &[FaceRecord], aggregate_only: bool) -> Room {
        let alone = |face: &FaceRecord| FaceActivity::default().see(face.geometry.as_deref().map(FaceSigns::from).as_ref(), 0);
        let observed = |face: &FaceRecord| if aggregate_only { alone(face) } else { self.tracks[&face.id].observation };
        let mut sums = ActivitySums::default();
        faces.iter().for_each(|face| sums.add(&observed(face), 0));
        let facing = (sums.posed > 0).then_some([sums.posed as usize, sums.facing as usize]);
        Room { faces: faces.len(), scores: scores(faces), facing }
    }

    /// Frames per second over [`RATE_WINDOW`].
    fn fps(&self) -> f32 {
        match (self.arrivals.front(), self.arrivals.back()) {
            (Some(first), Some(last)) if last > first => (self.arrivals.len() - 1) as f32 / (*last - *first).as_secs_f32(),
            _ => 0.0,
        }
    }

    fn reading<'a>(&'a self, frame: &Frame<'a>, aggregate_only: bool) -> Reading<'a> {
        let ms = |moment| self.calendar.ms(moment);
        let face = |face: &'a FaceRecord| {
            let track = &self.tracks[&face.id];
            LiveFace {
                id: face.id,
                rect: [face.rect_norm.x, face.rect_norm.y, face.rect_norm.w, face.rect_norm.h],
                label: track.label.as_deref(),
                confidence: face.expression().map_or(0.0, EmotionResult::confidence),
                scores: face.expression().filter(|emotion| emotion.is_scored()).map_or(&[], |emotion| emotion.scores.as_slice()),
                baseline: face.expression().and_then(|emotion| emotion.scores.baseline()).map(Baseline::certainty),
                since: ms(track.since),
                here: ms(track.first_seen),
                head: head(face, track),
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
            room: self.room(frame.faces, aggregate_only),
            faces,
        }
    }
}

/// What is known about the head of a face, of which `track` has the newest frame.
fn head(face: &FaceRecord, track: &Track) -> Option<Head> {
    let signs = FaceSigns::from(face.geometry.as_deref()?);
    let rounded = |value: f32| (value * 10.0).round() / 10.0;
    Some(Head {
        pose: signs.reliable_pose()?.to_array().map(rounded),
        lids: signs.reliable_lids().map(|lids| (lids * 100.0).round() / 100.0),
        facing: track.observation.is_facing?,
        share: track.sums.facing_share()?,
        blinks: track.sums.blinks_per_minute(),
    })
}

fn scores(faces: &[FaceRecord]) -> Option<Vec<f32>> {
    let mut scores: Vec<f32> = Vec::new();
    let mut scored = 0.0;
    for emotion in faces.iter().filter_map(|face| face.emotion.as_ref()).filter(|emotion| emotion.is_scored()) {
        scored += 1.0;
        scores.resize(scores.len().max(emotion.scores.as_slice().len()), 0.0);
        scores.iter_mut().zip(emotion.scores.as_slice()).for_each(|(sum, score)| *sum += score);
    }
    scores.iter_mut().for_each(|sum| *sum /= scored);
    (scored > 0.0).then_some(scores)
}

#[cfg(test)]
mod tests {
    use emotion_core::face_geometry::{Blendshapes, FaceGeometry, HeadPose, Landmarks70, blendshapes};
    use emotion_core::geometry::{Point, Rect};
    use emotion_core::scores::Scores;

    use super::*;

    fn face(id: u32, scores: [f32; 2]) -> FaceRecord {
        let emotion = EmotionResult {
            labels: LabelSet::new(["calm", "joy"]),
            scores: Scores::from_probabilities(scores),
            label_id: Some(usize::from(scores[1] > scores[0])),
            reason: None,
            smoothed: false,
            age: Duration::ZERO,
        };
        FaceRecord {
            id,
            rect_norm: Rect::new(0.25, 0.25, 0.5, 0.5),
            detection: None,
            emotion: Some(emotion),
            geometry: None,
            confirmed: true,
        }
    }

    fn observe(live: &mut Live, start: Instant, at_ms: u64, faces: &[FaceRecord], aggregate_only: bool) -> Option<serde_json::Value> {
        let now = start + Duration::from_millis(at_ms);
        let frame = Frame {
            now,
            pts_ns: Some(at_ms * 1_000_000),
            size: Size { width: 640, height: 480 },
            latency: Duration::from_millis(20),
            faces,
        };
        live.observe(&frame, aggregate_only).map(|json| serde_json::from_str(&json).unwrap())
    }

    fn live() -> (Live, Instant) {
        let start = Instant::now();
        (Live::new(Calendar::fixed(start, Duration::from_secs(1000))), start)
    }

    #[test]
    fn readings_list_visible_faces_with_times() {
        let (mut live, start) = live();
        observe(&mut live, start, 0, &[face(7, [0.75, 0.25])], false).unwrap();
        let reading = observe(&mut live, start, 500, &[face(9, [0.5, 0.5]), face(7, [0.25, 0.75])], false).unwrap();
        let faces = reading["faces"].as_array().unwrap();
        assert_eq!((faces[0]["id"].as_u64(), faces[0]["label"].as_str()), (Some(7), Some("joy")), "sorted by id");
        assert_eq!((faces[0]["since"].as_u64(), faces[0]["here"].as_u64()), (Some(1_000_500), Some(1_000_000)));
        assert_eq!(reading["room"], serde_json::json!({"faces": 2, "scores": [0.375, 0.625], "facing": null}));
        assert_eq!((reading["fps"].as_f64(), reading["latency"].as_u64()), (Some(2.0), Some(20)));
        assert_eq!(reading["labels"], serde_json::json!(["calm", "joy"]));
    }

    #[test]
    fn readings_have_the_heads_of_faces_with_a_geometry() {
        let (mut live, start) = live();
        let turned = |yaw: f32, closed: bool| {
            let mut geometry = FaceGeometry {
                pose: HeadPose { yaw, pitch: -4.0, roll: 2.04 },
                landmarks_norm: Landmarks70([Point::default(); 70]),
                blendshapes: Blendshapes::default(),
                trust: 0.9,
                age: Duration::ZERO,
                model_name: "test".into(),
            };
            ["eyeBlinkLeft", "eyeBlinkRight"]
                .iter()
                .for_each(|name| geometry.blendshapes.0[blendshapes::index(name).unwrap()] = f32::from(u8::from(closed)));
            FaceRecord { geometry: Some(geometry.into()), ..face(3, [0.75, 0.25]) }
        };
        let frames = [(0, 5.0, false), (40, 5.0, true), (80, 5.0, false), (120, -40.0, false)];
        let readings: Vec<_> = frames
            .iter()
            .filter_map(|(ms, yaw, closed)| observe(&mut live, start, *ms, &[turned(*yaw, *closed), face(4, [0.5, 0.5])], false))
            .collect();
        let (first, last) = (&readings[0], &readings[1]);
        assert_eq!(
            first["faces"][0]["head"],
            serde_json::json!({"pose": [5.0, -4.0, 2.0], "lids": 0.0, "facing": true, "share": 1.0, "blinks": null})
        );
        assert!(last["faces"][0]["head"]["facing"] == false && last["faces"][0]["head"]["share"] == 0.75, "{last}");
        assert_eq!(last["faces"][0]["head"]["blinks"], 500.0, "one in 120 ms");
        assert_eq!((&last["room"]["facing"], &last["faces"][1]["head"]), (&serde_json::json!([1, 0]), &serde_json::Value::Null));
        let totals = observe(&mut live, start, 300, &[turned(5.0, false)], true).unwrap();
        assert_eq!(totals["room"]["facing"], serde_json::json!([1, 1]), "without tracks");
    }

    #[test]
    fn there_are_at_most_ten_readings_per_second() {
        let (mut live, start) = live();
        let readings = (0..100).filter(|frame| observe(&mut live, start, frame * 10, &[], false).is_some()).count();
        assert_eq!(readings, 10);
    }

    #[test]
    fn totals_have_no_individual_faces() {
        let (mut live, start) = live();
        let reading = observe(&mut live, start, 0, &[face(1, [0.0, 1.0])], true).unwrap();
        assert_eq!(reading["faces"], serde_json::Value::Null);
        assert_eq!(reading["room"]["faces"], 1);
        let reading = observe(&mut live, start, 500, &[face(1, [0.0, 1.0])], false).unwrap();
        assert_eq!(reading["faces"][0]["here"], 1_000_500, "a face that was hidden is new");
    }

    #[test]
    fn lost_faces_are_forgotten_and_seconds_are_kept() {
        let (mut live, start) = live();
        for frame in 0..200 {
            observe(&mut live, start, frame * 100, &[face(frame as u32 + 1, [1.0, 0.0])], false);
        }
        assert!(live.tracks.len() <= 51, "{} in memory", live.tracks.len());
        let timeline = live.history.timeline(1000, 1100, 1000);
        assert_eq!(timeline.points.len(), 19, "the twentieth second is not complete");
        assert_eq!(timeline.points[0].at, 1000);
        assert_eq!(timeline.points[0].scores.as_deref(), Some(&[1.0, 0.0][..]));
    }
}
