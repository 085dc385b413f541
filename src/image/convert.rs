// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a frame's own samples to full-range luma or RGB, one row of `f32` at a time.

use multiversion::multiversion;

use super::{Colorimetry, Range};

/// The weights of red, green and blue in luma by BT.601, by which RGB pictures become grey.
pub const LUMA_WEIGHTS: [f32; 3] = [0.299, 0.587, 0.114];

/// A linear map of one sample: `value * gain + bias`.
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

/// Turns rows of Y, U, V into R, G, B in place; inputs 0..255 as stored, results full range and clamped to 0..255.
pub fn yuv_to_rgb(y: &mut [f32], u: &mut [f32], v: &mut [f32], colorimetry: Colorimetry) {
    let (gain, bias) = luma_expansion(colorimetry.range);
    let chroma = match colorimetry.range {
        Range::Full => 1.0,
        Range::Limited => 255.0 / 224.0,
    };
    let (kr, kb) = colorimetry.matrix.red_blue();
    let kg = 1.0 - kr - kb;
    let (red_v, blue_u) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
    let (green_u, green_v) = (blue_u * kb / kg, red_v * kr / kg);
    multiply(y, u, v, (gain, bias), [red_v, green_u, green_v, blue_u]);
}

#[multiversion(targets("x86_64+avx2"))]
fn multiply(y: &mut [f32], u: &mut [f32], v: &mut [f32], (gain, bias): (f32, f32), [red_v, green_u, green_v, blue_u]: [f32; 4]) {
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
    use crate::image::Matrix;

    fn rgb(yuv: [f32; 3], range: Range, matrix: Matrix) -> [f32; 3] {
        let [mut y, mut u, mut v] = yuv.map(|sample| [sample]);
        yuv_to_rgb(&mut y, &mut u, &mut v, Colorimetry { range, matrix });
        [y[0], u[0], v[0]].map(f32::round)
    }

    #[test]
    fn primaries_by_hand() {
        // BT.601 limited: the classic colour bars.
        assert_eq!(rgb([81.0, 90.0, 240.0], Range::Limited, Matrix::Bt601), [254.0, 0.0, 0.0]);
        assert_eq!(rgb([145.0, 54.0, 34.0], Range::Limited, Matrix::Bt601), [0.0, 255.0, 1.0]);
        assert_eq!(rgb([41.0, 240.0, 110.0], Range::Limited, Matrix::Bt601), [0.0, 0.0, 255.0]);
        // BT.709 limited.
        assert_eq!(rgb([63.0, 102.0, 240.0], Range::Limited, Matrix::Bt709), [255.0, 1.0, 0.0]);
    }

    #[test]
    fn black_and_white_of_both_ranges() {
        assert_eq!(rgb([16.0, 128.0, 128.0], Range::Limited, Matrix::Bt601), [0.0; 3]);
        assert_eq!(rgb([235.0, 128.0, 128.0], Range::Limited, Matrix::Bt2020), [255.0; 3]);
        assert_eq!(rgb([255.0, 128.0, 128.0], Range::Full, Matrix::Bt709), [255.0; 3]);
    }

    #[test]
    fn luma_of_limited_range_spans_everything() {
        let mut luma = [16.0, 235.0, 126.0, 0.0, 255.0];
        expand_luma(&mut luma, Range::Limited);
        assert_eq!(luma.map(f32::round), [0.0, 255.0, 128.0, 0.0, 255.0]);
    }
}
