// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the decoder of a file may use.

use std::time::Duration;

use emotion_photo_reader::limits::check_within;

use super::failure::Failure;

/// What the decoder of a file may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// GStreamer gives up a file after this time without progress.
    pub time: Duration,
    /// Maximum number of pixels of a picture; `None` for what the reader of photos allows, and for videos of any size.
    pub pixels: Option<u64>,
}

impl Limits {
    /// A limit of time alone.
    pub fn time(time: Duration) -> Self {
        Self { time, pixels: None }
    }

    /// Checks the size of a photo before it is decoded, if its size is known by then.
    pub(super) fn check(self, size: Option<(u32, u32)>) -> Result<(), Failure> {
        let checked = self.pixels.zip(size).map_or(Ok(()), |(max, (width, height))| check_within(width, height, max));
        Ok(checked.map_err(emotion_photo_reader::Error::from)?)
    }
}
