// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records of an export, as far as a page needs them.

use std::collections::{BTreeSet, HashMap};

use emotion_core::behaviour::{FaceSigns, Span};
use emotion_records::{ByLabel, FaceLine, FrameLine, SummaryLine, Times, UnknownReason, Utc};

/// A time that is this much earlier than the one before belongs to another pass.
const RESTART_NS: u64 = 500_000_000;

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
    /// When it was seen: the position in the video, and the duration of the frame or of the interval.
    pub(crate) times: Span,
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
    /// Why the label is `unknown`, unless it waits.
    pub(crate) reason: Option<UnknownReason>,
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
    pub(crate) first_utc: Option<Utc>,
    pub(crate) notes: Vec<String>,
}

impl Records {
    /// Adds a face.
    pub fn push_face(&mut self, line: &FaceLine<'_>) {
        let is_pending = line.reason == Some(UnknownReason::Pending);
        let signs = line.geometry.as_ref().and_then(FaceSigns::of_record);
        let face = Seen {
            frame: line.frame,
            id: line.id,
            rect_norm: [line.r#box.x, line.r#box.y, line.r#box.w, line.r#box.h].map(|side| side as f32),
            label: line.label.as_ref().filter(|_| !is_pending).map(|label| self.labels.index(label)),
            reason: line.reason.filter(|_| !is_pending),
            score: line.score.map(|score| score as f32),
            scores: line.scores.iter().flat_map(ByLabel::iter).map(|(class, score)| (self.classes.index(class), score as f32)).collect(),
            signs,
        };
        self.has_geometry |= signs.is_some();
        self.is_smoothed |= line.smoothed == Some(true);
        if let Some(detector) = line.detector.as_deref().filter(|name| !name.is_empty() && !self.detectors.contains(*name)) {
            self.detectors.insert(detector.to_owned());
        }
        self.push(&line.stream, &line.times, Content::Face(face));
    }

    /// Adds that the last face of a stream has gone, in an export of changes only.
    pub(crate) fn push_gone(&mut self, line: &FrameLine<'_>) {
        self.push(&line.stream, &line.times, Content::Gone);
    }

    /// Adds the totals of an interval.
    pub(crate) fn push_summary(&mut self, line: &SummaryLine<'_>) {
        let faces = (line.faces_mean * line.frames as f64).round() as u64;
        let totals = Totals {
            frames: line.frames,
            faces_max: line.faces_max,
            unscored: faces.saturating_sub(line.faces_scored),
            counts: line.counts.iter().map(|(label, count)| (self.labels.index(label), count)).collect(),
        };
        self.push(&line.stream, &line.times, Content::Totals(totals));
    }

    /// The records of faces.
    pub(crate) fn faces(&self) -> impl Iterator<Item = (&Record, &Seen)> {
        self.all.iter().filter_map(|record| if let Content::Face(seen) = &record.content { Some((record, seen)) } else { None })
    }

    /// The label `unknown`, if a record has it.
    pub(crate) fn unknown(&self) -> Option<u32> {
        self.labels.all.iter().position(|label| label == "unknown").map(|index| index as u32)
    }

    fn push(&mut self, stream: &str, times: &Times, content: Content) {
        self.first_utc = self.first_utc.or(times.utc);
        let stream = self.streams.index(stream);
        self.all.push(Record { stream, times: Span { pts_ns: times.position(), duration_ns: times.duration }, content });
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
    fn take(&mut self, times: &mut Span) -> bool {
        let is_restart = times.pts_ns + RESTART_NS < self.last_ns;
        if is_restart {
            self.offset_ns = self.end_ns;
        }
        self.last_ns = times.pts_ns;
        times.pts_ns += self.offset_ns;
        self.end_ns = self.end_ns.max(times.end_ns());
        is_restart
    }
}
