// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lengths of frames that come without one, as where the rate varies: a frame lasts until the next one begins.

use super::{FrameReport, FrameTime};
use crate::record::FaceRecord;

/// Length of a single frame of which nothing is known.
const DEFAULT_NS: u64 = 40_000_000;

/// A frame that is kept until its end is known.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenFrame {
    stream: String,
    frame: u64,
    time: FrameTime,
    faces: Vec<FaceRecord>,
}

impl OpenFrame {
    /// The frame as it came, with its length.
    pub fn report(&self) -> FrameReport<'_> {
        FrameReport { stream: &self.stream, frame: self.frame, time: self.time, faces: &self.faces }
    }
}

/// Keeps the last frame of unknown length until something tells where it ends.
#[derive(Clone, Debug, Default)]
pub struct FrameLengths {
    open: Option<OpenFrame>,
    /// Between the last two frames.
    distance_ns: Option<u64>,
}

impl FrameLengths {
    /// Keeps a frame whose length is not known. One that is kept already has to be taken before.
    pub fn keep(&mut self, frame: FrameReport<'_>) {
        let FrameReport { stream, frame, time, faces } = frame;
        self.open = Some(OpenFrame { stream: stream.to_owned(), frame, time, faces: faces.to_vec() });
    }

    /// The kept frame, which lasts until the next frame or gap, at `pts_ns`. Played backwards that one lies before it, as far
    /// away as the one that followed in the recording.
    pub fn end_at(&mut self, pts_ns: u64) -> Option<OpenFrame> {
        let distance_ns = pts_ns.abs_diff(self.open.as_ref()?.time.pts_ns);
        if distance_ns > 0 {
            self.distance_ns = Some(distance_ns);
        }
        self.end()
    }

    /// The kept frame where nothing follows it: as long as the one before.
    pub fn end(&mut self) -> Option<OpenFrame> {
        let duration_ns = self.usual_ns();
        self.open.take().map(|open| OpenFrame { time: FrameTime { duration_ns, ..open.time }, ..open })
    }

    /// The length that the next frame is likely to have: that of the one before.
    pub fn usual_ns(&self) -> u64 {
        self.distance_ns.unwrap_or(DEFAULT_NS)
    }

    /// Forgets the kept frame, as after a flush.
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
            lengths.keep(FrameReport { stream: "s", frame, time: FrameTime { pts_ns, ..FrameTime::default() }, faces: &[] });
        }
        ended.extend(lengths.end());
        ended.iter().map(|open| (open.report().time.pts_ns, open.report().time.duration_ns)).collect()
    }

    #[test]
    fn a_frame_lasts_until_the_next_and_the_last_as_long_as_the_one_before() {
        assert_eq!(lengths_of(&[0, 16, 34, 100]), [(0, 16), (16, 18), (34, 66), (100, 66)]);
    }

    #[test]
    fn a_single_frame_and_two_at_one_time_have_a_length_all_the_same() {
        assert_eq!(lengths_of(&[7]), [(7, DEFAULT_NS)]);
        assert_eq!(lengths_of(&[0, 10, 10, 25]), [(0, 10), (10, 10), (10, 15), (25, 15)]);
    }

    #[test]
    fn backwards_a_frame_is_as_long_as_forwards() {
        assert_eq!(lengths_of(&[66, 33, 0]), [(66, 33), (33, 33), (0, 33)]);
    }

    #[test]
    fn what_was_flushed_is_not_told() {
        let mut lengths = FrameLengths::default();
        lengths.keep(FrameReport { stream: "s", frame: 0, time: FrameTime::default(), faces: &[] });
        lengths.clear();
        assert_eq!(lengths.end_at(40), None);
        assert_eq!(lengths.end(), None);
    }
}
