// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which boxes of different encodings are one face's.

use crate::geometry::{Rect, Size};

/// Boxes that overlap by more are one face's.
const SAME_FACE_IOU: f32 = 0.9;
/// An encoding in whole pixels moves each edge by less, whether it rounds or truncates. A little more is left for the
/// precision of coordinates.
const ROUNDING_PX: f32 = 1.001;

/// How well two boxes in 0..1 of `frame` fit one face, the best being 1; none if they are two faces. One of them may be in
/// whole pixels, which changes the box of a small face by more than a tenth.
pub(super) fn matching_iou(a_norm: Rect, b_norm: Rect, frame: Size) -> Option<f32> {
    let iou = a_norm.iou(b_norm);
    (iou > SAME_FACE_IOU || is_rounded(a_norm.from_norm(frame), b_norm.from_norm(frame))).then_some(iou)
}

fn is_rounded(a: Rect, b: Rect) -> bool {
    let edges = |rect: Rect| [rect.x, rect.y, rect.right(), rect.bottom()];
    edges(a).into_iter().zip(edges(b)).all(|(a, b)| (a - b).abs() < ROUNDING_PX)
}

#[cfg(test)]
mod tests {
    use super::super::roi::pixels;
    use super::*;
    use proptest::prelude::*;

    const VGA: Size = Size::new(640, 480);

    fn rounded(rect: Rect) -> Rect {
        let (x, y, w, h) = pixels(rect.to_norm(VGA), VGA);
        Rect::new(x as f32, y as f32, w as f32, h as f32)
    }

    fn are_one(a: Rect, b: Rect) -> bool {
        matching_iou(a.to_norm(VGA), b.to_norm(VGA), VGA).is_some()
    }

    #[test]
    fn a_small_face_in_whole_pixels_is_the_same_though_it_overlaps_badly() {
        let face = Rect::new(100.4, 50.6, 10.2, 9.7);
        assert!(face.iou(rounded(face)) < 0.9);
        assert!(are_one(face, rounded(face)));
    }

    #[test]
    fn faces_side_by_side_are_two() {
        let face = Rect::new(100.0, 50.0, 10.0, 10.0);
        for (dx, dy) in [(2.0, 0.0), (0.0, -2.0), (10.0, 0.0)] {
            assert!(!are_one(face, face.translated(dx, dy)), "{dx}, {dy}");
        }
        assert!(!are_one(Rect::new(100.0, 50.0, 100.0, 100.0), Rect::new(106.0, 50.0, 100.0, 100.0)));
        assert!(are_one(Rect::new(100.0, 50.0, 100.0, 100.0), Rect::new(102.0, 50.0, 100.0, 100.0)), "large ones by their overlap");
    }

    proptest! {
        #[test]
        fn every_box_is_its_own_in_whole_pixels(x in 0.0_f32..600.0, y in 0.0_f32..440.0, w in 1.0_f32..40.0, h in 1.0_f32..40.0) {
            let face = Rect::new(x, y, w, h);
            prop_assert!(are_one(face, rounded(face)), "rounded");
            prop_assert!(w < 2.0 || h < 2.0 || are_one(face, Rect::from_corners(x.floor(), y.floor(), face.right().floor(), face.bottom().floor())));
        }
    }
}
