// SPDX-License-Identifier: MIT OR Apache-2.0
//! The largest picture that is decoded. A small file can claim to contain a picture that does not fit into memory.

/// Maximum number of pixels of a picture.
pub const MAX_PIXELS: u64 = 300_000_000;
/// Maximum number of bytes that a decoder allocates for a picture.
pub const MAX_BYTES: u64 = 4 << 30;

/// The picture has more pixels than are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a photo of at most {} megapixels, found {width} x {height} pixels", max / 1_000_000)]
pub struct TooManyPixels {
    /// Maximum number of pixels.
    pub max: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Checks the size of a picture before memory is allocated for it.
///
/// # Errors
/// If it has too many pixels.
pub fn check(width: u32, height: u32) -> Result<(), TooManyPixels> {
    check_within(width, height, MAX_PIXELS)
}

/// The same with another maximum.
///
/// # Errors
/// If it has more than `max` pixels.
pub fn check_within(width: u32, height: u32, max: u64) -> Result<(), TooManyPixels> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max { Err(TooManyPixels { max, width, height }) } else { Ok(()) }
}

/// The limits for decoders of the crate `image`.
pub(crate) fn of_decoders() -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_at_most_300_megapixels() {
        assert_eq!(check(20_000, 15_000), Ok(()));
        let error = check(20_000, 15_001).unwrap_err();
        assert_eq!(error.to_string(), "expected a photo of at most 300 megapixels, found 20000 x 15001 pixels");
        assert!(check(u32::MAX, u32::MAX).is_err());
    }
}
