// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of a frame that is blurred for a face, and the size of its blocks.

use crate::choices::Blur;
use crate::geometry::{Rect, Size};

impl Blur {
    /// Axes of the fully hidden ellipse, in sides of the face's box.
    pub const HIDDEN: f32 = 1.45;

    /// Maximum number of blocks along the shorter side of a face. With twice as many, CenterFace still finds one in eight
    /// faces of an audience when they are pixelated and one in thirteen when they are blurred (and Haar a quarter of one
    /// large face), as `blurred_people_are_not_detected` prints.
    const fn blocks(self) -> f32 {
        match self {
            Self::Pixelate => 3.0,
            Self::Smooth | Self::Solid => 2.0,
        }
    }
}

/// Axes of the ellipse at which hiding ends, in sides of the face's box. Between [`Blur::HIDDEN`] and this one it fades out.
pub(super) const TOUCHED: f32 = 1.6;

/// Maximum distance that a box extends beyond the frame, in longer sides of the frame. Larger boxes are cut, which does not
/// change their ellipse within the frame and prevents overflow.
const MAX_REACH: f32 = 16.0;

/// The hidden part of a frame, in pixels.
pub(super) struct Region {
    /// The box of the face.
    pub face: Rect,
    /// The part of the frame that changes.
    pub bounds: Rect,
    /// Side length of a block.
    pub block: usize,
}

impl Region {
    pub fn new(face: Rect, frame: Size, blur: Blur) -> Option<Self> {
        let longer_side = frame.width.max(frame.height) as f32;
        let face = within_reach(face, MAX_REACH * longer_side)?;
        let bounds = Rect::around(face.center(), TOUCHED * face.w, TOUCHED * face.h).clamp_to(frame);
        let side = (face.w.min(face.h) / blur.blocks()).min(longer_side);
        bounds.is_valid().then(|| Self { face, bounds, block: block_side(side) })
    }
}

/// The part of `rect` with coordinates from `-reach` to `2 * reach`; none for a rectangle with no area or with a NaN.
fn within_reach(rect: Rect, reach: f32) -> Option<Rect> {
    let has_area = rect.w > 0.0 && rect.h > 0.0;
    // A box from minus to plus infinity has NaN edges. `min` then returns the other number, so the box is cut as wanted.
    let (right, bottom) = (rect.right().min(2.0 * reach), rect.bottom().min(2.0 * reach));
    let inside = Rect::from_corners(rect.x.max(-reach), rect.y.max(-reach), right, bottom);
    (has_area && !rect.x.is_nan() && !rect.y.is_nan() && inside.is_valid()).then_some(inside)
}

/// The smallest of 2, 4, 6, 8, 12, 16, 24, … that is at least `side`. The numbers are even, so that blocks cover whole
/// chroma samples, and far apart, so that the grid rarely changes as a box grows.
fn block_side(side: f32) -> usize {
    (1..32)
        .flat_map(|power| [1 << power, 3 << (power - 1)])
        .filter(|step| step % 2 == 0)
        .find(|&step| step as f32 >= side)
        .unwrap_or(1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_sides_are_rounded_up_to_the_next_step() {
        assert_eq!([0.5, 2.0, 2.1, 5.0, 9.0, 13.0, 17.0, 100.0].map(block_side), [2, 2, 4, 6, 12, 16, 24, 128]);
    }
}
