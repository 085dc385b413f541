// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pauses between attempts to start a source.

use std::time::Duration;

/// Pauses that double with each failure in a row.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses from `first` up to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The pause after a failure. A failure after a good run is the first of its row.
    pub fn pause(&mut self, after_good_run: bool) -> Duration {
        self.failures = if after_good_run { 1 } else { self.failures.saturating_add(1) };
        self.first.saturating_mul(1 << (self.failures - 1).min(16)).min(self.longest)
    }

    /// Number of failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Forgets the failures.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        let seconds: Vec<u64> = (0..8).map(|_| backoff.pause(false).as_secs()).collect();
        assert_eq!((seconds, backoff.failures()), (vec![1, 2, 4, 8, 16, 30, 30, 30], 8));
        backoff.failures = u32::MAX;
        assert_eq!(backoff.pause(false).as_secs(), 30);
    }

    #[test]
    fn a_good_run_resets_the_pauses() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        for _ in 0..4 {
            backoff.pause(false);
        }
        assert_eq!((backoff.pause(true).as_secs(), backoff.failures()), (1, 1));
        backoff.reset();
        assert_eq!((backoff.failures(), backoff.pause(false).as_secs()), (0, 1));
    }
}
