// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conversion of a frame's samples to full-range luma or RGB, one row of `f32` at a time.

use multiversion::multiversion;

use super::{Colorimetry, Range};

/// Weights of red, green and blue in BT.601 luma, which RGB pictures are converted to where a network takes one channel.
pub const LUMA_WEIGHTS: [f32; 3] = [0.299, 0.587, 0.114];

/// Gain and bias that expand luma to full range: `value * gain + bias`. Limited luma has 219 steps and starts at 16.
fn luma_expansion(range: Range) -> (f32, f32) {
    match range {
        Range::Full => (1.0, 0.0),
        Range::Limited => (255.0 / 219.0, -16.0 * 255.0 / 219.0),
    }
}

/// Expands luma samples 0..255 to full range, in place; the result is clamped to 0..255.
pub fn expand_luma(y: &mut [f32], range: Range) {
    let (gain, bias) = luma_expansion(range);
    for value in y {
        *value = (*value * gain + bias).clamp(0.0, 255.0);
    }
}

/// Converts rows of Y, U, V to R, G, B in place. Inputs are 0..255 as stored; results are full range, clamped to 0..255.
pub fn yuv_to_rgb(y: &mut [f32], u: &mut [f32], v: &mut [f32], colorimetry: Colorimetry) {
    let (gain, bias) = luma_expansion(colorimetry.range);
    // Limited chroma spans 16..240, which is 224 steps.
    let chroma = match colorimetry.range {
        Range::Full => 1.0,
        Range::Limited => 255.0 / 224.0,
    };
    let (kr, kb) = colorimetry.matrix.red_blue();
    let kg = 1.0 - kr - kb;
    // U = (B - Y) / (2 (1 - Kb)) and V = (R - Y) / (2 (1 - Kr)), solved for R, G and B.
    let (red_v, blue_u) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
    let (green_u, green_v) = (blue_u * kb / kg, red_v * kr / kg);
    apply_matrix(y, u, v, (gain, bias), [red_v, green_u, green_v, blue_u]);
}

#[multiversion(targets("x86_64+avx2"))]
fn apply_matrix(y: &mut [f32], u: &mut [f32], v: &mut [f32], (gain, bias): (f32, f32), [red_v, green_u, green_v, blue_u]: [f32; 4]) {
    for ((y, u), v) in y.iter_mut().zip(u.iter_mut()).zip(v.iter_mut()) {
        let (luma, cb, cr) = (*y * gain + bias, *u - 128.0, *v - 128.0);
        *y = (luma + red_v * cr).clamp(0.0, 255.0);
        *u = (luma - green_u * cb - green_v * cr).clamp(0.0, 255.0);
        *v = (luma + blue_u * cb).clamp(0.0, 255.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Matrix, Transfer};

    fn rgb(yuv: [f32; 3], range: Range, matrix: Matrix) -> [f32; 3] {
        let [mut y, mut u, mut v] = yuv.map(|sample| [sample]);
        yuv_to_rgb(&mut y, &mut u, &mut v, Colorimetry { range, matrix, transfer: Transfer::Sdr });
        [y[0], u[0], v[0]].map(f32::round)
    }

    #[test]
    fn primary_colours_match_hand_computed_values() {
        // Colour bars in limited BT.601.
        assert_eq!(rgb([81.0, 90.0, 240.0], Range::Limited, Matrix::Bt601), [254.0, 0.0, 0.0]);
        assert_eq!(rgb([145.0, 54.0, 34.0], Range::Limited, Matrix::Bt601), [0.0, 255.0, 1.0]);
        assert_eq!(rgb([41.0, 240.0, 110.0], Range::Limited, Matrix::Bt601), [0.0, 0.0, 255.0]);
        // Red in limited BT.709.
        assert_eq!(rgb([63.0, 102.0, 240.0], Range::Limited, Matrix::Bt709), [255.0, 1.0, 0.0]);
    }

    #[test]
    fn black_and_white_are_exact_in_both_ranges() {
        assert_eq!(rgb([16.0, 128.0, 128.0], Range::Limited, Matrix::Bt601), [0.0; 3]);
        assert_eq!(rgb([235.0, 128.0, 128.0], Range::Limited, Matrix::Bt2020), [255.0; 3]);
        assert_eq!(rgb([255.0, 128.0, 128.0], Range::Full, Matrix::Bt709), [255.0; 3]);
    }

    #[test]
    fn limited_luma_expands_to_full_range() {
        let mut luma = [16.0, 235.0, 126.0, 0.0, 255.0];
        expand_luma(&mut luma, Range::Limited);
        assert_eq!(luma.map(f32::round), [0.0, 255.0, 128.0, 0.0, 255.0]);
    }
}
