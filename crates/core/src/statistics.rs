// SPDX-License-Identifier: MIT OR Apache-2.0
//! Statistics of a stream: counts of frames and faces, and histograms of processing times.

use std::time::{Duration, Instant};

/// Number of buckets in each octave (doubling) of the time. With 16, a percentile is at most 1/16 too large.
const BUCKETS_PER_OCTAVE: usize = 16;
const OCTAVE_BITS: u32 = BUCKETS_PER_OCTAVE.ilog2();
/// Longest time that the histogram distinguishes: 71 minutes.
const MAX_US: u32 = u32::MAX;
const BUCKETS: usize = bucket(MAX_US) + 1;

/// The bucket of a time: one for each of the first 16 microseconds, then [`BUCKETS_PER_OCTAVE`] for each octave.
const fn bucket(us: u32) -> usize {
    if us < BUCKETS_PER_OCTAVE as u32 {
        return us as usize;
    }
    let shift = us.ilog2() - OCTAVE_BITS;
    // `us >> shift` is 16 to 31: the leading bit accounts for the first 16 buckets, the 4 bits after it for the position
    // within the octave.
    (shift as usize) * BUCKETS_PER_OCTAVE + (us >> shift) as usize
}

/// The largest time in `bucket`.
const fn upper_us(bucket: usize) -> u32 {
    if bucket < 2 * BUCKETS_PER_OCTAVE {
        return bucket as u32;
    }
    let shift = bucket / BUCKETS_PER_OCTAVE - 1;
    let lower = (bucket - shift * BUCKETS_PER_OCTAVE) << shift;
    (lower + (1 << shift) - 1) as u32
}

/// A histogram of durations. Recording does not allocate.
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
    /// Counts a duration. Durations above 71 minutes count as 71 minutes.
    pub fn record(&mut self, duration: Duration) {
        let us = u32::try_from(duration.as_micros()).unwrap_or(MAX_US);
        let count = &mut self.counts[bucket(us)];
        *count = count.saturating_add(1);
        self.total += 1;
    }

    /// Number of recorded durations.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The duration in microseconds that a `share` (0..1) of the recorded durations do not exceed, rounded up by at most
    /// 1/16; 0 if nothing is recorded.
    ///
    /// ```
    /// use emotion_core::statistics::Histogram;
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

/// The latest durations. Recording does not allocate.
#[derive(Clone, Debug)]
pub struct RecentTimes {
    times: [Duration; Self::CAPACITY],
    /// Number of recorded durations, of which the latest are kept.
    recorded: usize,
}

impl Default for RecentTimes {
    fn default() -> Self {
        Self { times: [Duration::ZERO; Self::CAPACITY], recorded: 0 }
    }
}

impl RecentTimes {
    /// Number of durations that are kept.
    pub const CAPACITY: usize = 100;

    /// Adds a duration, which replaces the oldest one if there are already [`CAPACITY`](Self::CAPACITY).
    pub fn record(&mut self, duration: Duration) {
        self.times[self.recorded % Self::CAPACITY] = duration;
        self.recorded += 1;
    }

    /// Number of durations that are kept now.
    pub fn len(&self) -> usize {
        self.recorded.min(Self::CAPACITY)
    }

    /// True if nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.recorded == 0
    }

    /// The duration that a `share` (0..1) of the kept durations do not exceed; zero if nothing is recorded.
    pub fn percentile(&self, share: f64) -> Duration {
        let mut times = self.times;
        let times = &mut times[..self.len()];
        let rank = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1));
        if times.is_empty() { Duration::ZERO } else { *times.select_nth_unstable(rank - 1).1 }
    }
}

/// Durations of the steps of one inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepTimes {
    /// Conversion of the frame to the network's input.
    pub preprocess: Duration,
    /// The network itself.
    pub inference: Duration,
    /// Conversion of the network's output to faces or scores.
    pub postprocess: Duration,
}

impl std::ops::AddAssign for StepTimes {
    fn add_assign(&mut self, other: Self) {
        self.preprocess += other.preprocess;
        self.inference += other.inference;
        self.postprocess += other.postprocess;
    }
}

/// Measures the time between laps.
#[derive(Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts the first lap.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Ends a lap and returns the time since it started; the next one starts at once.
    pub fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

/// Counts and times of a stream.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Number of frames that arrived.
    pub frames: u64,
    /// Number of frames on which a network ran.
    pub inferred: u64,
    /// Number of frames on which no network ran, for any reason.
    pub skipped: u64,
    /// Number of frames skipped because they arrived too late.
    pub late: u64,
    /// Number of frames on which no network ran because nothing had changed.
    pub unchanged: u64,
    /// Number of frames on which a network ran only on what had changed.
    pub partial: u64,
    /// Number of faces over all frames.
    pub faces: u64,
    /// Total processing time of frames on which a network ran.
    pub whole: Histogram,
    /// The last of these times.
    pub last: Duration,
    /// See [`StepTimes::preprocess`].
    pub preprocess: Histogram,
    /// See [`StepTimes::inference`].
    pub inference: Histogram,
    /// See [`StepTimes::postprocess`].
    pub postprocess: Histogram,
}

impl Statistics {
    /// Counts a frame on which a network ran. `steps` is `None` for a detector that is not a network.
    pub fn record(&mut self, whole: Duration, steps: Option<StepTimes>) {
        self.inferred += 1;
        self.whole.record(whole);
        self.last = whole;
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
    fn buckets_are_contiguous_up_to_the_maximum() {
        for us in (0..5_000).chain([65_535, 65_536, 1_000_000, MAX_US - 1, MAX_US]) {
            let index = bucket(us);
            assert!(upper_us(index) >= us, "{us} is above its bucket {index}");
            assert!(index == 0 || upper_us(index - 1) < us, "{us} belongs below bucket {index}");
        }
        assert_eq!(upper_us(BUCKETS - 1), MAX_US);
    }

    #[test]
    fn an_empty_histogram_is_zero_and_long_times_saturate() {
        let mut times = Histogram::default();
        assert_eq!(times.percentile_us(0.99), 0);
        times.record(Duration::from_secs(100_000));
        assert_eq!((times.count(), times.percentile_us(0.5)), (1, u64::from(u32::MAX)));
    }

    #[test]
    fn only_the_latest_times_count() {
        let mut times = RecentTimes::default();
        assert_eq!((times.is_empty(), times.percentile(0.95)), (true, Duration::ZERO));
        times.record(Duration::from_secs(60));
        assert_eq!((times.len(), times.percentile(0.95)), (1, Duration::from_secs(60)));
        (1..=100).for_each(|ms| times.record(Duration::from_millis(ms)));
        assert_eq!(
            (times.len(), times.percentile(0.95), times.percentile(1.0)),
            (100, Duration::from_millis(95), Duration::from_millis(100))
        );
    }

    proptest! {
        #[test]
        fn a_percentile_is_exact_or_up_to_a_sixteenth_too_large(mut times in prop::collection::vec(0u64..200_000, 1..300), share in 0.01f64..1.0) {
            let mut histogram = Histogram::default();
            times.iter().for_each(|&us| histogram.record(Duration::from_micros(us)));
            times.sort_unstable();
            let exact = times[((times.len() as f64 * share).ceil() as usize).max(1) - 1];
            let found = histogram.percentile_us(share);
            prop_assert!(found >= exact && found <= exact + exact / 16, "{} instead of {}", found, exact);
        }
    }
}
