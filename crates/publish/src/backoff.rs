// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long to wait before the next attempt to connect.

use std::iter::Peekable;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The first wait, without the random part.
const FIRST: Duration = Duration::from_millis(125);
/// The longest wait, without the random part.
const LONGEST: Duration = Duration::from_secs(15);

/// Waits that double from attempt to attempt, from 0.25 s up to 30 s. Each is shortened at random by up to a half, so that many
/// cameras that lose a broker at the same moment do not return at the same moment.
#[derive(Debug)]
pub struct Backoff {
    waits: Peekable<ExponentialBackoff>,
}

impl Backoff {
    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        self.waits.next().expect("the waits have no end")
    }

    /// Notes a connection that ended after `lasted`. Waits start over if it was of use, or lasted longer than the next wait. A
    /// broker that accepts connections and closes them at once thus gets pauses between the attempts.
    pub fn connection_ended(&mut self, lasted: Duration, was_of_use: bool) {
        if was_of_use || self.waits.peek().is_some_and(|next| lasted > *next) {
            *self = Self::default();
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        // The random part of backon is up to as long as the wait, and is added.
        let waits = ExponentialBuilder::new().with_min_delay(FIRST).with_max_delay(LONGEST).without_max_times().with_jitter();
        Self { waits: waits.build().peekable() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest waits, in milliseconds.
    const LIMITS: [u128; 9] = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];

    #[test]
    fn waits_double_up_to_the_longest_and_are_shortened_by_up_to_a_half() {
        for _ in 0..100 {
            let mut backoff = Backoff::default();
            for limit in LIMITS.into_iter().chain([30_000; 100]) {
                let wait = backoff.wait().as_millis();
                assert!((limit / 2..=limit).contains(&wait), "{wait} ms, expected up to {limit} ms");
            }
        }
    }

    #[test]
    fn publishers_that_lose_a_broker_together_do_not_wait_equally_long() {
        let waits: std::collections::HashSet<_> = (0..100).map(|_| Backoff::default().wait()).collect();
        assert!(waits.len() > 50, "{} different waits", waits.len());
    }

    #[test]
    fn only_a_connection_that_lasted_or_was_of_use_starts_over() {
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            backoff.wait();
        }
        backoff.connection_ended(Duration::from_millis(999), false);
        assert!(backoff.wait() >= Duration::from_secs(1));
        backoff.connection_ended(Duration::from_millis(4_001), false);
        assert!((0..4).map(|_| backoff.wait()).sum::<Duration>() <= Duration::from_millis(3_750));
        backoff.connection_ended(Duration::ZERO, true);
        assert!(backoff.wait() <= Duration::from_millis(250));
    }
}
