// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time of day of frames, by the camera's clock where it can be believed, and else by this machine's.
//!
//! A camera that sends RTP reports its own time now and then (sender reports, RFC 3550). The rule:
//!
//! 1. A report counts if it is within 10 seconds of this machine's time. A camera whose clock was never set, or is days off, is
//!    hours or years away, and its frames have the time of their arrival.
//! 2. A report that differs from the one before by more than 100 ms counts once the next one agrees. Single wrong reports change nothing.
//! 3. The time of frames moves towards a report that counts by at most 1/20 of the time that passes. So it never jumps and never goes
//!    back, also where a camera's clock steps.
//! 4. After three reports in a row that do not count, frames have the time of their arrival again.
//!
//! All times are in nanoseconds. An offset is the difference of the time of day and the running time of a pipeline.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000_000;
/// How far a camera's clock may be from this machine's.
const TRUSTED: i64 = 10 * SECOND;
/// Two reports that differ by less agree.
const AGREEING: i64 = SECOND / 10;
/// Refused reports in a row after which the camera's clock is no longer used.
const REFUSED: u32 = 3;
/// The time of frames is at most this part faster or slower than time passes.
const SLOWNESS: i64 = 20;

/// Whose clock gives the time of day of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The camera's, if it reports its time and that is within 10 seconds of this machine's
    #[default]
    Camera,
    /// This machine's, when a frame arrives
    Arrival,
}

/// The time of day of the frames of one run of a source.
#[derive(Clone, Debug, Default)]
pub struct TimeOfDay {
    clock: Clock,
    /// The offset by the reports that count.
    reported: Option<i64>,
    /// That of a report which is not confirmed yet.
    unconfirmed: Option<i64>,
    refused: u32,
    /// The offset of the last frame, and its running time.
    last: Option<(i64, i64)>,
}

/// What a report changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// From now on, frames have the camera's time, which is this far ahead of this machine's.
    Camera(i64),
    /// From now on, frames have the time of their arrival, because the camera's is so far ahead.
    Arrival(i64),
}

impl TimeOfDay {
    /// The time of a source without frames yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Takes a report. Returns what is new about the camera's clock. `arrival` is the offset of this machine's clock.
    pub fn report(&mut self, offset: i64, arrival: i64) -> Option<Belief> {
        if self.clock == Clock::Arrival {
            return None;
        }
        let ahead = offset.saturating_sub(arrival);
        let agrees = |known: Option<i64>| known.is_some_and(|known| offset.abs_diff(known) < AGREEING.unsigned_abs());
        let is_near = ahead.unsigned_abs() <= TRUSTED.unsigned_abs();
        let is_confirmed = is_near && (self.reported.is_none() && self.refused == 0 || agrees(self.reported) || agrees(self.unconfirmed));
        self.unconfirmed = Some(offset);
        if is_confirmed {
            self.refused = 0;
            return self.reported.replace(offset).is_none().then_some(Belief::Camera(ahead));
        }
        self.refused = self.refused.saturating_add(1);
        if self.refused == REFUSED {
            self.reported = None;
            return Some(Belief::Arrival(ahead));
        }
        None
    }

    /// Moves all offsets, because the running times of frames began again.
    pub fn shift(&mut self, by: i64) {
        [&mut self.reported, &mut self.unconfirmed].into_iter().flatten().for_each(|offset| *offset = offset.saturating_add(by));
        // As far as it has come: the time of day goes on from the frame before.
        self.last = self.last.map(|(offset, before)| (offset.saturating_add(by), before.saturating_sub(by)));
    }

    /// Moves the time of arrival, because it has become known how late frames are.
    pub fn settle(&mut self, by: i64) {
        if self.reported.is_none() {
            self.last = self.last.map(|(offset, before)| (offset.saturating_add(by), before));
        }
    }

    /// The time of day of a frame at `running`, since 1970. `arrival` is the offset of this machine's clock.
    pub fn of_frame(&mut self, running: i64, arrival: i64) -> i64 {
        let target = self.reported.unwrap_or(arrival);
        let offset = match self.last {
            // More than that is a step of this machine's own clock.
            Some((last, before)) if last.abs_diff(target) <= 2 * TRUSTED.unsigned_abs() => {
                let most = running.saturating_sub(before).max(0) / SLOWNESS;
                last + (target - last).clamp(-most, most)
            }
            _ => target,
        };
        self.last = Some((offset, running));
        running.saturating_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = SECOND / 25;
    /// The offset of this machine.
    const HERE: i64 = 1_700_000_000 * SECOND;

    /// The times of 25 frames for each second of `reports`, each of which has the camera's lead in milliseconds.
    fn times(day: &mut TimeOfDay, start_s: i64, reports: &[i64]) -> Vec<i64> {
        let second = |(index, lead): (usize, &i64)| {
            day.report(HERE + lead * SECOND / 1000, HERE);
            let start = (start_s + index as i64) * SECOND;
            (0..25).map(|frame| day.of_frame(start + frame * FRAME, HERE)).collect::<Vec<i64>>()
        };
        reports.iter().enumerate().flat_map(second).collect()
    }

    /// How far ahead of this machine's clock the last frame is, in milliseconds; the frames are those of [`times`].
    fn lead(times: &[i64], start_s: i64) -> i64 {
        let running = start_s * SECOND + (times.len() as i64 - 1) * FRAME;
        (times[times.len() - 1] - HERE - running) / (SECOND / 1000)
    }

    fn assert_smooth(times: &[i64]) {
        let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(steps.clone().all(|step| (FRAME * 19 / 20..=FRAME * 21 / 20).contains(&step)), "{:?}", steps.collect::<Vec<_>>());
    }

    #[test]
    fn frames_have_the_cameras_time_from_the_first_report_on() {
        let mut day = TimeOfDay::new(Clock::Camera);
        let seen = times(&mut day, 0, &[2500, 2520, 2480]);
        assert_smooth(&seen);
        assert_eq!((lead(&seen[..25], 0), lead(&seen, 0)), (2500, 2480));
        assert_eq!(TimeOfDay::new(Clock::Camera).report(HERE + 5, HERE), Some(Belief::Camera(5)));
    }

    #[test]
    fn a_first_report_that_comes_late_makes_no_jump() {
        let mut day = TimeOfDay::new(Clock::Camera);
        let before: Vec<i64> = (0..50).map(|frame| day.of_frame(frame * FRAME, HERE)).collect();
        let after = times(&mut day, 2, &[-400; 20]);
        assert_smooth(&[before, after.clone()].concat());
        assert_eq!((lead(&after[..25], 2), lead(&after, 2)), (-50, -400), "after eight seconds it has the camera's time");
    }

    #[test]
    fn the_clock_of_a_camera_that_is_days_off_is_not_used() {
        for days in [-20_000_i64, -3, 3] {
            let mut day = TimeOfDay::new(Clock::Camera);
            let reports: Vec<_> = (0..4).map(|_| day.report(HERE + days * 86_400 * SECOND, HERE)).collect();
            assert_eq!(reports, [None, None, Some(Belief::Arrival(days * 86_400 * SECOND)), None]);
            assert_eq!(day.of_frame(SECOND, HERE), HERE + SECOND);
        }
    }

    #[test]
    fn a_clock_that_was_set_meanwhile_is_used_again() {
        let mut day = TimeOfDay::new(Clock::Camera);
        let seen = times(&mut day, 0, &[90_000, 90_000, 90_000, 90_000, 300, 300, 300, 300, 300, 300, 300, 300]);
        assert_smooth(&seen);
        assert_eq!(lead(&seen, 0), 300);
    }

    #[test]
    fn a_clock_that_steps_back_is_followed_without_going_back() {
        let mut day = TimeOfDay::new(Clock::Camera);
        let seen = times(&mut day, 0, &[[0; 5], [-1000; 5], [-1000; 5], [-1000; 5], [-1000; 5], [-1000; 5]].concat());
        assert_smooth(&seen);
        assert_eq!(lead(&seen, 0), -1000);
    }

    #[test]
    fn single_wrong_reports_change_nothing() {
        let mut day = TimeOfDay::new(Clock::Camera);
        let seen = times(&mut day, 0, &[100, 100, 9_000, 110, -70_000, 90, 100, 5_000_000, 100]);
        assert_smooth(&seen);
        assert!((99..=101).contains(&lead(&seen, 0)), "{}", lead(&seen, 0));
    }

    #[test]
    fn running_times_that_begin_again_change_nothing() {
        let mut day = TimeOfDay::new(Clock::Camera);
        let before = times(&mut day, 100, &[300]);
        day.shift(101 * SECOND);
        // The next report is one second later.
        assert_eq!(day.report(HERE + 101 * SECOND + 3 * SECOND / 10, HERE + 101 * SECOND), None);
        let after: Vec<i64> = (0..25).map(|frame| day.of_frame(frame * FRAME, HERE + 101 * SECOND)).collect();
        assert_smooth(&[before, after].concat());
    }

    #[test]
    fn the_time_of_arrival_is_where_frames_are_placed() {
        let mut day = TimeOfDay::new(Clock::Arrival);
        assert_eq!(day.of_frame(0, HERE), HERE);
        day.settle(-SECOND);
        assert_eq!(day.of_frame(2 * SECOND, HERE - SECOND), HERE + SECOND);
        let mut day = TimeOfDay::new(Clock::Camera);
        day.report(HERE, HERE);
        assert_eq!(day.of_frame(0, HERE), HERE);
        day.settle(-SECOND);
        assert_eq!(day.of_frame(SECOND, HERE - SECOND), HERE + SECOND, "the camera's does not depend on it");
    }

    #[test]
    fn a_step_of_this_machines_own_clock_is_followed_at_once() {
        let mut day = TimeOfDay::new(Clock::Arrival);
        assert_eq!(day.report(HERE + SECOND, HERE), None);
        assert_eq!(day.of_frame(0, HERE), HERE);
        assert_eq!(day.of_frame(FRAME, HERE + 3600 * SECOND), HERE + 3600 * SECOND + FRAME);
    }
}
