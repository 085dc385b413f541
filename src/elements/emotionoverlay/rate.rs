// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame rate that `draw-stats` shows.

use std::collections::VecDeque;

/// Measures frames per second over about the last second.
#[derive(Default)]
pub(super) struct FrameRate {
    /// Times of the last frames, the oldest first.
    times: VecDeque<gst::ClockTime>,
}

impl FrameRate {
    /// Counts a frame at `time`. Returns the rate, or none if fewer than two frames with different times are known.
    pub(super) fn update(&mut self, time: Option<gst::ClockTime>) -> Option<f64> {
        let time = time?;
        // Time goes backwards after a seek.
        if self.times.back().is_some_and(|last| *last > time) {
            self.times.clear();
        }
        self.times.push_back(time);
        while self.times.len() > 2 && self.times[1] + gst::ClockTime::SECOND < time {
            self.times.pop_front();
        }
        let span = time.checked_sub(self.times[0]).filter(|span| !span.is_zero())?;
        Some((self.times.len() - 1) as f64 / span.seconds_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_measured_over_the_last_second() {
        let mut rate = FrameRate::default();
        let times = (0..100).map(|frame| gst::ClockTime::from_mseconds(frame * 40));
        assert_eq!(rate.update(None), None);
        let fps = times.map(|time| rate.update(Some(time))).last().flatten();
        assert_eq!(fps, Some(25.0));
        assert!(rate.times.len() <= 28, "only the frames of the last second are stored");
        assert_eq!(rate.update(Some(gst::ClockTime::ZERO)), None, "a seek restarts the measurement");
        assert_eq!(rate.update(Some(gst::ClockTime::ZERO)), None, "two frames with the same time give no rate");
    }
}
