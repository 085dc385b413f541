// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pauses between attempts to start a source.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Shortest and longest pause of a camera and of a server to which video is sent.
pub const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Pauses that double with each failure in a row.
#[derive(Debug)]
pub struct Backoff {
    first: ExponentialBuilder,
    next: ExponentialBackoff,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses from `first` up to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let first = ExponentialBuilder::new().with_factor(2.0).with_min_delay(first).with_max_delay(longest).without_max_times();
        Self { first, next: first.build(), longest, failures: 0 }
    }

    /// The pause after a failure that ended a run of this length. After a run as long as the longest pause, it is the first of its row. A
    /// shorter one does not count: a source that fails after its first frame would be opened again and again without a pause.
    pub fn pause(&mut self, run: Duration) -> Duration {
        if run >= self.longest {
            self.reset();
        }
        self.failures = self.failures.saturating_add(1);
        self.next.next().expect("the number of pauses is not limited")
    }

    /// Number of failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Forgets the failures.
    pub fn reset(&mut self) {
        (self.next, self.failures) = (self.first.build(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));
        let pauses: Vec<u128> = (0..9).map(|_| backoff.pause(Duration::from_millis(9_999)).as_millis()).collect();
        assert_eq!((pauses, backoff.failures()), (vec![250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000], 9));
        assert!((0..10_000).all(|_| backoff.pause(Duration::ZERO).as_secs() == 10), "for as long as the source fails");
    }

    #[test]
    fn a_run_as_long_as_the_longest_pause_resets_the_pauses() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        for _ in 0..4 {
            backoff.pause(Duration::ZERO);
        }
        assert_eq!((backoff.pause(Duration::from_secs(30)).as_secs(), backoff.failures()), (1, 1));
        backoff.reset();
        assert_eq!((backoff.failures(), backoff.pause(Duration::ZERO).as_secs()), (0, 1));
    }
}
