// SPDX-License-Identifier: MIT OR Apache-2.0
//! The times that all records have.

use serde::{Deserialize, Serialize};

use crate::Utc;
use crate::text::known;

/// The times of a frame, of the frames of an interval, or of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Times {
    /// Position in the media in seconds: `stream_time`, or `pts` where that is null.
    pub time_s: f64,
    /// `duration` in seconds.
    pub duration_s: f64,
    /// Timestamp in nanoseconds, exact. It need not start at 0.
    pub pts: u64,
    /// Nanoseconds: of a frame; of an interval, to the end of its last frame; of an event, of what ended with it. That is for
    /// `expression` how long the face showed `from`, for `left` how long it was in view, for `blink` how long the eyes were closed,
    /// for a state that ends how long it lasted, and 0 for others.
    pub duration: u64,
    /// Position in the media in nanoseconds, 0 at its start.
    pub stream_time: Option<u64>,
    /// Nanoseconds since the pipeline began to play.
    pub running_time: Option<u64>,
    /// Capture time, in RFC 3339. Null where it is unknown, as in a file.
    #[serde(deserialize_with = "known")]
    pub utc: Option<Utc>,
    /// Position in the recording beside the records, in nanoseconds. Only what records both adds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_time: Option<u64>,
}

impl Times {
    /// Where a video that belongs to the records shows this, in nanoseconds.
    pub fn position(&self) -> u64 {
        self.recording_time.or(self.stream_time).unwrap_or(self.pts)
    }
}
