// SPDX-License-Identifier: MIT OR Apache-2.0
//! The times of the frames of a slice: what they say about its end, and about frames that are missing.
//!
//! Damage takes frames out of a recording without an error. At a constant rate, their number is known by the times of the frames
//! around them.

use crate::decode::Part;
use crate::findings::{Missing, SliceResult};

/// Intervals that differ by less than this share from the usual one are as long.
const TOLERANCE: f64 = 0.25;
/// Minimum share of intervals of the usual length at a constant rate.
const STEADY: f64 = 0.9;
/// Minimum number of intervals that show a rate.
const MIN_INTERVALS: usize = 10;
/// At a constant rate, damage is in few places: this number, and one more for each hundred intervals.
const FEW: usize = 3;
/// A gap differs by at most this share of an interval, and the rounding of times to milliseconds, from a number of intervals.
const WHOLE: f64 = 0.1;
const MILLISECOND_NS: f64 = 1e6;
/// Frames that are this share of an interval apart, or less, are too close together.
const CROWDED: f64 = 0.6;
/// So many intervals behind a gap, frames may be those that were missed.
const NEAR: f64 = 10.0;
/// After so many intervals, rounding may hide whether their number is whole.
const LONG: f64 = 400.0;

/// Completes the result of a slice, which was examined to the end of `part`, with the times of its frames: counts missing frames, so
/// that the numbers of those behind them are those of the film, and notes where the last frame ends.
pub(super) fn complete(result: &mut SliceResult, mut times: Vec<u64>, part: Part) {
    times.sort_unstable();
    let step_ns = usual_step(&times);
    result.end_ns = times.last().map(|last| last.saturating_add(step_ns.unwrap_or(0.0) as u64));
    let Some(step_ns) = step_ns else { return };
    // A slice begins at a keyframe, unless damage took it, and ends where the next one begins.
    let is_headless = part.start_ns > 0 && times.first().is_some_and(|first| *first > part.start_ns);
    let before = is_headless.then(|| part.start_ns.saturating_sub(step_ns as u64));
    let mut numbers = Numbers::new(step_ns, before.unwrap_or(times[0]));
    let (first, behind) = before.map_or((&times[..1], &times[1..]), |_| (&[][..], &times[..]));
    let of_frames: Vec<u64> = first.iter().map(|_| 0).chain(behind.iter().map(|time| numbers.next(*time))).collect();
    part.end_ns.map(|end| numbers.next(end));
    result.missing = numbers.missing;
    result.missing.retain(|gap| gap.frames > 0);
    result.frames += result.missing.iter().map(|gap| gap.frames).sum::<u64>();
    let number = |frame: u64| of_frames.get(frame as usize).map_or(frame, |number| number - u64::from(before.is_some()));
    result.faces.iter_mut().for_each(|face| face.frame = number(face.frame));
}

/// The mean of the usual intervals; `None` if the rate is not constant.
fn usual_step(times: &[u64]) -> Option<f64> {
    let mut steps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if steps.len() < MIN_INTERVALS {
        return None;
    }
    steps.sort_unstable();
    let median = steps[steps.len() / 2] as f64;
    let usual: Vec<u64> = steps.iter().copied().filter(|step| (*step as f64 - median).abs() <= TOLERANCE * median).collect();
    let is_constant = usual.len() as f64 >= STEADY * steps.len() as f64 && steps.len() - usual.len() <= FEW + steps.len() / 100;
    is_constant.then(|| usual.iter().sum::<u64>() as f64 / usual.len() as f64)
}

/// Numbers the frames of a film at a constant rate by their times.
struct Numbers {
    step_ns: f64,
    /// Time and number of the last frame.
    last: (u64, u64),
    /// The same of the last one that is not too close to the one before.
    sure: (u64, u64),
    missing: Vec<Missing>,
}

impl Numbers {
    /// The first frame is at `time_ns`.
    fn new(step_ns: f64, time_ns: u64) -> Self {
        Self { step_ns, last: (time_ns, 0), sure: (time_ns, 0), missing: Vec::new() }
    }

    /// The number of the next frame.
    fn next(&mut self, time_ns: u64) -> u64 {
        let (last_ns, number) = self.last;
        let length_ns = (time_ns - last_ns) as f64;
        let steps = (length_ns / self.step_ns).round();
        // Where recordings were put together, times go on after another interval.
        let is_whole = (length_ns - steps * self.step_ns).abs() <= WHOLE * self.step_ns + MILLISECOND_NS || steps > LONG;
        let frames = if is_whole { (steps as u64).saturating_sub(1) } else { 0 };
        if frames > 0 {
            self.missing.push(Missing { start_ns: last_ns + self.step_ns as u64, end_ns: time_ns, frames });
        }
        self.last = (time_ns, number + 1 + frames);
        if length_ns >= CROWDED * self.step_ns {
            self.last.1 -= self.late();
            self.sure = self.last;
        }
        self.last.1
    }

    /// Behind damage, a decoder may give frames that are missing the times of those behind them, which are then too close together. Returns
    /// how many, and that so many are not missing.
    fn late(&mut self) -> u64 {
        let since_ns = (self.last.0 - self.sure.0) as f64;
        let more = (self.last.1 - self.sure.1).saturating_sub((since_ns / self.step_ns).round() as u64);
        let near_ns = (NEAR * self.step_ns) as u64;
        let Some(gap) = self.missing.last_mut().filter(|gap| gap.end_ns + near_ns >= self.sure.0) else { return 0 };
        let late = more.min(gap.frames);
        gap.frames -= late;
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::face;

    const MS: u64 = 1_000_000;

    /// The times of a film of 25 frames a second without the frames in `lost`, and a face on each.
    fn result(frames: u64, lost: impl Fn(u64) -> bool, part: Part) -> SliceResult {
        let shown: Vec<u64> = (0..frames).filter(|number| !lost(*number)).collect();
        let faces = shown
            .iter()
            .enumerate()
            .map(|(at, number)| crate::findings::Face { time_ns: number * 40 * MS, ..face(at as u64, "neutral", &[]) });
        let mut result = SliceResult { frames: shown.len() as u64, faces: faces.collect(), ..SliceResult::default() };
        complete(&mut result, shown.into_iter().map(|number| number * 40 * MS).collect(), part);
        result
    }

    fn gap(start: u64, end: u64, frames: u64) -> Missing {
        Missing { start_ns: start * 40 * MS, end_ns: end * 40 * MS, frames }
    }

    #[test]
    fn frames_behind_missing_ones_keep_their_numbers() {
        let result = result(100, |number| number == 20 || (50..60).contains(&number), Part::default());
        assert_eq!(result.missing, [gap(20, 21, 1), gap(50, 60, 10)]);
        assert_eq!((result.frames, result.end_ns), (100, Some(4000 * MS)));
        assert!(result.faces.iter().all(|face| face.time_ns == face.frame * 40 * MS));
    }

    #[test]
    fn frames_that_come_late_are_not_missing() {
        // Frames 20 to 29 are lost, and 30 and 31 come with the time of 32. Their numbers are wrong, and those behind them are not.
        let shown = (0..20).chain(32..100).map(|number| number * 40 * MS);
        let times: Vec<u64> = shown.chain([1285 * MS, 1290 * MS]).collect();
        let faces = (0..times.len() as u64).map(|at| face(at, "neutral", &[]));
        let mut result = SliceResult { frames: times.len() as u64, faces: faces.collect(), ..SliceResult::default() };
        complete(&mut result, times, Part::default());
        assert_eq!(result.missing.iter().map(|gap| gap.frames).collect::<Vec<_>>(), [10]);
        assert_eq!((result.frames, result.faces[23].frame), (100, 33));
        assert_eq!(result.faces.last().map(|face| face.frame), Some(99));
    }

    #[test]
    fn the_first_and_the_last_frames_of_a_slice_are_missed() {
        let part = Part { start_ns: 0, end_ns: Some(4000 * MS), ..Part::default() };
        assert_eq!(result(100, |number| number >= 98, part).missing, [gap(98, 100, 2)]);
        let late = |number: u64| number < 13;
        let part = Part { start_ns: 10 * 40 * MS, ..part };
        assert_eq!(result(100, late, part).missing, [gap(10, 13, 3)]);
        assert_eq!(result(100, late, Part::default()).missing, [], "a file may begin later");
    }

    #[test]
    fn nothing_is_missing_at_a_variable_rate_or_where_parts_meet() {
        let gaps = |times: &[u64]| {
            let mut result = SliceResult::default();
            complete(&mut result, times.iter().map(|time| time * MS).collect(), Part::default());
            result.missing.len()
        };
        let steady: Vec<u64> = (0..100).map(|frame| frame * 40).collect();
        assert_eq!(gaps(&steady), 0);
        let alternating: Vec<u64> = (0..100).map(|frame| frame * 40 + frame % 3 * 20).collect();
        let often: Vec<u64> = (0..200).filter(|frame| frame % 20 != 0).map(|frame| frame * 40).collect();
        let met: Vec<u64> = steady.iter().copied().chain(steady.iter().map(|time| time + 4020)).collect();
        assert_eq!([gaps(&alternating), gaps(&often), gaps(&met), gaps(&steady[..8])], [0; 4]);
        // 23.976 frames a second, in milliseconds.
        let film: Vec<u64> = (0..2000).filter(|frame| !(500..1700).contains(frame)).map(|frame| frame * 1_001_000 / 24_000).collect();
        let mut result = SliceResult::default();
        complete(&mut result, film.iter().map(|time| time * MS).collect(), Part::default());
        assert_eq!(result.missing.iter().map(|gap| gap.frames).collect::<Vec<_>>(), [1200]);
    }
}
