// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which frames of a video are examined.

use std::time::Duration;

/// Timestamps may be rounded by this much.
pub const ROUNDING_NS: u64 = 500_000;

/// Which frames of a video are examined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// All of them.
    #[default]
    All,
    /// The first frame of each interval of this length. All frames are decoded.
    First(Duration),
    /// The frame nearest to each multiple of this time that is cheap to decode: a keyframe, or, where keyframes are further
    /// apart, the first frame at or after the time. Frames that are not needed for it are not decoded.
    Nearest(Duration),
}

impl Sampling {
    /// The time between two examined frames; `None` if all are examined.
    pub fn every(self) -> Option<Duration> {
        match self {
            Self::All => None,
            Self::First(every) | Self::Nearest(every) => Some(every),
        }
    }

    /// The same times with all frames decoded.
    pub fn exact(self) -> Self {
        self.every().map_or(Self::All, Self::First)
    }
}

/// `every` in nanoseconds, at least 1.
pub fn nanoseconds(every: Duration) -> u64 {
    u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// Number of the interval of length `every` that contains `time_ns`. Intervals begin at the start of the file.
pub fn interval(time_ns: u64, every: Duration) -> u64 {
    time_ns.saturating_add(ROUNDING_NS) / nanoseconds(every)
}

/// How a video is examined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Which frames are examined.
    pub sampling: Sampling,
    /// Time between the frames by which a first look finds the spans with faces. Only these spans are examined; `None` is the
    /// whole video.
    pub look: Option<Duration>,
}

impl Schedule {
    /// The frames that are decoded first.
    pub fn first(self) -> Sampling {
        self.look.map_or(self.sampling, Sampling::Nearest)
    }
}
