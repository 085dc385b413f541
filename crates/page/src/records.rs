// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records of an export, as far as a page needs them.

use std::collections::{BTreeSet, HashMap};

use gstemotion::export::FaceSigns;

/// A time that is this much earlier than the one before belongs to another pass.
const RESTART_NS: u64 = 500_000_000;

/// When something was seen: the times of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Position in the video.
    pub start_ns: u64,
    /// Duration of the frame or of the interval.
    pub duration_ns: u64,
}

/// A face on a frame.
#[derive(Clone, Debug, Default)]
pub struct Face<'a> {
    /// Number of frames before the one with this face.
    pub frame: u64,
    /// Track id; none if faces are not tracked.
    pub id: Option<u64>,
    /// Left, top, width and height in 0..1 of the frame.
    pub rect_norm: [f64; 4],
    /// Apparent expression or `unknown`; none if the face was not scored.
    pub label: Option<&'a str>,
    /// Why the label is `unknown`: `uncertain`, `small`, `turned` or `pending`.
    pub reason: Option<&'a str>,
    /// Score of the label, 0..1.
    pub score: Option<f32>,
    /// Score of each class, 0..1; empty if the face was not scored.
    pub scores: Vec<(&'a str, f32)>,
    /// Name of the model that found the face.
    pub detector: Option<&'a str>,
    /// True if the scores are averaged over time.
    pub smoothed: bool,
    /// What facing the camera and blinking depend on; none if the face has no geometry.
    pub signs: Option<FaceSigns>,
}

/// The totals of an interval.
#[derive(Clone, Debug, Default)]
pub struct Summary<'a> {
    /// Number of frames.
    pub frames: u64,
    /// Mean number of faces on a frame.
    pub faces_mean: f64,
    /// Maximum number of faces on a frame.
    pub faces_max: u64,
    /// Number of scored faces over all frames.
    pub faces_scored: u64,
    /// Number of scored faces over all frames with each label.
    pub counts: Vec<(&'a str, u64)>,
}

/// Why nothing is said about an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Uncertain,
    Small,
    Turned,
}

/// Text that occurs in many records, as the index of its first occurrence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) all: Vec<String>,
    indices: HashMap<String, u32>,
}

impl Names {
    pub(crate) fn index(&mut self, name: &str) -> u32 {
        if let Some(index) = self.indices.get(name) {
            return *index;
        }
        let index = u32::try_from(self.all.len()).expect("an export has fewer names than 2^32");
        self.all.push(name.to_owned());
        self.indices.insert(name.to_owned(), index);
        index
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) stream: u32,
    pub(crate) times: Times,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Face(Seen),
    /// The last face has gone.
    Gone,
    Totals(Totals),
}

/// A face with the indices of its names.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) frame: u64,
    pub(crate) id: Option<u64>,
    pub(crate) rect_norm: [f32; 4],
    /// None if the face was not scored, or waits for its first classification.
    pub(crate) label: Option<u32>,
    pub(crate) reason: Option<Reason>,
    pub(crate) score: Option<f32>,
    pub(crate) scores: Vec<(u32, f32)>,
    pub(crate) signs: Option<FaceSigns>,
}

#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(crate) frames: u64,
    pub(crate) faces_max: u64,
    pub(crate) unscored: u64,
    pub(crate) counts: Vec<(u32, u64)>,
}

/// The records of an export, in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub(crate) all: Vec<Record>,
    pub(crate) streams: Names,
    pub(crate) labels: Names,
    /// The classes that have scores.
    pub(crate) classes: Names,
    pub(crate) detectors: BTreeSet<String>,
    pub(crate) is_smoothed: bool,
    pub(crate) has_geometry: bool,
    pub(crate) first_utc: Option<String>,
    pub(crate) notes: Vec<String>,
}

impl Records {
    /// Adds a face.
    pub fn push_face(&mut self, stream: &str, times: Times, face: &Face<'_>) {
        let is_pending = face.reason == Some("pending");
        let seen = Seen {
            frame: face.frame,
            id: face.id,
            rect_norm: face.rect_norm.map(|side| side as f32),
            label: face.label.filter(|_| !is_pending).map(|label| self.labels.index(label)),
            reason: match face.reason {
                Some("uncertain") => Some(Reason::Uncertain),
                Some("small") => Some(Reason::Small),
                Some("turned") => Some(Reason::Turned),
                _ => None,
            },
            score: face.score,
            scores: face.scores.iter().map(|(class, score)| (self.classes.index(class), *score)).collect(),
            signs: face.signs,
        };
        self.has_geometry |= face.signs.is_some();
        self.is_smoothed |= face.smoothed;
        if let Some(detector) = face.detector.filter(|name| !name.is_empty() && !self.detectors.contains(*name)) {
            self.detectors.insert(detector.to_owned());
        }
        self.push(stream, times, Content::Face(seen));
    }

    /// Adds that the last face of a stream has gone, in an export of changes only.
    pub fn push_gone(&mut self, stream: &str, times: Times) {
        self.push(stream, times, Content::Gone);
    }

    /// Adds the totals of an interval.
    pub fn push_summary(&mut self, stream: &str, times: Times, summary: &Summary<'_>) {
        let faces = (summary.faces_mean * summary.frames as f64).round() as u64;
        let totals = Totals {
            frames: summary.frames,
            faces_max: summary.faces_max,
            unscored: faces.saturating_sub(summary.faces_scored),
            counts: summary.counts.iter().map(|(label, count)| (self.labels.index(label), *count)).collect(),
        };
        self.push(stream, times, Content::Totals(totals));
    }

    /// Adds the capture time of a record. The page shows the first one.
    pub(crate) fn note_utc(&mut self, utc: &str) {
        self.first_utc.get_or_insert_with(|| utc.to_owned());
    }

    /// The label `unknown`, if a record has it.
    pub(crate) fn unknown(&self) -> Option<u32> {
        self.labels.all.iter().position(|label| label == "unknown").map(|index| index as u32)
    }

    fn push(&mut self, stream: &str, times: Times, content: Content) {
        let stream = self.streams.index(stream);
        self.all.push(Record { stream, times, content });
    }

    /// Continues the times where they start over, as in a video that is played in a loop.
    pub(crate) fn unroll(&mut self) {
        let mut streams = vec![Pass::default(); self.streams.all.len()];
        let mut passes = 0;
        for record in &mut self.all {
            passes += usize::from(streams[record.stream as usize].take(&mut record.times));
        }
        if passes > 0 {
            let times = if passes == 1 { "once".to_owned() } else { format!("{passes} times") };
            self.notes.push(format!("The times of the records start over {times}, as in a loop. On this page they go on."));
        }
    }
}

/// The present pass of a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    offset_ns: u64,
    last_ns: u64,
    end_ns: u64,
}

impl Pass {
    /// Shifts `times` by the length of the passes before. Returns true if they start another pass.
    fn take(&mut self, times: &mut Times) -> bool {
        let is_restart = times.start_ns + RESTART_NS < self.last_ns;
        if is_restart {
            self.offset_ns = self.end_ns;
        }
        self.last_ns = times.start_ns;
        times.start_ns += self.offset_ns;
        self.end_ns = self.end_ns.max(times.start_ns + times.duration_ns);
        is_restart
    }
}
