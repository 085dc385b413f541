// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts of what was done with a stream's frames, and how long each step of it took.

use std::time::{Duration, Instant};

/// Each octave of microseconds is cut into this many buckets, so that a percentile is at most 1/16 too large.
const BUCKETS_PER_OCTAVE: usize = 16;
const OCTAVE_BITS: u32 = BUCKETS_PER_OCTAVE.ilog2();
/// The longest time that is told apart, over an hour.
const LONGEST_US: u32 = u32::MAX;
const BUCKETS: usize = bucket(LONGEST_US) + 1;

/// A bucket of its own for each of the first microseconds, then [`BUCKETS_PER_OCTAVE`] for each doubling.
const fn bucket(us: u32) -> usize {
    if us < BUCKETS_PER_OCTAVE as u32 {
        return us as usize;
    }
    let shift = us.ilog2() - OCTAVE_BITS;
    // The leading bits after the first one say where in the octave.
    (shift as usize) * BUCKETS_PER_OCTAVE + (us >> shift) as usize
}

/// The largest time that falls into `bucket`.
const fn upper_us(bucket: usize) -> u32 {
    if bucket < 2 * BUCKETS_PER_OCTAVE {
        return bucket as u32;
    }
    let shift = bucket / BUCKETS_PER_OCTAVE - 1;
    let lower = (bucket - shift * BUCKETS_PER_OCTAVE) << shift;
    (lower + (1 << shift) - 1) as u32
}

/// How often each duration occurred. Recording neither allocates nor grows.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u32; BUCKETS],
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Counts one duration; those over an hour count as an hour.
    pub fn record(&mut self, duration: Duration) {
        let us = u32::try_from(duration.as_micros()).unwrap_or(LONGEST_US);
        let count = &mut self.counts[bucket(us)];
        *count = count.saturating_add(1);
        self.total += 1;
    }

    /// Durations that were recorded.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The duration in microseconds that `share` (0..1) of all recorded ones do not exceed, rounded up by at most a
    /// sixteenth; 0 if there are none.
    ///
    /// ```
    /// use gstemotion::statistics::Histogram;
    /// use std::time::Duration;
    /// let mut times = Histogram::default();
    /// (1..=10).for_each(|us| times.record(Duration::from_micros(us)));
    /// assert_eq!((times.percentile_us(0.5), times.percentile_us(0.99)), (5, 10));
    /// ```
    pub fn percentile_us(&self, share: f64) -> u64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut below = 0;
        let reached = self.counts.iter().position(|&count| {
            below += u64::from(count);
            below >= rank
        });
        reached.map_or(0, |bucket| u64::from(upper_us(bucket)))
    }
}

/// How long the steps of one inference took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepTimes {
    /// From the frame to the network's input.
    pub preprocess: Duration,
    /// The network alone.
    pub inference: Duration,
    /// From the network's output to faces or scores.
    pub postprocess: Duration,
}

impl std::ops::AddAssign for StepTimes {
    fn add_assign(&mut self, other: Self) {
        self.preprocess += other.preprocess;
        self.inference += other.inference;
        self.postprocess += other.postprocess;
    }
}

/// Gives the time between its laps.
#[derive(Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts the first lap.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start or the last lap; the next lap begins.
    pub fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

/// What became of a stream's frames.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Frames that came.
    pub frames: u64,
    /// Frames on which a network was run.
    pub inferred: u64,
    /// Frames on which none was, for whatever reason.
    pub skipped: u64,
    /// Those of them that came too late for it.
    pub late: u64,
    /// Faces on all frames together.
    pub faces: u64,
    /// The whole work on a frame on which a network was run.
    pub whole: Histogram,
    /// See [`StepTimes::preprocess`].
    pub preprocess: Histogram,
    /// See [`StepTimes::inference`].
    pub inference: Histogram,
    /// See [`StepTimes::postprocess`].
    pub postprocess: Histogram,
}

impl Statistics {
    /// Counts a frame on which a network was run; a detector that is none knows no steps.
    pub fn record(&mut self, whole: Duration, steps: Option<StepTimes>) {
        self.inferred += 1;
        self.whole.record(whole);
        if let Some(steps) = steps {
            self.preprocess.record(steps.preprocess);
            self.inference.record(steps.inference);
            self.postprocess.record(steps.postprocess);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_are_contiguous_and_end_at_an_hour() {
        for us in (0..5_000).chain([65_535, 65_536, 1_000_000, LONGEST_US - 1, LONGEST_US]) {
            let index = bucket(us);
            assert!(upper_us(index) >= us, "{us} is above its bucket {index}");
            assert!(index == 0 || upper_us(index - 1) < us, "{us} belongs below bucket {index}");
        }
        assert_eq!(upper_us(BUCKETS - 1), LONGEST_US);
    }

    #[test]
    fn nothing_recorded_is_zero_and_hours_do_no_harm() {
        let mut times = Histogram::default();
        assert_eq!(times.percentile_us(0.99), 0);
        times.record(Duration::from_secs(100_000));
        assert_eq!((times.count(), times.percentile_us(0.5)), (1, u64::from(u32::MAX)));
    }

    proptest! {
        #[test]
        fn a_percentile_is_the_sorted_lists_or_a_sixteenth_more(mut times in prop::collection::vec(0u64..200_000, 1..300), share in 0.01f64..1.0) {
            let mut histogram = Histogram::default();
            times.iter().for_each(|&us| histogram.record(Duration::from_micros(us)));
            times.sort_unstable();
            let exact = times[((times.len() as f64 * share).ceil() as usize).max(1) - 1];
            let found = histogram.percentile_us(share);
            prop_assert!(found >= exact && found <= exact + exact / 16, "{} instead of {}", found, exact);
        }
    }
}
