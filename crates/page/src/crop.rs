// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of a frame that a picture of a face shows.

/// Space around the face's box on each side, as a share of the box's longer side.
const MARGIN: f64 = 0.35;
/// Minimum side of the box in pixels of the frame.
const MIN_SIDE: f64 = 16.0;

/// The pixels that are cut off on each side of a frame. They are even numbers, since colours are stored for pairs of pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Borders {
    pub(crate) left: i32,
    pub(crate) right: i32,
    pub(crate) top: i32,
    pub(crate) bottom: i32,
}

impl Borders {
    /// The borders of a frame of `size` that leave the face in `rect_norm` with its margin.
    pub(crate) fn around(rect_norm: [f32; 4], size: (i32, i32)) -> Self {
        let (width, height) = (f64::from(size.0), f64::from(size.1));
        let [x, y, w, h] = rect_norm.map(f64::from);
        let (left, top, right, bottom) = (x * width, y * height, (x + w) * width, (y + h) * height);
        let half = (right - left).max(bottom - top).max(MIN_SIDE) * (0.5 + MARGIN);
        let cut = |middle: f64, length: f64| {
            let middle = middle.min(length - MIN_SIDE).max(MIN_SIDE);
            [middle - half, length - middle - half].map(|border| border.max(0.0) as i32 / 2 * 2)
        };
        let ([left, right], [top, bottom]) = (cut((left + right) / 2.0, width), cut((top + bottom) / 2.0, height));
        Self { left, right, top, bottom }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_is_cut_out_with_a_margin_inside_of_the_frame() {
        // The side is 1.7 times the side of the box.
        for (rect, [left, right, top, bottom]) in [
            ([0.25, 0.25, 0.5, 0.5], [48, 48, 0, 0]),
            ([0.0, 0.0, 0.1, 0.1], [0, 552, 0, 400]),
            ([0.9, 0.9, 0.1, 0.1], [552, 0, 400, 0]),
            ([2.0, 2.0, 0.0, 0.0], [610, 2, 450, 2]),
        ] {
            assert_eq!(Borders::around(rect, (640, 480)), Borders { left, right, top, bottom }, "{rect:?}");
        }
    }
}
