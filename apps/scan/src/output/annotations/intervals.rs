// SPDX-License-Identifier: MIT OR Apache-2.0
//! The labels of a video's faces as intervals of time. A label counts once it has lasted, as an event of `emotionexport` does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use emotion_core::behaviour::{Event, EventKind, EventTracker, FrameReport, FrameTime};
use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;
use emotion_core::scores::LabelSet;

use super::super::faces_by_time::record;
use crate::error::Error;
use crate::scan::{FileResults, Slice};
use crate::table::face_id;

/// Time for which a label or a presence must last, the default of `emotionexport`'s property `hysteresis`.
const HYSTERESIS_NS: u64 = 500_000_000;

/// A period in which a face has the same label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) label: String,
}

/// The intervals of a face, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tier {
    pub(super) id: u32,
    pub(super) intervals: Vec<Interval>,
}

impl Tier {
    pub(super) fn name(&self) -> String {
        format!("face {}", self.id)
    }
}

/// A video with the intervals of its faces.
pub(super) struct Annotated {
    /// The path of the video, absolute unless it is a URL.
    pub(super) media: PathBuf,
    /// Its name in the tables.
    pub(super) name: String,
    pub(super) length_ns: u64,
    pub(super) frames_per_s: f64,
    pub(super) tiers: Vec<Tier>,
}

/// The intervals of a video.
pub(super) struct Found {
    pub(super) tiers: Vec<Tier>,
    pub(super) length_ns: u64,
    pub(super) frames_per_s: f64,
}

/// The intervals of a video, of whose frames one is examined each `every`.
pub(super) fn of(file: &FileResults<'_>, labels: &[String], every: Option<Duration>) -> Result<Found, Error> {
    let labels = LabelSet::new(labels.iter().cloned());
    let mut builder = Builder::default();
    let (mut frames, mut last_ns) = (0, 0);
    for slice in file.slices() {
        let slice = slice?;
        let hold_ns = every.map_or_else(|| frame_ns(&slice), |every| every.as_nanos() as u64);
        for faces in slice.result.faces.chunk_by(|a, b| a.time_ns == b.time_ns) {
            let records: Vec<FaceRecord> = faces.iter().map(|face| record(face, face_id(slice.number, face), &labels)).collect();
            last_ns = faces[0].time_ns + hold_ns;
            builder.add(faces[0].time_ns, hold_ns, &records);
        }
        frames += slice.result.frames;
    }
    let length_ns = file.facts.length_ns.unwrap_or(last_ns).max(1);
    Ok(Found { tiers: builder.finish(length_ns), length_ns, frames_per_s: frames as f64 * 1e9 / length_ns as f64 })
}

/// The mean time between two frames of a slice.
fn frame_ns(slice: &Slice) -> u64 {
    let last_ns = slice.result.faces.last().map_or(slice.start_ns, |face| face.time_ns);
    slice.end_ns.unwrap_or(last_ns).saturating_sub(slice.start_ns) / slice.result.frames.max(1)
}

/// Turns events into intervals.
struct Builder {
    events: EventTracker,
    /// The label of each face, and since when.
    open: BTreeMap<u32, (u64, String)>,
    tiers: BTreeMap<u32, Vec<Interval>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { events: EventTracker::new(HYSTERESIS_NS), open: BTreeMap::new(), tiers: BTreeMap::new() }
    }
}

impl Builder {
    /// Adds the faces of a frame.
    fn add(&mut self, time_ns: u64, duration_ns: u64, faces: &[FaceRecord]) {
        let time = FrameTime { pts_ns: time_ns, duration_ns, ..FrameTime::default() };
        // Frames without a face are not in the results, so what has gone before this frame is found here.
        let mut events = self.events.advance(&time);
        events.extend(self.events.frame(&FrameReport { stream: "", frame: 0, time, size: Size::new(1, 1), faces, misplaced: false }));
        events.into_iter().for_each(|event| self.take(event));
    }

    fn take(&mut self, event: Event) {
        let at_ns = event.time.position_ns();
        match event.kind {
            EventKind::Expression { to, .. } => {
                self.close(event.id, at_ns);
                self.open.insert(event.id, (at_ns, to));
            }
            EventKind::Left { .. } => self.close(event.id, at_ns),
            // A tier has labels only; states of the geometry are in the events.
            _ => {}
        }
    }

    fn close(&mut self, id: u32, end_ns: u64) {
        if let Some((start_ns, label)) = self.open.remove(&id).filter(|(start_ns, _)| *start_ns < end_ns) {
            self.tiers.entry(id).or_default().push(Interval { start_ns, end_ns, label });
        }
    }

    /// The intervals of a video of this length.
    fn finish(mut self, length_ns: u64) -> Vec<Tier> {
        self.events.finish().into_iter().for_each(|event| self.take(event));
        let within = |mut interval: Interval| {
            interval.end_ns = interval.end_ns.min(length_ns);
            (interval.start_ns < interval.end_ns).then_some(interval)
        };
        let tiers =
            self.tiers.into_iter().map(|(id, intervals)| Tier { id, intervals: intervals.into_iter().filter_map(within).collect() });
        tiers.filter(|tier| !tier.intervals.is_empty()).collect()
    }
}

/// Seconds, to milliseconds.
pub(super) fn seconds(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::face;

    #[test]
    fn short_labels_are_no_intervals_and_a_pause_ends_one() {
        let labels = LabelSet::new(["neutral", "happiness"]);
        let at = |frame: u64, label: &str| vec![record(&face(frame, label, &[0.5, 0.5]), Some(3), &labels)];
        let mut builder = Builder::default();
        // 100 ms for each frame: neutral, but for two frames; then happiness; then nobody for a second.
        for frame in 0..30 {
            let label = if [7, 8].contains(&frame) || frame >= 12 { "happiness" } else { "neutral" };
            if !(20..30).contains(&frame) {
                builder.add(frame * 100_000_000, 100_000_000, &at(frame, label));
            }
        }
        (30..40).for_each(|frame| builder.add(frame * 100_000_000, 100_000_000, &at(frame, "unknown")));
        let tiers = builder.finish(3_950_000_000);
        assert_eq!(tiers.len(), 1);
        let found: Vec<_> = tiers[0]
            .intervals
            .iter()
            .map(|interval| (interval.start_ns / 1_000_000, interval.end_ns / 1_000_000, &*interval.label))
            .collect();
        assert_eq!(found, [(0, 1200, "neutral"), (1200, 2000, "happiness"), (3000, 3950, "unknown")]);
    }
}
