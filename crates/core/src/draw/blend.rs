// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blending of pictures into the planes of a frame, in the frame's own format.
//!
//! A picture is prepared for a format once: for every byte that it covers in a plane, the part of the old byte that stays
//! and the value that is added. Blending is then the same short loop over bytes for every format. The picture keeps its
//! prepared forms, so a picture that is shown again costs only that loop.

use super::canvas::Canvas;
use super::picture::Placed;
use super::prepared::Target;

impl Canvas<'_> {
    /// Draws a picture over the frame, clipped to it. The fourth byte of 32-bit RGB is treated as alpha, which is
    /// harmless where it is unused.
    pub fn blend(&mut self, placed: &Placed) {
        let Placed { picture, size, x, y } = placed;
        let prepared = picture.prepared(Target::new(self.format, self.colorimetry, *x, *y));
        for layer in &prepared.layers {
            layer.blend(&mut self.planes[layer.cell.plane], self.size, *size, *x, *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::draw::{Picture, PlaneMut};
    use crate::geometry::Size;
    use crate::image::{Colorimetry, Matrix, PixelFormat, Range, Transfer};

    const RED: [u8; 4] = [255, 0, 0, 255];
    /// White, half transparent.
    const TRANSLUCENT: [u8; 4] = [128, 128, 128, 128];
    const LIMITED: Colorimetry = Colorimetry { range: Range::Limited, matrix: Matrix::Bt709, transfer: Transfer::Sdr };

    fn picture(width: u32, height: u32, pixel: [u8; 4]) -> Arc<Picture> {
        Arc::new(Picture::new(Size::new(width, height), pixel.repeat((width * height) as usize)))
    }

    /// Blends into planes with the given strides whose bytes are all 100.
    fn blend(format: PixelFormat, size: Size, strides: [usize; 3], colorimetry: Colorimetry, placed: &Placed) -> [Vec<u8>; 3] {
        let mut planes = [0, 1, 2].map(|plane| vec![100; strides[plane] * format.plane_extent(plane, size).0]);
        let [a, b, c] = &mut planes;
        let borrowed = [(a, 0), (b, 1), (c, 2)].map(|(data, plane)| PlaneMut { data, stride: strides[plane] });
        Canvas::new(format, size, borrowed, colorimetry).expect("the planes fit").blend(placed);
        planes
    }

    fn at(picture: Arc<Picture>, x: i32, y: i32) -> Placed {
        Placed::whole(picture, x, y)
    }

    #[test]
    fn rgb_formats_store_colours_in_their_byte_order() {
        let red_at = |format, step: usize| {
            let planes = blend(format, Size::new(2, 1), [2 * step, 0, 0], Colorimetry::default(), &at(picture(1, 1, RED), 1, 0));
            assert!(planes[0][..step].iter().all(|&byte| byte == 100), "the pixel beside it is unchanged");
            planes[0][step..].to_vec()
        };
        assert_eq!(red_at(PixelFormat::Rgb, 3), [255, 0, 0]);
        assert_eq!(red_at(PixelFormat::Bgr, 3), [0, 0, 255]);
        assert_eq!(red_at(PixelFormat::Rgbx, 4), [255, 0, 0, 255]);
        assert_eq!(red_at(PixelFormat::Bgrx, 4), [0, 0, 255, 255]);
        assert_eq!(red_at(PixelFormat::Xrgb, 4), [255, 255, 0, 0]);
        assert_eq!(red_at(PixelFormat::Xbgr, 4), [255, 0, 0, 255]);
        assert_eq!(red_at(PixelFormat::Gray8, 1), [76], "0.299 * 255");
    }

    #[test]
    fn red_matches_hand_computed_values_in_both_ranges() {
        let red = |colorimetry| {
            let placed = at(picture(2, 2, RED), 0, 0);
            blend(PixelFormat::I420, Size::new(2, 2), [2, 1, 1], colorimetry, &placed).map(|plane| plane[0])
        };
        assert_eq!(red(Colorimetry::default()), [76, 85, 255], "full range BT.601");
        assert_eq!(red(LIMITED), [63, 102, 240], "limited range BT.709");
    }

    #[test]
    fn one_pixel_changes_a_quarter_of_its_chroma_sample() {
        let placed = at(picture(1, 1, RED), 1, 1);
        let [y, u, v] = blend(PixelFormat::I420, Size::new(4, 4), [4, 2, 2], Colorimetry::default(), &placed);
        assert_eq!(y.iter().filter(|&&byte| byte != 100).count(), 1);
        assert_eq!((y[5], v[0]), (76, 139), "a quarter: 0.75 * 100 + 0.25 * 256");
        assert_eq!((u[1], u[2], v[3]), (100, 100, 100));
    }

    #[test]
    fn a_pixel_of_a_packed_pair_changes_half_of_their_chroma() {
        let size = Size::new(3, 1);
        let [yuy2, ..] = blend(PixelFormat::Yuy2, size, [8, 0, 0], Colorimetry::default(), &at(picture(1, 1, RED), 2, 0));
        assert_eq!(yuy2, [100, 100, 100, 100, 76, 93, 100, 178]);
        let [uyvy, ..] = blend(PixelFormat::Uyvy, size, [8, 0, 0], Colorimetry::default(), &at(picture(1, 1, RED), 1, 0));
        assert_eq!(uyvy, [93, 100, 178, 76, 100, 100, 100, 100]);
    }

    #[test]
    fn nv21_has_v_before_u() {
        let placed = at(picture(2, 2, RED), 2, 0);
        let [_, chroma, _] = blend(PixelFormat::Nv21, Size::new(4, 2), [4, 4, 0], Colorimetry::default(), &placed);
        assert_eq!(chroma, [100, 100, 255, 85]);
    }

    #[test]
    fn pictures_are_clipped_to_the_frame() {
        let size = Size::new(5, 3);
        for (x, y, covered) in [(-1, -1, 4), (4, 2, 1), (-3, 0, 0), (5, 0, 0), (0, -3, 0), (0, i32::MIN, 0), (i32::MAX, 0, 0)] {
            for format in [PixelFormat::Gray8, PixelFormat::I420, PixelFormat::Nv12] {
                let [luma, ..] = blend(format, size, [8, 8, 8], Colorimetry::default(), &at(picture(3, 3, TRANSLUCENT), x, y));
                let changed = luma.iter().filter(|&&byte| byte != 100).count();
                assert_eq!(changed, covered, "{format:?} at {x}, {y}");
            }
        }
    }

    #[test]
    fn a_part_of_a_picture_equals_a_smaller_picture() {
        for format in PixelFormat::ALL {
            let strides = [64; 3];
            let part = Placed { size: Size::new(2, 4), ..at(picture(6, 6, RED), 2, 2) };
            let smaller = at(picture(2, 4, RED), 2, 2);
            let [part, smaller] = [part, smaller].map(|placed| blend(format, Size::new(8, 8), strides, LIMITED, &placed));
            assert!(part == smaller, "{format:?}");
        }
    }

    #[test]
    fn a_picture_looks_the_same_however_many_formats_share_it() {
        let shared = picture(2, 2, RED);
        for format in PixelFormat::ALL.into_iter().chain(PixelFormat::ALL) {
            let blended =
                [shared.clone(), picture(2, 2, RED)].map(|picture| blend(format, Size::new(4, 4), [64; 3], LIMITED, &at(picture, 0, 0)));
            assert!(blended[0] == blended[1], "{format:?}");
        }
    }
}
