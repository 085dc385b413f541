// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which frames of a video are examined.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Timestamps may be rounded by this much.
pub const ROUNDING_NS: u64 = 500_000;

/// Sound, or a last frame of unknown length, may go on for so long behind the last frame of a video.
pub const SILENT_NS: u64 = 1_000_000_000;

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
    /// Frames for a first look: keyframes, or, where keyframes are more than twice this time apart, the first frame at or after each
    /// multiple of it. Two of them are at most twice this time apart. Frames that are not needed for it are not decoded.
    Look(Duration),
}

impl Sampling {
    /// The time between two examined frames; `None` if all are examined.
    pub fn every(self) -> Option<Duration> {
        match self {
            Self::All => None,
            Self::First(every) | Self::Nearest(every) | Self::Look(every) => Some(every),
        }
    }

    /// How often compressed frames are taken; `None` if all are decoded.
    pub fn pace(self) -> Option<Pace> {
        match self {
            Self::All | Self::First(_) => None,
            Self::Nearest(every) => Some(Pace { every_ns: nanoseconds(every), is_look: false }),
            Self::Look(every) => Some(Pace { every_ns: nanoseconds(every), is_look: true }),
        }
    }

    /// The same times with all frames decoded.
    pub fn exact(self) -> Self {
        self.every().map_or(Self::All, Self::First)
    }
}

/// How often a frame is taken of those that are cheap to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Time between two frames, in nanoseconds.
    pub every_ns: u64,
    /// Set if frames up to twice as far apart are close enough, and none needs to be near a certain time.
    pub is_look: bool,
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
    /// Half of the maximum time between the frames by which a first look finds the spans with faces. Only these spans are examined;
    /// `None` is the whole video.
    pub look: Option<Duration>,
}

impl Schedule {
    /// The frames that are decoded first.
    pub fn first(self) -> Sampling {
        self.look.map_or(self.sampling, Sampling::Look)
    }
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum NoTime {
    #[error("expected a number of seconds")]
    NotANumber,
    /// The number is not positive, or too large.
    #[error("expected more than 0 seconds")]
    OutOfRange,
}

/// A positive number of seconds.
pub fn seconds(text: &str) -> Result<Duration, NoTime> {
    positive(text.parse().map_err(|_| NoTime::NotANumber)?)
}

fn positive(seconds: f64) -> Result<Duration, NoTime> {
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero()).ok_or(NoTime::OutOfRange)
}

/// An optional time in JSON, as a number of seconds.
pub(crate) mod in_seconds {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs_f64()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let time = |seconds| positive(seconds).map_err(|error| serde::de::Error::custom(format!("{error}, found {seconds}")));
        Option::deserialize(deserializer)?.map(time).transpose()
    }
}
