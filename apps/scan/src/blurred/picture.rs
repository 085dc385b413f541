// SPDX-License-Identifier: MIT OR Apache-2.0
//! Small pictures of the result for the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::failure::Failure;
use crate::error::Error;

/// Width in pixels.
const WIDTH: i32 = 320;
const LIMIT: gst::ClockTime = gst::ClockTime::from_seconds(20);

/// A frame as a JPEG picture, in base64.
pub(super) fn jpeg(sample: &gst::Sample) -> Result<String, Failure> {
    let caps = gst::Caps::builder("image/jpeg").field("width", WIDTH).field("pixel-aspect-ratio", gst::Fraction::new(1, 1)).build();
    let jpeg = gst_video::convert_sample(sample, &caps, Some(LIMIT)).map_err(Error::from)?;
    let bytes = jpeg.buffer().and_then(|buffer| buffer.map_readable().ok()).ok_or(Failure::NoPicture)?;
    Ok(STANDARD.encode(&bytes))
}
