// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records as columns of numbers, which the page's script draws. They are smaller than objects and faster to read.

use emotion_records::UnknownReason;
use serde::Serialize;

use crate::activity::{self, Activity};
use crate::faces::{Faces, median, most_at_once};
use crate::pictures::Picture;
use crate::records::{Content, Records, Seen, Totals};

/// Scores are stored as whole numbers of this unit, the precision of `emotionexport`. `SCORE_UNIT` of the page's script is the
/// same.
const SCORES_PER_UNIT: f32 = 10_000.0;
/// The score of a row without scores.
const NO_SCORE: i32 = -1;
/// The label of a face that was not scored, as the page's script spells it.
const UNSCORED: &str = "not scored";

/// All that the script draws.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Data<'a> {
    pub(crate) faces: Option<FaceColumns<'a>>,
    pub(crate) summaries: Option<SummaryColumns<'a>>,
    /// The address of the video to play.
    pub(crate) player: Option<&'a str>,
}

/// The range of time that the charts show, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Axis {
    start: u64,
    end: u64,
}

impl Axis {
    /// From the first to the last record. It starts at 0 unless the records start in the second half.
    pub(crate) fn new(first_ns: u64, last_ns: u64) -> Self {
        Self { start: if first_ns < last_ns.div_ceil(2) { 0 } else { first_ns }, end: last_ns }
    }

    /// With the whole video.
    pub(crate) fn with_video(self, length_ns: u64) -> Self {
        Self { end: self.end.max(length_ns), ..self }
    }
}

/// One face: its rows follow the rows of the face before.
#[derive(Debug, Serialize)]
struct FaceRows {
    stream: u32,
    id: Option<u64>,
    rows: usize,
    /// Time in which a blink would have been seen, and the number of blinks, if a face of the page has a geometry.
    #[serde(skip_serializing_if = "Option::is_none")]
    watched: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blinks: Option<u64>,
}

/// Faces, one row for each record. Times are in nanoseconds.
#[derive(Debug, Serialize)]
pub(crate) struct FaceColumns<'a> {
    pub(crate) axis: Axis,
    step: u64,
    with_faces: u64,
    at_once: usize,
    streams: &'a [String],
    classes: &'a [String],
    labels: Vec<&'a str>,
    faces: Vec<FaceRows>,
    start: Vec<u64>,
    hold: Vec<u64>,
    /// Indices of `labels`.
    label: Vec<u32>,
    /// 0 for no reason, 1 for `uncertain`, 2 for `small`, 3 for `turned`; empty if no row has a reason.
    reason: Vec<u8>,
    /// 0 if the pose is not known, 1 if the face faces the camera, 2 if it is turned away; empty if no face has a geometry.
    facing: Vec<u8>,
    /// A column for each of `classes`.
    scores: Vec<Vec<i32>>,
    pub(crate) pictures: Vec<Picture>,
}

impl<'a> FaceColumns<'a> {
    /// The columns of `faces`, which are the faces of `records`.
    pub(crate) fn new(records: &'a Records, faces: &Faces<'_>) -> Self {
        let mut labels = Labels::new(records);
        let rows = || faces.tracks.iter().flat_map(|track| &track.shown);
        let (first_ns, last_ns) = faces.range_ns();
        let activities: Vec<Activity> =
            if records.has_geometry { faces.tracks.iter().map(activity::of_track).collect() } else { Vec::new() };
        let has_reasons = rows().any(|row| row.seen.reason.is_some());
        Self {
            axis: Axis::new(first_ns, last_ns),
            step: faces.step_ns,
            with_faces: faces.with_faces_ns(),
            at_once: most_at_once(records),
            streams: &records.streams.all,
            classes: &records.classes.all,
            label: rows().map(|row| labels.index(row.seen.label)).collect(),
            labels: labels.all,
            faces: face_rows(faces, &activities),
            start: rows().map(|row| row.times.pts_ns).collect(),
            hold: rows().map(|row| row.hold_ns).collect(),
            reason: if has_reasons { rows().map(|row| reason(row.seen)).collect() } else { Vec::new() },
            facing: activities.into_iter().flat_map(|activity| activity.facing).collect(),
            scores: (0..records.classes.all.len()).map(|class| rows().map(|row| score(row.seen, class)).collect()).collect(),
            pictures: Vec::new(),
        }
    }
}

/// The rows of each face; there are activities of all of them or of none.
fn face_rows(faces: &Faces<'_>, activities: &[Activity]) -> Vec<FaceRows> {
    let rows = faces.tracks.iter().enumerate().map(|(index, track)| {
        let sums = activities.get(index).map(|activity| activity.sums);
        FaceRows {
            stream: track.stream,
            id: track.id,
            rows: track.shown.len(),
            watched: sums.map(|sums| sums.eyes_ns),
            blinks: sums.map(|sums| sums.blinks),
        }
    });
    rows.collect()
}

fn reason(seen: &Seen) -> u8 {
    match seen.reason {
        None | Some(UnknownReason::Pending) => 0,
        Some(UnknownReason::Uncertain) => 1,
        Some(UnknownReason::Small) => 2,
        Some(UnknownReason::Turned) => 3,
    }
}

/// The score of class number `class`. A class that another model has is 0.
fn score(seen: &Seen, class: usize) -> i32 {
    if seen.scores.is_empty() {
        return NO_SCORE;
    }
    let is_class = |(other, _): &&(u32, f32)| *other as usize == class;
    // Most often, the scores are in the order of the classes.
    let found = seen.scores.get(class).filter(is_class).or_else(|| seen.scores.iter().find(is_class));
    found.map_or(0, |(_, score)| (score * SCORES_PER_UNIT).round() as i32)
}

/// The labels of a page, the classes first.
struct Labels<'a> {
    all: Vec<&'a str>,
    /// For each label of the records its index in `all`.
    indices: Vec<u32>,
    unscored: Option<u32>,
}

impl<'a> Labels<'a> {
    fn new(records: &'a Records) -> Self {
        let mut all: Vec<&str> = records.classes.all.iter().map(String::as_str).collect();
        let indices = records.labels.all.iter().map(|label| index_of(&mut all, label)).collect();
        Self { all, indices, unscored: None }
    }

    fn index(&mut self, label: Option<u32>) -> u32 {
        match label {
            Some(label) => self.indices[label as usize],
            None => *self.unscored.get_or_insert_with(|| index_of(&mut self.all, UNSCORED)),
        }
    }
}

fn index_of<'a>(all: &mut Vec<&'a str>, name: &'a str) -> u32 {
    let index = all.iter().position(|other| *other == name).unwrap_or_else(|| {
        all.push(name);
        all.len() - 1
    });
    index as u32
}

/// Totals, one row for each interval. Times are in nanoseconds.
#[derive(Debug, Serialize)]
pub(crate) struct SummaryColumns<'a> {
    axis: Axis,
    step: u64,
    labels: Vec<&'a str>,
    start: Vec<u64>,
    hold: Vec<u64>,
    frames: Vec<u64>,
    faces_max: Vec<u64>,
    /// A column for each of `labels`.
    counts: Vec<Vec<u64>>,
}

impl<'a> SummaryColumns<'a> {
    /// The columns of `records`, which must have one.
    pub(crate) fn new(records: &'a Records) -> Self {
        let rows =
            || records.all.iter().filter_map(|record| if let Content::Totals(totals) = &record.content { Some(totals) } else { None });
        let times = || records.all.iter().map(|record| record.times);
        let mut labels: Vec<&str> = records.labels.all.iter().map(String::as_str).collect();
        let mut counts: Vec<Vec<u64>> = (0..labels.len()).map(|label| rows().map(|totals| count(totals, label)).collect()).collect();
        labels.push(UNSCORED);
        counts.push(rows().map(|totals| totals.unscored).collect());
        let first_ns = times().map(|times| times.pts_ns).min().unwrap_or_default();
        let last_ns = times().map(|times| times.end_ns()).max().unwrap_or_default();
        Self {
            axis: Axis::new(first_ns, last_ns),
            step: median(times().map(|times| times.duration_ns)).unwrap_or_default(),
            labels,
            start: times().map(|times| times.pts_ns).collect(),
            hold: times().map(|times| times.duration_ns).collect(),
            frames: rows().map(|totals| totals.frames).collect(),
            faces_max: rows().map(|totals| totals.faces_max).collect(),
            counts,
        }
    }
}

fn count(totals: &Totals, label: usize) -> u64 {
    totals.counts.iter().filter(|(other, _)| *other as usize == label).map(|(_, count)| count).sum()
}
