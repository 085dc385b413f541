// SPDX-License-Identifier: MIT OR Apache-2.0
//! The times of frames of a camera whose clock runs at another rate than this machine's, or begins somewhere else.

const SECOND: i64 = 1_000_000_000;
/// Time after which the offset may grow.
const WINDOW: i64 = 30 * SECOND;
/// Frames whose times go back by this, or forward to more than this after now, begin a new count.
const BREAK: i64 = 2 * SECOND;
/// Distance of two frames between which the times begin again, at least.
const BESIDE: i64 = SECOND / 100;
/// Times are at most this part faster or slower than those of the frames: those of a bundle would be too close to each other otherwise.
const SLOWNESS: i64 = 20;

/// Places frames by their own times, which are as even as they were taken, on the clock on which they arrive in bundles. A frame
/// cannot arrive before it was taken: the one that arrives earliest, within half a minute, says where all are. Before the first frame is
/// decoded, its data do. In nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrivals {
    known: Option<Known>,
    /// The least offset of data before the first frame.
    of_data: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// From the times of frames to the clock.
    offset: i64,
    /// Where it moves to.
    target: i64,
    /// Start of the window, and the least offset in it.
    window: (i64, i64),
    /// Time of the last frame, and when it arrived.
    last: (i64, i64),
}

/// Where a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its time on the clock.
    pub time: i64,
    /// How much later it is placed than the frame before, beyond the difference of their own times.
    pub moved: i64,
    /// If the times of frames began again: how much further they are from the clock than before.
    pub shift: Option<i64>,
}

impl Arrivals {
    /// Takes note that data of a frame with the time `time` arrive at `now`.
    pub fn expect(&mut self, time: i64, now: i64) {
        let own = now.saturating_sub(time);
        self.of_data = self.of_data.map_or(Some(own), |least| Some(least.min(own))).filter(|_| self.known.is_none());
    }

    /// Places a frame with the time `time` that arrives at `now`.
    pub fn place(&mut self, time: i64, now: i64) -> Placed {
        let own = now.saturating_sub(time);
        let before = self.known.take();
        let change = |known: &Known| before.map(|before| known.offset.saturating_sub(before.offset));
        let (known, moved, shift) = match before.filter(|before| before.is_followed_by(time, now)).map(|before| before.after(time, now)) {
            Some(known) => (known, change(&known).unwrap_or_default(), None),
            None => {
                let least = self.of_data.take().map_or(own, |least| least.min(own));
                let (offset, target) = match before {
                    // Where the times begin again, the frames before may have been placed too late.
                    Some(before) => (own.max(before.last.0 + before.offset + BESIDE - time), own),
                    // The clock begins at 0. Data may be of frames that are shown later, so those alone do not move the first ones.
                    None => [least.max(-time); 2].into(),
                };
                let known = Known { offset, target, window: (now, target), last: (time, now) };
                (known, 0, change(&known))
            }
        };
        self.known = Some(known);
        Placed { time: time.saturating_add(known.offset), moved, shift }
    }
}

impl Known {
    /// False if the times of frames begin again with a frame at `time` that arrives at `now`.
    fn is_followed_by(&self, time: i64, now: i64) -> bool {
        let step = time.saturating_sub(self.last.0);
        // Frames that come late, as after a pause of the program, may be further apart than their arrivals.
        let last = self.last.1.min(self.last.0.saturating_add(self.offset));
        (-BREAK..=now.saturating_sub(last).saturating_add(BREAK)).contains(&step)
    }

    fn after(self, time: i64, now: i64) -> Self {
        let own = now.saturating_sub(time);
        let least = self.window.1.min(own);
        let is_over = now.saturating_sub(self.window.0) >= WINDOW;
        let target = if is_over { least } else { self.target.min(own) };
        let step = time.saturating_sub(self.last.0).max(0);
        let most = step / SLOWNESS;
        let offset = self.offset.saturating_add(target.saturating_sub(self.offset).clamp(-most, most));
        Self { offset, target, window: if is_over { (now, own) } else { (self.window.0, least) }, last: (time, now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// The times on the clock, in milliseconds, of frames each 40 ms that arrive at these milliseconds.
    fn placed(arrivals_ms: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut arrivals = Arrivals::default();
        // Their own times begin at an hour.
        let own = (0..).map(|frame| 3600 * SECOND + frame * 40 * MS);
        own.zip(arrivals_ms).map(|(own, now)| arrivals.place(own, now * MS).time / MS).collect()
    }

    #[test]
    fn frames_of_bundles_are_as_far_apart_as_they_were_taken() {
        let places = placed((0..240).map(|frame| (frame / 8 * 8 + 8) * 40));
        let steps: Vec<i64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|&step| (38..=40).contains(&step)), "{steps:?}");
        assert_eq!(places[239], 240 * 40, "the last one of a bundle has just been taken");
    }

    #[test]
    fn a_network_that_becomes_faster_does_not_squeeze_frames() {
        let places = placed((0..250).map(|frame| frame * 40 + if frame < 100 { 300 } else { 20 }));
        let steps: Vec<i64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (38..=40).contains(step)), "{steps:?}");
        assert_eq!(places[249], 249 * 40 + 20);
    }

    #[test]
    fn a_clock_that_is_slower_or_faster_does_not_move_frames_away_from_now() {
        for drift in [-200, 200] {
            let mut arrivals = Arrivals::default();
            for frame in 0..90_000 {
                let time = frame * 40 * MS;
                let (now, place) = (time + time / 1_000_000 * drift, arrivals.place(time, time + time / 1_000_000 * drift).time);
                assert!((-MS..13 * MS).contains(&(now - place)), "{drift}: frame {frame} is {} ns late", now - place);
            }
        }
    }

    #[test]
    fn a_gap_among_frames_that_waited_for_the_program_is_no_new_beginning() {
        let mut arrivals = Arrivals::default();
        // The program pauses from 10 s to 24 s, and the camera from 14 s to 18 s.
        let own = (0..70).chain(90..150).map(|frame| frame * SECOND / 5);
        let places = own.map(|own| (own, arrivals.place(own, if own < 10 * SECOND { own } else { own.max(24 * SECOND) })));
        assert!(places.into_iter().all(|(own, placed)| placed.time == own && placed.shift.is_none()));
    }

    #[test]
    fn the_data_of_a_first_bundle_say_how_old_its_frames_are() {
        let mut arrivals = Arrivals::default();
        // Thirty frames of six seconds arrive at once, and are decoded two seconds later.
        (0..30).for_each(|frame| arrivals.expect(frame * SECOND / 5, 7 * SECOND));
        let places: Vec<i64> = (0..30).map(|frame| arrivals.place(frame * SECOND / 5, 9 * SECOND).time).collect();
        assert_eq!(places, (0..30).map(|frame| frame * SECOND / 5 + SECOND * 6 / 5).collect::<Vec<i64>>());
        arrivals.expect(0, 0);
        assert_eq!(arrivals.place(6 * SECOND, 9 * SECOND).time, SECOND * 36 / 5, "later data say nothing");
        // Those of a camera that sends what it has kept are from before the clock began.
        let mut arrivals = Arrivals::default();
        (0..30).for_each(|frame| arrivals.expect(frame * SECOND / 5, SECOND));
        assert_eq!(arrivals.place(0, SECOND).time, 0);
        // A frame that others refer to comes before them, and has a later time.
        let mut arrivals = Arrivals::default();
        [0, 3, 1, 2].into_iter().zip(1..).for_each(|(frame, now)| arrivals.expect(frame * SECOND / 10, now * SECOND / 10));
        let places: Vec<i64> = (0..4).map(|frame| arrivals.place(frame * SECOND / 10, SECOND / 2 + frame * SECOND / 10).time).collect();
        assert_eq!(places, (0..4).map(|frame| frame * SECOND / 10).collect::<Vec<i64>>(), "as far apart as they were taken");
    }

    #[test]
    fn times_that_begin_again_are_placed_at_now() {
        let mut arrivals = Arrivals::default();
        let mut place = |time: i64, now: i64| arrivals.place(time * SECOND, now * SECOND);
        assert_eq!(place(5000, 1), Placed { time: SECOND, moved: 0, shift: None });
        assert_eq!(place(0, 2), Placed { time: 2 * SECOND, moved: 0, shift: Some(5001 * SECOND) });
        assert_eq!(place(1, 3), Placed { time: 3 * SECOND, moved: 0, shift: None });
        assert_eq!(place(3000, 4), Placed { time: 4 * SECOND, moved: 0, shift: Some(-2998 * SECOND) });
    }

    #[test]
    fn times_that_begin_again_do_not_go_back() {
        let mut arrivals = Arrivals::default();
        // The first frame was a second late, so those after it are still placed too late.
        arrivals.place(0, SECOND);
        let before = arrivals.place(80 * MS, 80 * MS).time;
        let (first, next) = (arrivals.place(-BREAK, 120 * MS).time, arrivals.place(40 * MS - BREAK, 160 * MS).time);
        assert!(first > before && (38..=40).contains(&((next - first) / MS)), "{before} {first} {next}");
    }

    #[test]
    fn frames_that_a_network_has_held_back_keep_their_times() {
        let mut arrivals = Arrivals::default();
        let places: Vec<i64> =
            (0..20).map(|frame| arrivals.place(frame * SECOND, if frame < 10 { frame } else { 19 } * SECOND).time).collect();
        assert_eq!(places, (0..20).map(|frame| frame * SECOND).collect::<Vec<i64>>());
    }
}
