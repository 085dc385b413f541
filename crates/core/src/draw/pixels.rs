// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pixels of small pictures, in memory of their own.

use tiny_skia::{Color, Pixmap};

use super::style::Rgb;
use crate::geometry::Size;

/// Pixels R, G, B, A, row by row without padding. Colours are premultiplied by alpha.
#[derive(Debug)]
pub(super) struct Pixels {
    pub size: Size,
    pub rgba: Vec<u8>,
}

impl Pixels {
    /// The pixels of row `y`, which must be below the height.
    pub fn row(&self, y: usize) -> &[u8] {
        let bytes = self.size.width as usize * 4;
        &self.rgba[y * bytes..(y + 1) * bytes]
    }
}

/// An empty pixmap. Sides are clamped to 1..4096, so that no setting can exhaust the memory.
pub(super) fn empty_pixmap(width: f32, height: f32) -> Pixmap {
    let side = |length: f32| length.ceil().clamp(1.0, 4096.0) as u32;
    Pixmap::new(side(width), side(height)).expect("sides of 1..4096 are a valid size")
}

/// `rgb` with `alpha` 0..1.
pub(super) fn color([r, g, b]: Rgb, alpha: f32) -> Color {
    let mut color = Color::from_rgba8(r, g, b, 255);
    color.set_alpha(alpha);
    color
}
