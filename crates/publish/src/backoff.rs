// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// Number of doublings after which every wait is [`LONGEST`].
const MAX_DOUBLINGS: u32 = 16;

/// Waits that double from attempt to attempt, each shortened at random by up to a half: many cameras that lose a broker at
/// the same moment do not return at the same moment.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The next wait. `random` is in 0..1.
    pub fn wait(&mut self, random: f64) -> Duration {
        let longest = self.longest();
        self.attempts = (self.attempts + 1).min(MAX_DOUBLINGS);
        longest.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }

    /// Notes a connection that ended after `lasted`. If it lasted longer than the next wait, waits start over. A broker that
    /// accepts connections and closes them at once is thus not asked again and again without a pause.
    pub fn connection_ended(&mut self, lasted: Duration) {
        if lasted > self.longest() {
            self.attempts = 0;
        }
    }

    fn longest(&self) -> Duration {
        FIRST.saturating_mul(1 << self.attempts).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..9).map(|_| backoff.wait(0.0).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        (0..100).for_each(|_| assert_eq!(backoff.wait(0.0), LONGEST));
    }

    #[test]
    fn chance_shortens_a_wait_by_up_to_a_half() {
        let waits = [0.0, 0.5, 1.0, 7.0].map(|random| Backoff { attempts: 2 }.wait(random).as_millis());
        assert_eq!(waits, [1_000, 750, 500, 500]);
    }

    #[test]
    fn only_a_connection_that_lasted_starts_over() {
        let mut backoff = Backoff { attempts: 3 };
        backoff.connection_ended(Duration::from_secs(2));
        assert_eq!(backoff.wait(0.0), Duration::from_secs(2));
        backoff.connection_ended(Duration::from_secs(5));
        assert_eq!(backoff.wait(0.0), FIRST);
    }
}
