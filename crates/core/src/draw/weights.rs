// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conversion of RGBA pixels to the components of a frame: Y, U, V, or R, G, B and alpha.

use crate::image::{Colorimetry, Component, PixelFormat, Range};

/// Weights of R, G, B and A in a sample, in 1/65536. Colours are premultiplied, so a constant such as the black level is
/// a weight of alpha.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights([i32; 4]);

impl Weights {
    fn new(weights: [f32; 4]) -> Self {
        Self(weights.map(|weight| (weight * 65536.0).round() as i32))
    }

    /// The sample of a pixel.
    pub fn apply(self, rgba: [u8; 4]) -> u8 {
        let sum: i32 = self.0.iter().zip(rgba).map(|(weight, value)| weight * i32::from(value)).sum();
        ((sum + 32768) >> 16).clamp(0, 255) as u8
    }
}

/// The components of a format and the weights that compute each from a pixel.
pub(super) fn channels(format: PixelFormat, colorimetry: Colorimetry) -> Vec<(Component, Weights)> {
    let components = format.components();
    let rows = if format.is_yuv() || format == PixelFormat::Gray8 {
        yuv(colorimetry).to_vec()
    } else {
        vec![[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    };
    let count = if format == PixelFormat::Gray8 { 1 } else { 3 };
    let mut channels: Vec<_> = components.into_iter().zip(rows.into_iter().map(Weights::new)).take(count).collect();
    if components[0].step == 4 && !format.is_yuv() {
        // The four offsets 0, 1, 2 and 3 sum to 6, so what is missing is the offset of alpha.
        let offset = 6 - components.iter().map(|component| component.offset).sum::<usize>();
        channels.push((Component { offset, ..components[0] }, Weights::new([0.0, 0.0, 0.0, 1.0])));
    }
    channels
}

/// Weights of R, G, B and A for Y, U and V: the matrix of the colorimetry, with the black level and the chroma midpoint
/// as weights of alpha.
fn yuv(colorimetry: Colorimetry) -> [[f32; 4]; 3] {
    let (kr, kb) = colorimetry.matrix.red_blue();
    let kg = 1.0 - kr - kb;
    let (luma, chroma, black) = match colorimetry.range {
        Range::Full => (1.0, 1.0, 0.0),
        Range::Limited => (219.0 / 255.0, 224.0 / 255.0, 16.0 / 255.0),
    };
    // U = (B - Y) / (2 (1 - Kb)) and V = (R - Y) / (2 (1 - Kr)).
    let (cu, cv) = (chroma / (2.0 * (1.0 - kb)), chroma / (2.0 * (1.0 - kr)));
    let middle = 128.0 / 255.0;
    [[luma * kr, luma * kg, luma * kb, black], [-cu * kr, -cu * kg, cu * (1.0 - kb), middle], [cv * (1.0 - kr), -cv * kg, -cv * kb, middle]]
}
