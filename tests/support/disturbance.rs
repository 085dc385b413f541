// SPDX-License-Identifier: MIT OR Apache-2.0
//! What light and cameras do to the RGB pixels of a frame. It is here, and not beside the tests that use it, because this
//! package is optimised.

/// Replaces each byte by a fade from `first` to itself; `share` is 0 for `first` and 1 for no change.
pub fn fade_from(first: &[u8], share: f32, rgb: &mut [u8]) {
    rgb.iter_mut().zip(first).for_each(|(byte, &first)| *byte = (f32::from(first) + share * (f32::from(*byte) - f32::from(first))) as u8);
}

/// Multiplies brightness by `gain`, which is at most 1.
pub fn dim(gain: f32, rgb: &mut [u8]) {
    rgb.iter_mut().for_each(|byte| *byte = (gain * f32::from(*byte)) as u8);
}

/// Adds `level` grey levels, which must not exceed white.
pub fn lift(level: u8, rgb: &mut [u8]) {
    rgb.iter_mut().for_each(|byte| *byte += level);
}

/// Adds the noise of a sensor, with a standard deviation of 4.6 grey levels, which differs between frames.
pub fn add_noise(frame: u32, rgb: &mut [u8]) {
    let mut state = 0x9E37_79B9_7F4A_7C15 ^ (u64::from(frame) << 32);
    for byte in rgb {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // The sum of four random numbers in 0..=7.
        let noise = (0..4).map(|n| (state >> (8 + 3 * n) & 7) as i32).sum::<i32>() - 14;
        *byte = (i32::from(*byte) + noise).clamp(0, 255) as u8;
    }
}
