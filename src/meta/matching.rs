// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which boxes of two encodings belong to one face.

use crate::geometry::{Rect, Size};

/// Boxes with a higher IoU belong to one face.
const SAME_FACE_IOU: f32 = 0.9;
/// An encoding in whole pixels moves each edge by less than this, whether it rounds or truncates. The excess over 1 allows
/// for the precision of floats.
const MAX_ROUNDING_PX: f32 = 1.001;

/// The IoU of two boxes in 0..1 of `frame` if they belong to one face; none if they do not. One of them may have been
/// rounded to whole pixels, which lowers the IoU of a small face below the threshold, so nearly equal edges also match.
pub(super) fn matching_iou(a_norm: Rect, b_norm: Rect, frame: Size) -> Option<f32> {
    let iou = a_norm.iou(b_norm);
    (iou > SAME_FACE_IOU || differ_by_rounding(a_norm.from_norm(frame), b_norm.from_norm(frame))).then_some(iou)
}

fn differ_by_rounding(a: Rect, b: Rect) -> bool {
    let edges = |rect: Rect| [rect.x, rect.y, rect.right(), rect.bottom()];
    edges(a).into_iter().zip(edges(b)).all(|(a, b)| (a - b).abs() < MAX_ROUNDING_PX)
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

    fn are_same_face(a: Rect, b: Rect) -> bool {
        matching_iou(a.to_norm(VGA), b.to_norm(VGA), VGA).is_some()
    }

    #[test]
    fn a_small_face_matches_its_rounded_box_despite_a_low_iou() {
        let face = Rect::new(100.4, 50.6, 10.2, 9.7);
        assert!(face.iou(rounded(face)) < 0.9);
        assert!(are_same_face(face, rounded(face)));
    }

    #[test]
    fn shifted_boxes_are_two_faces() {
        let face = Rect::new(100.0, 50.0, 10.0, 10.0);
        for (dx, dy) in [(2.0, 0.0), (0.0, -2.0), (10.0, 0.0)] {
            assert!(!are_same_face(face, face.translated(dx, dy)), "{dx}, {dy}");
        }
        assert!(!are_same_face(Rect::new(100.0, 50.0, 100.0, 100.0), Rect::new(106.0, 50.0, 100.0, 100.0)));
        assert!(are_same_face(Rect::new(100.0, 50.0, 100.0, 100.0), Rect::new(102.0, 50.0, 100.0, 100.0)), "large boxes match by IoU");
    }

    proptest! {
        #[test]
        fn every_box_matches_itself_in_whole_pixels(x in 0.0_f32..600.0, y in 0.0_f32..440.0, w in 1.0_f32..40.0, h in 1.0_f32..40.0) {
            let face = Rect::new(x, y, w, h);
            prop_assert!(are_same_face(face, rounded(face)), "rounded");
            prop_assert!(w < 2.0 || h < 2.0 || are_same_face(face, Rect::from_corners(x.floor(), y.floor(), face.right().floor(), face.bottom().floor())));
        }
    }
}
