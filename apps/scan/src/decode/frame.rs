// SPDX-License-Identifier: MIT OR Apache-2.0
//! A decoded frame, and the part of a file that it belongs to.

use crate::sampling::ROUNDING_NS;

/// Times of frames may be rounded by this much.
pub(super) const ROUNDING: i64 = ROUNDING_NS as i64;

#[derive(Debug)]
pub struct Frame {
    /// The frame with its caps and segment.
    pub sample: gst::Sample,
    /// Position in the file, in nanoseconds.
    pub time_ns: u64,
    /// Whether it was decoded to be examined.
    pub chosen: Chosen,
}

/// Whether a frame was decoded to be examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// All frames are decoded, so the caller chooses.
    Undecided,
    /// It was decoded because another frame depends on it.
    No,
    /// It is to be examined; so many frames of the slice are before it.
    Yes(u64),
}

/// A part of a file, in nanoseconds of its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Frames are examined from here on.
    pub run_up_ns: u64,
    /// Time of its first frame.
    pub start_ns: u64,
    /// Time of the first frame behind it; `None` at the end of the file.
    pub end_ns: Option<u64>,
    /// Frames are examined until this much time after the end.
    pub beyond_ns: u64,
}

/// The part of a file that is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// Frames before this time are not examined. The beginning of the file is `i64::MIN`, since edits may hide its first keyframe.
    pub(super) from_ns: i64,
    /// Frames from here on are counted.
    pub(super) start_ns: i64,
    /// The next slice begins here, and frames are not counted any more; `i64::MAX` at the end of the file.
    pub(super) end_ns: i64,
    /// Frames from this time on are not examined.
    pub(super) until_ns: i64,
}

impl Range {
    /// The range of a part of a file.
    pub(super) fn of(part: Part) -> Self {
        let signed = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        let from_ns = if part.start_ns == 0 { i64::MIN } else { signed(part.run_up_ns) };
        let end_ns = part.end_ns.map_or(i64::MAX, signed);
        Self { from_ns, start_ns: signed(part.start_ns), end_ns, until_ns: end_ns.saturating_add(signed(part.beyond_ns)) }
    }

    /// True if a frame of this time is examined.
    pub(super) fn has(&self, time_ns: i64) -> bool {
        time_ns.saturating_add(ROUNDING) >= self.from_ns && time_ns < self.until_ns.saturating_sub(ROUNDING)
    }

    /// True if a frame of this time is counted.
    pub(super) fn counts(&self, time_ns: i64) -> bool {
        time_ns.saturating_add(ROUNDING) >= self.start_ns && time_ns < self.end_ns.saturating_sub(ROUNDING)
    }
}
