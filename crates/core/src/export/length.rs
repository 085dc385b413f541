// SPDX-License-Identifier: MIT OR Apache-2.0
//! Durations for frames that arrive without one, as at variable frame rates: a frame lasts until the next one begins.

use super::{FrameReport, FrameTime};
use crate::geometry::Size;
use crate::record::FaceRecord;

/// Duration of a frame that has neither a successor nor a predecessor: 25 frames per second.
const DEFAULT_NS: u64 = 40_000_000;

/// A frame that is held back until its end is known.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenFrame {
    stream: String,
    frame: u64,
    time: FrameTime,
    size: Size,
    faces: Vec<FaceRecord>,
    misplaced: bool,
}

impl OpenFrame {
    /// The frame as it arrived, with its duration.
    pub fn report(&self) -> FrameReport<'_> {
        FrameReport {
            stream: &self.stream,
            frame: self.frame,
            time: self.time,
            size: self.size,
            faces: &self.faces,
            misplaced: self.misplaced,
        }
    }
}

/// Holds back the last frame of unknown duration until its end is known.
#[derive(Clone, Debug, Default)]
pub struct FrameLengths {
    open: Option<OpenFrame>,
    /// Distance between the last two frames.
    distance_ns: Option<u64>,
}

impl FrameLengths {
    /// Holds back a frame of unknown duration. It replaces a frame that is still held, so end that one first.
    pub fn keep(&mut self, frame: FrameReport<'_>) {
        let FrameReport { stream, frame, time, size, faces, misplaced } = frame;
        self.open = Some(OpenFrame { stream: stream.to_owned(), frame, time, size, faces: faces.to_vec(), misplaced });
    }

    /// Returns the held frame, which ends where the next frame or gap begins, at `pts_ns`. In reverse playback the next
    /// frame has a lower timestamp; the distance is the same as in forward playback at a constant rate.
    pub fn end_at(&mut self, pts_ns: u64) -> Option<OpenFrame> {
        let distance_ns = pts_ns.abs_diff(self.open.as_ref()?.time.pts_ns);
        if distance_ns > 0 {
            self.distance_ns = Some(distance_ns);
        }
        self.end()
    }

    /// Returns the held frame where nothing follows it, with the duration of the previous frame.
    pub fn end(&mut self) -> Option<OpenFrame> {
        let duration_ns = self.usual_ns();
        self.open.take().map(|open| OpenFrame { time: FrameTime { duration_ns, ..open.time }, ..open })
    }

    /// The expected duration of the next frame: that of the previous one.
    pub fn usual_ns(&self) -> u64 {
        self.distance_ns.unwrap_or(DEFAULT_NS)
    }

    /// Drops the held frame, as after a flush.
    pub fn clear(&mut self) {
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths_of(starts_ns: &[u64]) -> Vec<(u64, u64)> {
        let mut lengths = FrameLengths::default();
        let mut ended = Vec::new();
        for (frame, &pts_ns) in (0..).zip(starts_ns) {
            ended.extend(lengths.end_at(pts_ns));
            let time = FrameTime { pts_ns, ..FrameTime::default() };
            lengths.keep(FrameReport { stream: "s", frame, time, size: Size::default(), faces: &[], misplaced: false });
        }
        ended.extend(lengths.end());
        ended.iter().map(|open| (open.report().time.pts_ns, open.report().time.duration_ns)).collect()
    }

    #[test]
    fn a_frame_lasts_until_the_next_and_the_last_one_repeats_the_duration() {
        assert_eq!(lengths_of(&[0, 16, 34, 100]), [(0, 16), (16, 18), (34, 66), (100, 66)]);
    }

    #[test]
    fn single_frames_and_equal_timestamps_still_yield_a_duration() {
        assert_eq!(lengths_of(&[7]), [(7, DEFAULT_NS)]);
        assert_eq!(lengths_of(&[0, 10, 10, 25]), [(0, 10), (10, 10), (10, 15), (25, 15)]);
    }

    #[test]
    fn durations_are_the_same_in_reverse_playback() {
        assert_eq!(lengths_of(&[66, 33, 0]), [(66, 33), (33, 33), (0, 33)]);
    }

    #[test]
    fn a_cleared_frame_is_not_returned() {
        let mut lengths = FrameLengths::default();
        lengths.keep(FrameReport {
            stream: "s",
            frame: 0,
            time: FrameTime::default(),
            size: Size::default(),
            faces: &[],
            misplaced: false,
        });
        lengths.clear();
        assert_eq!(lengths.end_at(40), None);
        assert_eq!(lengths.end(), None);
    }
}
