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
        let (all, sampling) = (&records.all, Sampling::of(records));
        // An export of changes also has a record for frames in which the last face is gone.
        if all.iter().any(|record| matches!(record.content, Content::Gone)) {
            let note = Some("Only changes were exported. Each is shown until the next one.".into());
            return Self { tracks: until_changes(all, &sampling.frames_ns), step_ns: usual(all, &sampling.frames_ns), note };
        }
        let step_ns = usual(all, &sampling.steps_ns);
        let seconds = step_ns as f64 / 1e9;
        let note = sampling
            .is_sampled
            .then(|| format!("One frame every {} s was exported. Each is shown until the next one.", two_digits(seconds)));
        Self { tracks: until_next(all, &sampling.steps_ns), step_ns, note }
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

/// The usual times of each stream. Streams may be files of different frame rates.
struct Sampling {
    /// Duration of a frame.
    frames_ns: Vec<u64>,
    /// Time between exported frames.
    steps_ns: Vec<u64>,
    /// True if frames between them were skipped.
    is_sampled: bool,
}

impl Sampling {
    fn of(records: &Records) -> Self {
        let mut streams = vec![(BTreeSet::new(), Vec::new()); records.streams.all.len()];
        for Record { stream, times, .. } in &records.all {
            let (starts, durations) = &mut streams[*stream as usize];
            starts.insert(times.pts_ns);
            durations.push(times.duration_ns);
        }
        let frame_ns = |(_, durations): &(_, Vec<u64>)| median(durations.iter().copied()).filter(|duration| *duration > 0);
        let frames_ns: Vec<u64> = streams.iter().map(|stream| frame_ns(stream).unwrap_or(DEFAULT_DURATION_NS)).collect();
        // Gaps without a face are few beside those between two frames, but not in each stream.
        let gaps = streams.iter().zip(&frames_ns).flat_map(|((starts, _), frame_ns)| {
            starts.iter().zip(starts.iter().skip(1)).map(move |(earlier, later)| (later - earlier, *frame_ns))
        });
        let mut gaps: Vec<(u64, u64)> = gaps.collect();
        gaps.sort_unstable_by(|(a, of_a), (b, of_b)| (u128::from(*a) * u128::from(*of_b)).cmp(&(u128::from(*b) * u128::from(*of_a))));
        let usual = gaps.get(gaps.len().saturating_sub(1) / 2).copied().filter(|(gap, frame_ns)| *gap as f64 > 1.5 * *frame_ns as f64);
        let step_ns = usual.and_then(|_| median(gaps.iter().map(|(gap, _)| *gap))).unwrap_or_default();
        Self { steps_ns: frames_ns.iter().map(|frame_ns| step_ns.max(*frame_ns)).collect(), frames_ns, is_sampled: usual.is_some() }
    }
}

/// The step that most records have, of the steps of their streams.
fn usual(records: &[Record], steps_ns: &[u64]) -> u64 {
    median(records.iter().map(|record| steps_ns[record.stream as usize])).unwrap_or(DEFAULT_DURATION_NS)
}

/// The faces of `records`. A record is shown until the next one of its face, but at most for the step of its stream.
fn until_next<'a>(records: &'a [Record], steps_ns: &[u64]) -> Vec<Track<'a>> {
    let mut tracks = in_order(records);
    for track in &mut tracks {
        let step_ns = steps_ns[track.stream as usize];
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
fn until_changes<'a>(records: &'a [Record], steps_ns: &[u64]) -> Vec<Track<'a>> {
    let mut times: HashMap<u32, BTreeSet<u64>> = HashMap::new();
    for record in records {
        times.entry(record.stream).or_default().insert(record.times.pts_ns);
    }
    let mut tracks = in_order(records);
    for track in &mut tracks {
        let (times, step_ns) = (&times[&track.stream], steps_ns[track.stream as usize]);
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

#[cfg(test)]
mod tests {
    use emotion_records::{FaceLine, Times};

    use super::*;

    /// The time for which the face of each stream is visible, in seconds, given the number of frames, of a frame's milliseconds and of
    /// those between two records.
    fn visible(streams: &[(u64, u64, u64)]) -> (Vec<f64>, bool) {
        let mut records = Records::default();
        for (stream, (count, frame_ms, step_ms)) in streams.iter().enumerate() {
            let stream = stream.to_string();
            for frame in 0..*count {
                let times = Times { pts: frame * step_ms * 1_000_000, duration: frame_ms * 1_000_000, ..Times::default() };
                records.push_face(&FaceLine { stream: stream.as_str().into(), id: Some(1), frame, times, ..FaceLine::default() });
            }
        }
        let faces = Faces::of(&records);
        (faces.tracks.iter().map(|track| track.visible_ns() as f64 / 1e9).collect(), faces.note.is_some())
    }

    #[test]
    fn each_stream_has_a_frame_rate_of_its_own() {
        let seconds = vec![18.0, 18.0, 18.0];
        assert_eq!(visible(&[(450, 40, 40), (180, 100, 100), (450, 40, 40)]), (seconds.clone(), false));
        assert_eq!(visible(&[(180, 100, 100), (450, 40, 40), (18, 1000, 1000)]), (seconds, false), "photos take a second each");
    }

    #[test]
    fn a_frame_of_a_sampled_stream_stands_for_the_time_to_the_next_one() {
        assert_eq!(visible(&[(10, 40, 5000), (10, 100, 5000), (1, 40, 5000)]), (vec![50.0, 50.0, 5.0], true));
    }

    #[test]
    fn two_faces_far_apart_in_one_stream_are_no_sampling() {
        assert_eq!(visible(&[(100, 40, 40), (2, 40, 60_000)]), (vec![4.0, 0.08], false));
    }
}
