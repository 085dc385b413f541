// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rounded box around a face, as four thin strips.
//!
//! The line in the expression's colour has a dark one on each side, so that it stands out from any background. The
//! strips at top and bottom carry the corners; corners are drawn once and copied, since boxes change their size all
//! the time.

use tiny_skia::{Path, PathBuilder, Stroke, Transform};

use super::picture::{Picture, canvas};
use super::style::Rgb;
use super::text::paint;
use crate::geometry::{Rect, Size};

const SHADOW: Rgb = [0, 0, 0];
const SHADOW_ALPHA: f32 = 0.5;

/// How a box looks, apart from its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outline {
    pub color: Rgb,
    /// Width of the coloured line.
    pub line_px: u32,
    /// Width of each of the dark lines beside it.
    pub shadow_px: u32,
    /// Side of the square that holds a corner.
    pub corner_px: u32,
}

impl Outline {
    /// The outline for a box of `size`: as asked for, thinner where the box is too small; none for boxes below 3 pixels.
    pub(super) fn fit(color: Rgb, line_px: u32, size: Size) -> Option<Self> {
        let room = size.width.min(size.height);
        if room < 3 {
            return None;
        }
        let line_px = line_px.clamp(1, room / 3);
        let shadow_px = (line_px.div_ceil(3)).min((room / 2 - line_px.min(room / 2)) / 2);
        let corner_px = (2 * shadow_px + 5 * line_px).min(room / 2);
        Some(Self { color, line_px, shadow_px, corner_px })
    }

    /// Width of all lines together.
    pub(super) fn thickness(self) -> u32 {
        self.line_px + 2 * self.shadow_px
    }

    /// The top left corner.
    pub(super) fn corner(self) -> Picture {
        let side = self.corner_px as f32;
        let thickness = self.thickness() as f32;
        let middle = thickness / 2.0;
        let mut pixmap = canvas(side, side);
        if let Some(path) = rounded(Rect::new(middle, middle, 4.0 * side, 4.0 * side), (side - middle).max(0.0)) {
            for (rgb, alpha, width) in [(SHADOW, SHADOW_ALPHA, thickness), (self.color, 1.0, self.line_px as f32)] {
                let stroke = Stroke { width, ..Stroke::default() };
                pixmap.stroke_path(&path, &paint(rgb, alpha), &stroke, Transform::identity(), None);
            }
        }
        pixmap.into()
    }

    /// The strip along the top edge of a box `width` wide, with both corners; `corner` is [`Self::corner`].
    pub(super) fn top(self, corner: &Picture, width: u32) -> Picture {
        let (side, width) = (self.corner_px as usize, width as usize);
        let straight = width.saturating_sub(2 * side);
        let lines = self.cross_section();
        let mut rgba = Vec::with_capacity(width * side * 4);
        for y in 0..side {
            let row = corner.row(y);
            rgba.extend_from_slice(row);
            let pixel = lines.get(y).copied().unwrap_or_default();
            (0..straight).for_each(|_| rgba.extend_from_slice(&pixel));
            row.rchunks_exact(4).for_each(|pixel| rgba.extend_from_slice(pixel));
        }
        Picture::new(Size::new((2 * side + straight) as u32, self.corner_px), rgba)
    }

    /// The strip along the bottom edge: `top` upside down.
    pub(super) fn bottom(top: &Picture) -> Picture {
        let rows = (0..top.size().height as usize).rev();
        Picture::new(top.size(), rows.flat_map(|y| top.row(y)).copied().collect())
    }

    /// The strip along the left or right edge between the corners.
    pub(super) fn side(self, height: u32) -> Picture {
        let row = self.cross_section().concat();
        Picture::new(Size::new(self.thickness(), height), row.repeat(height as usize))
    }

    /// The pixels from outside to inside.
    fn cross_section(self) -> Vec<[u8; 4]> {
        let dark = [0, 0, 0, (SHADOW_ALPHA * 255.0).round() as u8];
        let [r, g, b] = self.color;
        let mut pixels = vec![dark; self.thickness() as usize];
        let start = self.shadow_px as usize;
        pixels[start..start + self.line_px as usize].fill([r, g, b, 255]);
        pixels
    }
}

/// A rectangle with round corners; none if it has no area.
pub(super) fn rounded(rect: Rect, radius: f32) -> Option<Path> {
    /// Length of a control arm that makes a cubic curve a quarter circle of radius 1.
    const ARM: f32 = 0.552_285;
    let Rect { x, y, .. } = rect;
    let (right, bottom) = (rect.right(), rect.bottom());
    let r = radius.min(rect.w / 2.0).min(rect.h / 2.0);
    let a = r * (1.0 - ARM);
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(right - r, y);
    path.cubic_to(right - a, y, right, y + a, right, y + r);
    path.line_to(right, bottom - r);
    path.cubic_to(right, bottom - a, right - a, bottom, right - r, bottom);
    path.line_to(x + r, bottom);
    path.cubic_to(x + a, bottom, x, bottom - a, x, bottom - r);
    path.line_to(x, y + r);
    path.cubic_to(x, y + a, x + a, y, x + r, y);
    path.close();
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Rgb = [255, 0, 0];
    const LARGE: Size = Size::new(100, 80);

    fn pixel(picture: &Picture, x: usize, y: usize) -> &[u8] {
        &picture.row(y)[4 * x..4 * x + 4]
    }

    #[test]
    fn an_outline_fits_its_box() {
        let outline = Outline::fit(RED, 3, LARGE).expect("large");
        assert_eq!((outline.line_px, outline.shadow_px, outline.thickness(), outline.corner_px), (3, 1, 5, 17));
        for side in 3..40 {
            let outline = Outline::fit(RED, 8, Size::new(side, 200)).expect("3 px or more");
            assert!(outline.thickness() <= outline.corner_px.max(1) && 2 * outline.corner_px <= side, "{side}: {outline:?}");
        }
        assert!(Outline::fit(RED, 3, Size::new(2, 50)).is_none());
    }

    #[test]
    fn strips_meet_the_corners_without_a_seam() {
        let outline = Outline::fit(RED, 3, LARGE).expect("large");
        let corner = outline.corner();
        let top = outline.top(&corner, 100);
        assert_eq!(top.size(), Size::new(100, 17));
        for y in 0..5 {
            let expected: &[u8] = if (1..4).contains(&y) { &[255, 0, 0, 255] } else { &[0, 0, 0, 128] };
            for x in [17, 50, 82] {
                assert_eq!(pixel(&top, x, y), expected, "{x} {y}");
            }
            let close = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 12);
            assert!(close(pixel(&top, 16, y), expected) && close(pixel(&top, 83, y), expected), "corner's end in row {y}");
            assert!(close(pixel(&corner, y, 16), pixel(&outline.side(1), y, 0)));
        }
        assert_eq!(pixel(&top, 50, 5), [0; 4], "nothing inside the box");
        assert_eq!(pixel(&top, 0, 0), [0; 4], "nothing outside the round corner");
        let bottom = Outline::bottom(&top);
        assert_eq!(bottom.row(16), top.row(0));
    }
}
