// SPDX-License-Identifier: MIT OR Apache-2.0
//! The times of frames: those of the stream, as long as they increase.

use gst::prelude::*;

/// Length of a frame in a stream without a frame rate.
const UNKNOWN_LENGTH_NS: u64 = 40_000_000;
/// A frame that is at most so many lengths before the last one, and has the highest position so far or follows a jump, shows that the
/// last one was late.
const MAX_LATE: u64 = 10;
/// Rough positions are less than so many lengths wrong.
const ROUGH: u64 = 4;
/// Until the times are those of the stream again, frames follow each other in this part of their length.
const CATCH_UP: u64 = 4;

/// Gives each frame a time after that of the frame before. Some decoders lose timestamps, and in recordings that were put
/// together they begin again.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    last_ns: Option<u64>,
    /// The highest position.
    highest_ns: Option<u64>,
    /// Set if positions are only near those of their frames.
    is_rough: bool,
    /// Set if the last position that was a time left out some.
    has_jumped: bool,
}

impl Timeline {
    /// A timeline of positions that are some frames wrong, at a constant rate.
    pub fn rough() -> Self {
        Self { is_rough: true, ..Self::default() }
    }

    /// Time of the next frame, in nanoseconds. `buffer` gets a timestamp if its own is missing or not after the last one.
    pub fn stamp(&mut self, buffer: &mut gst::Buffer, caps: Option<&gst::CapsRef>, segment: Option<&gst::Segment>) -> u64 {
        let own = position(buffer, segment);
        let time_ns = self.next(own, length(buffer, caps));
        if own != Some(time_ns) {
            let time = gst::ClockTime::from_nseconds(time_ns);
            let segment = segment.and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
            buffer.make_mut().set_pts(segment.and_then(|segment| segment.position_from_stream_time(time)).unwrap_or(time));
        }
        time_ns
    }

    /// Time of the next frame, which has this position in the stream and is this long.
    pub fn next(&mut self, position_ns: Option<u64>, length_ns: Option<u64>) -> u64 {
        let length_ns = length_ns.filter(|length| *length > 0).unwrap_or(UNKNOWN_LENGTH_NS);
        let is_higher = self.highest_ns < position_ns;
        self.highest_ns = self.highest_ns.max(position_ns);
        let Some(last) = self.last_ns else { return *self.last_ns.insert(position_ns.unwrap_or(0)) };
        let slack_ns = if self.is_rough { ROUGH * length_ns } else { 0 };
        let is_near = |position: u64| !self.is_rough && position <= last && last - position < MAX_LATE * length_ns;
        let time_ns = match position_ns {
            Some(position) if position > last.saturating_add(slack_ns) => {
                self.has_jumped = position - last > length_ns + length_ns / 2;
                position
            }
            Some(position) if is_near(position) && (is_higher || self.has_jumped && position < last) => last + length_ns / CATCH_UP,
            _ => last.saturating_add(length_ns),
        };
        *self.last_ns.insert(time_ns)
    }
}

/// Position of a frame in the file, in nanoseconds; `None` if it has no timestamp.
pub fn position(buffer: &gst::BufferRef, segment: Option<&gst::Segment>) -> Option<u64> {
    let pts = buffer.pts()?;
    let in_stream = segment.and_then(|segment| segment.downcast_ref::<gst::ClockTime>()?.to_stream_time(pts));
    Some(in_stream.unwrap_or(pts).nseconds())
}

/// Length of a frame, in nanoseconds; `None` if the stream does not have it.
fn length(buffer: &gst::BufferRef, caps: Option<&gst::CapsRef>) -> Option<u64> {
    let by_rate = || {
        let rate = caps?.structure(0)?.get::<gst::Fraction>("framerate").ok().filter(|rate| rate.numer() > 0)?;
        gst::ClockTime::SECOND.mul_div_round(rate.denom() as u64, rate.numer() as u64)
    };
    buffer.duration().or_else(by_rate).map(gst::ClockTime::nseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(positions: &[Option<u64>], length_ns: Option<u64>) -> Vec<u64> {
        let mut timeline = Timeline::default();
        positions.iter().map(|position| timeline.next(*position, length_ns)).collect()
    }

    #[test]
    fn increasing_positions_are_the_times() {
        assert_eq!(times(&[Some(7), Some(8), Some(500)], Some(40)), [7, 8, 500]);
    }

    #[test]
    fn a_buffer_without_a_timestamp_gets_one_in_its_segment() {
        gst::init().unwrap();
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_start(gst::ClockTime::from_seconds(100));
        let caps = gst::Caps::builder("video/x-raw").field("framerate", gst::Fraction::new(10, 1)).build();
        let mut timeline = Timeline::default();
        let stamps = [Some(100), None, Some(100)].map(|pts| {
            let mut buffer = gst::Buffer::new();
            buffer.make_mut().set_pts(pts.map(gst::ClockTime::from_seconds));
            let time_ns = timeline.stamp(&mut buffer, Some(caps.as_ref()), Some(segment.upcast_ref()));
            (time_ns / 1_000_000, buffer.pts().unwrap().mseconds())
        });
        assert_eq!(stamps, [(0, 100_000), (100, 100_100), (200, 100_200)]);
    }

    #[test]
    fn a_late_time_does_not_delay_those_behind_it() {
        let found = times(&[Some(80), Some(200), Some(200), Some(200), Some(240), Some(280)], Some(40));
        assert_eq!(found, [80, 200, 240, 250, 260, 280]);
    }

    #[test]
    fn a_frame_too_many_does_not_delay_those_behind_it() {
        assert_eq!(times(&[Some(80), Some(120), Some(120), Some(160), Some(200)], Some(40)), [80, 120, 160, 170, 200]);
    }

    #[test]
    fn rough_positions_count_only_behind_a_gap() {
        let mut timeline = Timeline::rough();
        let positions = [0, 40, 80, 80, 120, 160, 900, 940].map(Some);
        assert_eq!(positions.map(|position| timeline.next(position, Some(40))), [0, 40, 80, 120, 160, 200, 900, 940]);
    }

    #[test]
    fn frames_without_a_later_position_follow_the_last_one() {
        assert_eq!(times(&[None, None, None], Some(40)), [0, 40, 80]);
        assert_eq!(times(&[Some(100), Some(100), Some(3), Some(50), Some(230)], Some(40)), [100, 140, 180, 220, 230]);
        assert_eq!(times(&[Some(5), None], None), [5, 5 + UNKNOWN_LENGTH_NS]);
    }
}
