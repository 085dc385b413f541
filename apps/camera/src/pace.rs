// SPDX-License-Identifier: MIT OR Apache-2.0
//! Leaves out frames of a camera that sends more than are wanted.

use std::num::NonZeroU8;

/// Less than half of the time between two frames of a camera.
const TREMBLE: gst::ClockTime = gst::ClockTime::from_mseconds(15);

/// Takes at most a number of frames a second, evenly.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Option<gst::ClockTime>,
    next: Option<gst::ClockTime>,
}

impl Pace {
    /// Takes `fps` frames a second, or without it all.
    pub fn new(fps: Option<NonZeroU8>) -> Self {
        Self { interval: fps.map(|fps| gst::ClockTime::SECOND / u64::from(fps.get())), next: None }
    }

    /// True for a frame at `time` that is taken. One without a time is.
    pub fn takes(&mut self, time: Option<gst::ClockTime>) -> bool {
        let Some((interval, time)) = self.interval.zip(time) else { return true };
        // Frames tremble around their times by less than that.
        let early = (interval / 4).min(TREMBLE);
        // After a pause, and where times begin again, the count begins again, too.
        let due = self.next.filter(|&next| time < next + interval && next < time + 2 * interval).unwrap_or(time);
        let is_due = time + early >= due;
        self.next = Some(if is_due { due + interval } else { due });
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the frames, at 25 a second, that are taken.
    fn taken(fps: u8, tremble_ms: u64, frames: u64) -> Vec<u64> {
        let mut pace = Pace::new(NonZeroU8::new(fps));
        let time = |frame: u64| gst::ClockTime::from_mseconds(100 + frame * 40 + frame % 3 * tremble_ms);
        (0..frames).filter(|&frame| pace.takes(Some(time(frame)))).collect()
    }

    #[test]
    fn frames_are_taken_evenly() {
        assert_eq!(taken(5, 0, 11), [0, 5, 10]);
        assert_eq!(taken(25, 4, 10).len(), 10, "trembling frames at that rate are all taken");
        assert_eq!((taken(10, 0, 250).len(), taken(10, 5, 250).len(), taken(60, 0, 25).len()), (100, 100, 25));
        assert!(Pace::new(None).takes(None));
    }

    #[test]
    fn times_that_begin_again_do_not_stop_it() {
        let mut pace = Pace::new(NonZeroU8::new(1));
        let seconds = [1000, 1001, 0, 1, 500, 501];
        assert!(seconds.iter().all(|&second| pace.takes(Some(gst::ClockTime::from_seconds(second)))));
    }
}
