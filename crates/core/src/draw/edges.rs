// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rounded box around a face: four corners and four thin strips.
//!
//! The line in the expression's colour has a dark line on each side, so that it stands out from any background. Boxes
//! change their size constantly, so their strips are cut from strips that are as long as the frame.

use tiny_skia::{Path, PathBuilder, Stroke, Transform};

use super::picture::Picture;
use super::pixels::empty_pixmap;
use super::style::Rgb;
use super::text::paint;
use crate::geometry::{Rect, Size};

const SHADOW: Rgb = [0, 0, 0];
const SHADOW_ALPHA: f32 = 0.5;

/// The appearance of a box, apart from its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outline {
    pub color: Rgb,
    /// Width of the coloured line.
    pub line_px: u32,
    /// Width of each of the two dark lines.
    pub shadow_px: u32,
    /// Side length of the square picture of a corner.
    pub corner_px: u32,
}

impl Outline {
    /// The outline for a box of `size`, with a thinner line where the box is too small for `line_px`. None for boxes below
    /// 3 pixels.
    pub(super) fn fit(color: Rgb, line_px: u32, size: Size) -> Option<Self> {
        let side = size.width.min(size.height);
        if side < 3 {
            return None;
        }
        let line_px = line_px.clamp(1, side / 3);
        let shadow_px = (line_px.div_ceil(3)).min((side / 2 - line_px.min(side / 2)) / 2);
        // Even if the box is large enough, so that strips start at even pixels.
        let corner_px = (2 * shadow_px + 5 * line_px).next_multiple_of(2).min(side / 2);
        Some(Self { color, line_px, shadow_px, corner_px })
    }

    /// Total width of the line and its shadows.
    pub(super) fn thickness(self) -> u32 {
        self.line_px + 2 * self.shadow_px
    }

    /// The picture of one corner, a part of a rounded rectangle that extends far beyond the picture.
    pub(super) fn corner(self, right: bool, below: bool) -> Picture {
        let side = self.corner_px as f32;
        let thickness = self.thickness() as f32;
        let middle = thickness / 2.0;
        let mut pixmap = empty_pixmap(side, side);
        let far = 4.0 * side;
        let start = |at_end: bool| if at_end { side - middle - far } else { middle };
        let rect = Rect::new(start(right), start(below), far, far);
        if let Some(path) = rounded(rect, (side - middle).max(0.0)) {
            for (rgb, alpha, width) in [(SHADOW, SHADOW_ALPHA, thickness), (self.color, 1.0, self.line_px as f32)] {
                let stroke = Stroke { width, ..Stroke::default() };
                pixmap.stroke_path(&path, &paint(rgb, alpha), &stroke, Transform::identity(), None);
            }
        }
        pixmap.into()
    }

    /// A strip for the upper or lower edge.
    pub(super) fn across(self, width: u32) -> Picture {
        let rows = self.cross_section().into_iter().flat_map(|pixel| pixel.repeat(width as usize));
        Picture::new(Size::new(width, self.thickness()), rows.collect())
    }

    /// A strip for the left or right edge.
    pub(super) fn down(self, height: u32) -> Picture {
        let row = self.cross_section().concat();
        Picture::new(Size::new(self.thickness(), height), row.repeat(height as usize))
    }

    /// The pixels across the line and its shadows.
    fn cross_section(self) -> Vec<[u8; 4]> {
        let dark = [0, 0, 0, (SHADOW_ALPHA * 255.0).round() as u8];
        let [r, g, b] = self.color;
        let mut pixels = vec![dark; self.thickness() as usize];
        let start = self.shadow_px as usize;
        pixels[start..start + self.line_px as usize].fill([r, g, b, 255]);
        pixels
    }
}

/// A rectangle with rounded corners; none if it has no area.
pub(super) fn rounded(rect: Rect, radius: f32) -> Option<Path> {
    /// Length of the control arms with which a cubic Bézier curve approximates a quarter circle of radius 1:
    /// 4 (sqrt(2) - 1) / 3.
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
        &picture.rgba()[4 * (y * picture.size().width as usize + x)..][..4]
    }

    #[test]
    fn outlines_become_thinner_in_small_boxes() {
        let outline = Outline::fit(RED, 3, LARGE).expect("large");
        assert_eq!((outline.line_px, outline.shadow_px, outline.thickness(), outline.corner_px), (3, 1, 5, 18));
        for side in 3..40 {
            let outline = Outline::fit(RED, 8, Size::new(side, 200)).expect("3 px or more");
            assert!(outline.thickness() <= outline.corner_px.max(1) && 2 * outline.corner_px <= side, "{side}: {outline:?}");
        }
        assert!(Outline::fit(RED, 3, Size::new(2, 50)).is_none());
    }

    #[test]
    fn strips_continue_the_corners_seamlessly() {
        let outline = Outline::fit(RED, 3, LARGE).expect("large");
        let (across, down, last) = (outline.across(20), outline.down(20), outline.corner_px as usize - 1);
        assert_eq!((across.size(), down.size()), (Size::new(20, 5), Size::new(5, 20)));
        let close = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 12);
        for (right, below) in [(false, false), (true, false), (false, true), (true, true)] {
            let corner = outline.corner(right, below);
            for line in 0..5 {
                let expected: &[u8] = if (1..4).contains(&line) { &[255, 0, 0, 255] } else { &[0, 0, 0, 128] };
                assert_eq!((pixel(&across, 7, line), pixel(&down, line, 7)), (expected, expected));
                let at = |end: bool| if end { last - line } else { line };
                assert!(close(pixel(&corner, if right { 0 } else { last }, at(below)), expected), "{right} {below}: row {line}");
                assert!(close(pixel(&corner, at(right), if below { 0 } else { last }), expected), "{right} {below}: column {line}");
            }
            let outside = |end: bool| if end { last } else { 0 };
            assert_eq!(pixel(&corner, outside(right), outside(below)), [0; 4], "transparent outside of the rounded corner");
            assert_eq!(pixel(&corner, last - outside(right), last - outside(below)), [0; 4], "transparent inside of the box");
        }
    }
}
