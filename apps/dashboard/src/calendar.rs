// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time of day of moments that were taken from the monotonic clock.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

/// A step of the system's clock: a difference to the monotonic clock above this. The monotonic clock stands still while the
/// machine is suspended, and it does not follow when the time of day is set.
const STEP: Duration = Duration::from_millis(500);

/// The time since 1970 by the system's clock. Between two steps of that clock it never goes back, and a moment always has the
/// same time; after a step it goes on from the new time. Clones share one state.
#[derive(Clone, Debug)]
pub struct Calendar(Arc<Mutex<Clock>>);

#[derive(Debug)]
struct Clock {
    anchor: Anchor,
    /// Reads the system's clock.
    unix: fn() -> Option<Duration>,
}

/// A moment and its time since 1970.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    moment: Instant,
    unix: Duration,
}

impl Calendar {
    /// The calendar of this system.
    pub fn new() -> Self {
        let anchor = Anchor { moment: Instant::now(), unix: system().unwrap_or_default() };
        Self(Arc::new(Mutex::new(Clock { anchor, unix: system })))
    }

    /// A calendar of which `moment` is at `unix`, whatever the system's clock says.
    #[cfg(test)]
    pub fn fixed(moment: Instant, unix: Duration) -> Self {
        Self(Arc::new(Mutex::new(Clock { anchor: Anchor { moment, unix }, unix: || None })))
    }

    /// `moment`, which may be past or future, in milliseconds since 1970.
    pub fn ms(&self, moment: Instant) -> u64 {
        let mut clock = self.0.lock();
        if let Some(unix) = (clock.unix)() {
            clock.anchor.follow(Instant::now(), unix);
        }
        u64::try_from(clock.anchor.at(moment).as_millis()).unwrap_or(u64::MAX)
    }

    /// The current time in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.ms(Instant::now())
    }
}

fn system() -> Option<Duration> {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()
}

impl Anchor {
    fn at(&self, moment: Instant) -> Duration {
        match moment.checked_duration_since(self.moment) {
            Some(later) => self.unix.saturating_add(later),
            None => self.unix.saturating_sub(self.moment.saturating_duration_since(moment)),
        }
    }

    /// Moves to `now`, whose time by the system's clock is `unix`, if that clock has made a step.
    fn follow(&mut self, now: Instant, unix: Duration) {
        if self.at(now).abs_diff(unix) > STEP {
            *self = Self { moment: now, unix };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const SECOND: Duration = Duration::from_secs(1);

    /// A moment that others are reckoned from, and an anchor there.
    fn start() -> (Instant, Anchor) {
        // Before it there are moments too.
        let moment = Instant::now() + HOUR;
        (moment, Anchor { moment, unix: 100 * HOUR })
    }

    #[test]
    fn a_suspended_machine_goes_on_at_the_time_of_day() {
        let (moment, mut anchor) = start();
        anchor.follow(moment + SECOND, 102 * HOUR);
        assert_eq!(anchor.at(moment + SECOND), 102 * HOUR);
        assert_eq!(anchor.at(moment + 2 * SECOND), 102 * HOUR + SECOND);
        assert_eq!(anchor.at(moment), 102 * HOUR - SECOND, "what is shown as a second ago was a second ago");
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed() {
        let (moment, mut anchor) = start();
        anchor.follow(moment + SECOND, 99 * HOUR);
        assert_eq!(anchor.at(moment + 3 * SECOND), 99 * HOUR + 2 * SECOND);
    }

    #[test]
    fn small_differences_do_not_move_times() {
        let (moment, mut anchor) = start();
        for ms in [0, 3, 499, 1, 250] {
            anchor.follow(moment + SECOND, 100 * HOUR + SECOND + Duration::from_millis(ms));
            anchor.follow(moment + SECOND, 100 * HOUR + SECOND - Duration::from_millis(ms));
            assert_eq!(anchor.at(moment + HOUR), 101 * HOUR);
        }
    }

    #[test]
    fn the_calendar_has_the_time_of_the_system() {
        let calendar = Calendar::new();
        calendar.0.lock().anchor.unix = HOUR;
        let system = u64::try_from(system().unwrap().as_millis()).unwrap();
        assert!(calendar.now_ms().abs_diff(system) < 60_000, "it was wrong by years");
        assert!(calendar.clone().now_ms().abs_diff(system) < 60_000);
    }
}
