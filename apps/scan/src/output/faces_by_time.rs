// SPDX-License-Identifier: MIT OR Apache-2.0
//! The faces of the journal by the time of the frame that shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use emotion_core::geometry::{Landmarks5, Point, Rect};
use emotion_core::ids::track_id;
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord};
use emotion_core::scores::{LabelSet, Scores};

use crate::findings::{Face, FileFacts, SliceResult};
use crate::journal::Journal;
use crate::sampling::{Sampling, interval};
use crate::table::face_id;

/// Times of frames and of the table may differ by rounding to this step.
const TIME_STEP_NS: u64 = 1_000_000;

/// The faces of a file by time. One slice is in memory at a time.
pub(super) struct FacesByTime {
    journal: Arc<Journal>,
    file: usize,
    facts: FileFacts,
    sampling: Sampling,
    slice: Option<usize>,
    labels: LabelSet,
    faces: BTreeMap<u64, Vec<FaceRecord>>,
}

impl FacesByTime {
    pub(super) fn new(journal: &Arc<Journal>, file: usize, facts: FileFacts, sampling: Sampling) -> Self {
        let labels = LabelSet::new(journal.labels().iter().cloned());
        Self { journal: journal.clone(), file, facts, sampling, slice: None, labels, faces: BTreeMap::new() }
    }

    /// The faces of the frame at this position in the stream, or of the examined frame of its interval or before it.
    pub(super) fn at(&mut self, position_ns: u64) -> Vec<FaceRecord> {
        let time_ns = position_ns.saturating_sub(self.facts.origin_ns.unwrap_or(0));
        let slice = self.facts.slices.partition_point(|start| *start <= time_ns).saturating_sub(1);
        if self.slice != Some(slice) {
            self.load(slice);
        }
        let key = self.key(time_ns);
        let found = match self.sampling {
            Sampling::Nearest(_) | Sampling::Look(_) => self.faces.range(..=key).next_back().map(|(_, faces)| faces),
            Sampling::All | Sampling::First(_) => self.faces.get(&key),
        };
        found.cloned().unwrap_or_default()
    }

    /// Replaces the faces by those of another slice. The last ones stay, since their interval may not have ended.
    fn load(&mut self, slice: usize) {
        let last = self.faces.pop_last();
        self.faces = last.into_iter().collect();
        // A slice whose results cannot be read is drawn without faces.
        let result: SliceResult = self.journal.slice(self.file, slice).ok().flatten().unwrap_or_default();
        for time_ns in &result.times_ns {
            self.faces.entry(self.key(*time_ns)).or_default();
        }
        for face in &result.faces {
            let record = record(face, face_id(slice, face), &self.labels);
            self.faces.entry(self.key(face.time_ns)).or_default().push(record);
        }
        self.slice = Some(slice);
    }

    /// Frames with the same key show the same faces; those without faces of their own show those of the last key before, if
    /// keyframes are examined.
    fn key(&self, time_ns: u64) -> u64 {
        match self.sampling {
            Sampling::First(every) => interval(time_ns, every),
            Sampling::All | Sampling::Nearest(_) | Sampling::Look(_) => (time_ns + TIME_STEP_NS / 2) / TIME_STEP_NS,
        }
    }
}

/// The inverse of `Face::new`.
pub(super) fn record(face: &Face, id: Option<u64>, labels: &LabelSet) -> FaceRecord {
    let [x, y, w, h] = face.rect;
    let detection = face.confidence.map(|confidence| DetectionInfo {
        confidence,
        landmarks_norm: face.landmarks.map(|at| Landmarks5(std::array::from_fn(|n| Point::new(at[2 * n], at[2 * n + 1])))),
        model_name: face.detector.as_deref().unwrap_or_default().into(),
        age: std::time::Duration::ZERO,
    });
    let emotion = face.label.as_ref().map(|label| EmotionResult {
        labels: labels.clone(),
        scores: Scores::from_probabilities((0..labels.len()).map(|class| face.scores.get(class).copied().unwrap_or_default())),
        label_id: labels.as_slice().iter().position(|known| known == label),
        reason: face.reason.as_deref().and_then(|text| text.parse().ok()),
        smoothed: false,
        age: std::time::Duration::ZERO,
    });
    FaceRecord { id: id.map_or(0, track_id), rect_norm: Rect::new(x, y, w, h), detection, emotion, geometry: None, confirmed: true }
}
