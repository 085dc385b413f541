// SPDX-License-Identifier: MIT OR Apache-2.0
//! Groups records by face, with the time for which each record is shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use emotion_core::behaviour::Span;

use crate::records::{Content, Record, Records, Seen};

/// Duration of one frame at 25 frames per second, for records without a duration.
const DEFAULT_DURATION_NS: u64 = 40_000_000;

/// A record of a face, and for how long it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) times: Span,
    pub(crate) hold_ns: u64,
    pub(crate) seen: &'a Seen,
}

impl Shown<'_> {
    pub(crate) fn end_ns(&self) -> u64 {
        self.times.pts_ns + self.hold_ns
    }
}

/// What was seen of one face, in the order of time.
#[derive(Clone, Debug)]
pub(crate) struct Track<'a> {
    pub(crate) stream: u32,
    pub(crate) id: Option<u64>,
    pub(crate) shown: Vec<Shown<'a>>,
}

impl Track<'_> {
    /// The time for which the face is visible.
    pub(crate) fn visible_ns(&self) -> u64 {
        self.shown.iter().map(|shown| shown.hold_ns).sum()
    }
}

/// All faces of an export.
#[derive(Debug)]
pub(crate) struct Faces<'a> {
    /// In the order in which they appear in the export.
    pub(crate) tracks: Vec<Track<'a>>,
    /// Time between records, of which a column of a chart covers at least one.
    pub(crate) step_ns: u64,
    /// What the page says about the times.
    pub(crate) note: Option<String>,
}

impl<'a> Faces<'a> {
    /// The faces of `records`, which must have one.
    pub(crate) fn of(records: &'a Records) -> Self {
        let all = &records.all;
        let sampling = Sampling::of(all);
        // An export of changes also has a record for frames in which the last face is gone.
        if all.iter().any(|record| matches!(record.content, Content::Gone)) {
            let step_ns = median(all.iter().map(|record| record.times.duration_ns)).filter(|step| *step > 0).unwrap_or(sampling.step_ns);
            let note = Some("Only changes were exported. Each is shown until the next one.".into());
            return Self { tracks: until_changes(all, step_ns), step_ns, note };
        }
        let step_ns = sampling.step_ns;
        let seconds = sampling.step_ns as f64 / 1e9;
        let note = sampling
            .is_sampled
            .then(|| format!("One frame every {} s was exported. Each is shown until the next one.", two_digits(seconds)));
        Self { tracks: until_next(all, step_ns), step_ns, note }
    }

    /// Start of the first record and end of the last one.
    pub(crate) fn range_ns(&self) -> (u64, u64) {
        let first = self.tracks.iter().map(|track| track.shown[0].times.pts_ns).min().unwrap_or_default();
        let last = self.tracks.iter().filter_map(|track| track.shown.last()).map(Shown::end_ns).max().unwrap_or_default();
        (first, last)
    }

    /// The time in which at least one face is visible.
    pub(crate) fn with_faces_ns(&self) -> u64 {
        let mut periods: Vec<(u64, u64)> =
            self.tracks.iter().flat_map(|track| &track.shown).map(|shown| (shown.times.pts_ns, shown.end_ns())).collect();
        periods.sort_unstable();
        let (mut total, mut covered_until) = (0, 0);
        for (start, end) in periods {
            total += end.saturating_sub(start.max(covered_until));
            covered_until = covered_until.max(end);
        }
        total
    }
}

/// The maximum number of records of faces at one time of one stream.
pub(crate) fn most_at_once(records: &Records) -> usize {
    let mut counts = HashMap::new();
    for (record, _) in records.faces() {
        *counts.entry((record.stream, record.times.pts_ns)).or_insert(0) += 1;
    }
    counts.into_values().max().unwrap_or_default()
}

/// The usual time between exported frames.
struct Sampling {
    step_ns: u64,
    /// True if frames between them were skipped.
    is_sampled: bool,
}

impl Sampling {
    fn of(records: &[Record]) -> Self {
        let times: BTreeSet<u64> = records.iter().map(|record| record.times.pts_ns).collect();
        let duration = median(records.iter().map(|record| record.times.duration_ns)).filter(|duration| *duration > 0);
        let duration = duration.unwrap_or(DEFAULT_DURATION_NS);
        let step = median(times.iter().zip(times.iter().skip(1)).map(|(earlier, later)| later - earlier)).unwrap_or(duration);
        let is_sampled = step as f64 > 1.5 * duration as f64;
        Self { step_ns: if is_sampled { step } else { duration }, is_sampled }
    }
}

/// The faces of `records`. A record is shown until the next one of its face, but at most for `step_ns`.
fn until_next(records: &[Record], step_ns: u64) -> Vec<Track<'_>> {
    let mut tracks = in_order(records);
    for track in &mut tracks {
        let starts: Vec<u64> = track.shown.iter().skip(1).map(|shown| shown.times.pts_ns).collect();
        for (shown, next_ns) in track.shown.iter_mut().zip(starts) {
            let hold_ns = next_ns - shown.times.pts_ns;
            // Frames are not evenly spaced, so an interval of up to 1.5 steps is not a gap.
            shown.hold_ns = if hold_ns as f64 <= 1.5 * step_ns as f64 { hold_ns } else { step_ns };
        }
        track.shown.last_mut().expect("a track has a record").hold_ns = step_ns;
    }
    tracks
}

/// As [`until_next`], for an export of changes only: a record is shown until the next one of its stream.
fn until_changes(records: &[Record], step_ns: u64) -> Vec<Track<'_>> {
    let mut times: HashMap<u32, BTreeSet<u64>> = HashMap::new();
    for record in records {
        times.entry(record.stream).or_default().insert(record.times.pts_ns);
    }
    let mut tracks = in_order(records);
    for track in &mut tracks {
        let times = &times[&track.stream];
        for shown in &mut track.shown {
            let start_ns = shown.times.pts_ns;
            shown.hold_ns = times.range(start_ns + 1..).next().map_or(step_ns, |next| next - start_ns);
        }
    }
    tracks
}

/// The records of each face, in the order of time. Of two at the same time, the later one counts.
fn in_order(records: &[Record]) -> Vec<Track<'_>> {
    let mut indices = HashMap::new();
    let mut tracks: Vec<(u32, Option<u64>, BTreeMap<u64, Shown<'_>>)> = Vec::new();
    for record in records {
        let Content::Face(seen) = &record.content else { continue };
        let index = *indices.entry((record.stream, seen.id)).or_insert_with(|| {
            tracks.push((record.stream, seen.id, BTreeMap::new()));
            tracks.len() - 1
        });
        tracks[index].2.insert(record.times.pts_ns, Shown { times: record.times, hold_ns: 0, seen });
    }
    tracks.into_iter().map(|(stream, id, shown)| Track { stream, id, shown: shown.into_values().collect() }).collect()
}

/// The lower of the two middle values.
pub(crate) fn median(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut values: Vec<u64> = values.collect();
    let middle = values.len().checked_sub(1)? / 2;
    Some(*values.select_nth_unstable(middle).1)
}

/// A number of seconds with two significant digits.
fn two_digits(seconds: f64) -> String {
    let digits = (1.0 - seconds.log10().floor()).clamp(0.0, 9.0);
    let rounded = (seconds * 10f64.powf(digits)).round() / 10f64.powf(digits);
    rounded.to_string()
}
