// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blurring of faces in the planes of a frame.
//!
//! Only the mean colours of a few blocks remain of a face. The blocks lie on a grid that is fixed to the frame, and the
//! grid's step rarely changes. A jittering box therefore shows the same means again. Blocks that moved with the box would
//! reveal more of the face with each frame.

mod region;
mod surface;

use region::Region;
use surface::Surface;

use super::canvas::{Canvas, Cell};
use crate::choices::Blur;
use crate::geometry::Rect;

/// Maximum sum of the blurred areas, in areas of the frame. The time for a frame grows with that sum, so above it the whole
/// frame is hidden at once. Faces behind one another cover a frame two or three times.
const MAX_COVERED_AREA: f32 = 8.0;

impl Canvas<'_> {
    /// Hides each of `faces` as [`blur`](Self::blur) does. If their areas sum to more than 8 times that of the frame, the
    /// whole frame is hidden instead: the time for a frame is bounded, and no face stays visible.
    pub fn blur_faces(&mut self, faces: impl Iterator<Item = Rect> + Clone, blur: Blur) {
        let frame = self.size.rect();
        let covered_area = |face: Rect| Region::new(face, self.size, blur).map_or(0.0, |region| region.bounds.area());
        if faces.clone().map(covered_area).sum::<f32>() > MAX_COVERED_AREA * frame.area() {
            return self.blur_all(blur);
        }
        faces.for_each(|face| self.blur(face, blur));
    }

    /// Hides `face`, a box in pixels, under an ellipse with a margin on each side and a soft edge. The fourth byte of
    /// 32-bit RGB is blurred like the others. A side may be infinite, and a box may be far larger than the frame: memory
    /// and time are bounded by the frame. Boxes with no area, with a NaN or outside of the frame change nothing.
    pub fn blur(&mut self, face: Rect, blur: Blur) {
        let Some(region) = Region::new(face, self.size, blur) else { return };
        for index in 0..self.format.planes() {
            let cell = Cell::of(self.format, index);
            let plane = &mut self.planes[index];
            // One instance for each cell size, so that the loops over a cell's bytes are unrolled.
            match cell.bytes {
                1 => Surface::<1>::new(plane, cell, self.size, &region, blur).apply(plane),
                2 => Surface::<2>::new(plane, cell, self.size, &region, blur).apply(plane),
                3 => Surface::<3>::new(plane, cell, self.size, &region, blur).apply(plane),
                _ => Surface::<4>::new(plane, cell, self.size, &region, blur).apply(plane),
            }
        }
    }

    /// Hides the whole frame. Its blocks are as large as those of a face that fills the frame, so they hide any face.
    pub fn blur_all(&mut self, blur: Blur) {
        // The corners lie inside of the fully hidden ellipse, since `Blur::HIDDEN` is above the square root of 2.
        self.blur(self.size.rect(), blur);
    }
}

#[cfg(test)]
mod tests {
    use super::region::TOUCHED;
    use super::*;
    use crate::draw::PlaneMut;
    use crate::geometry::Size;
    use crate::image::{Colorimetry, PixelFormat};
    use proptest::prelude::*;

    const FRAME: Size = Size::new(97, 63);

    /// A frame of stripes one cell wide, with padded planes, before and after blurring.
    fn blurred(format: PixelFormat, size: Size, face: Rect, blur: Blur) -> [[Vec<u8>; 3]; 2] {
        let strides = [0, 1, 2].map(|plane| format.plane_extent(plane, size).1 + 7);
        // The last row has no padding, and in 32-bit RGB not even the unused byte of its last pixel.
        let length = |plane: usize| format.plane_extent(plane, size).0.saturating_sub(1) * strides[plane] + strides[plane] - 7;
        let cell = |plane: usize, at: usize| at % strides[plane] / Cell::of(format, plane).bytes;
        let stripes = |plane: usize, at: usize| if cell(plane, at).is_multiple_of(2) { 20 } else { 220 };
        let before = [0, 1, 2].map(|plane| (0..length(plane)).map(|at| stripes(plane, at)).collect::<Vec<u8>>());
        let mut after = before.clone();
        let [a, b, c] = &mut after;
        let planes = [(a, 0), (b, 1), (c, 2)].map(|(data, plane)| PlaneMut { data, stride: strides[plane] });
        Canvas::new(format, size, planes, Colorimetry::default()).expect("the planes fit").blur(face, blur);
        [before, after]
    }

    #[test]
    fn every_format_hides_the_box_and_changes_nothing_outside_of_the_ellipse() {
        let face = Rect::new(40.0, 20.0, 24.0, 24.0);
        for (format, blur) in
            PixelFormat::ALL.into_iter().flat_map(|format| [Blur::Pixelate, Blur::Smooth, Blur::Solid].map(|blur| (format, blur)))
        {
            let [before, after] = blurred(format, FRAME, face, blur);
            for plane in 0..format.planes() {
                let Cell { bytes, columns, rows, .. } = Cell::of(format, plane);
                let stride = format.plane_extent(plane, FRAME).1 + 7;
                let row = |y: usize, columns: std::ops::Range<usize>| y * stride + columns.start * bytes..y * stride + columns.end * bytes;
                let steps = |data: &[u8], y: usize| {
                    let line = &data[row(y, 46 / columns..58 / columns)];
                    line.iter().zip(&line[bytes..]).map(|(a, b)| u32::from(a.abs_diff(*b))).max()
                };
                for y in 24 / rows..40 / rows {
                    assert_eq!(
                        (steps(&before[plane], y), steps(&after[plane], y)),
                        (Some(200), Some(0)),
                        "{format:?} {blur:?} {plane} {y}"
                    );
                }
                let side = TOUCHED * face.w;
                let touched = Rect::square(face.center(), side);
                for (at, (a, b)) in before[plane].iter().zip(&after[plane]).enumerate() {
                    let (x, y) = ((at % stride / bytes * columns) as f32, (at / stride * rows) as f32);
                    let far = x + 2.0 < touched.x || x > touched.right() || y + 2.0 < touched.y || y > touched.bottom();
                    assert!(!far || a == b, "{format:?} {blur:?}: plane {plane} changed at {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn a_solid_face_is_the_same_grey_whatever_it_was_and_stays_as_transparent() {
        for format in PixelFormat::ALL {
            let [before, after] = blurred(format, FRAME, Rect::new(40.0, 20.0, 24.0, 24.0), Blur::Solid);
            for plane in 0..format.planes() {
                let Cell { bytes, columns, rows, spare, .. } = Cell::of(format, plane);
                let cell = (32 / rows) * (format.plane_extent(plane, FRAME).1 + 7) + 52 / columns * bytes;
                let colours = (0..bytes).filter(|byte| Some(*byte) != spare).map(|byte| after[plane][cell + byte]);
                assert!(colours.clone().all(|value| value == 128), "{format:?} {plane}: {:?}", colours.collect::<Vec<_>>());
                assert!(spare.is_none_or(|byte| before[plane][cell + byte].abs_diff(120) == 100 && after[plane][cell + byte] != 128));
            }
        }
    }

    #[test]
    fn a_uniform_picture_does_not_change() {
        for value in [0, 16, 127, 255] {
            for blur in [Blur::Pixelate, Blur::Smooth] {
                let mut data = vec![value; 40 * 40];
                let planes = [PlaneMut { data: &mut data, stride: 40 }, PlaneMut::default(), PlaneMut::default()];
                let mut canvas = Canvas::new(PixelFormat::Gray8, Size::new(40, 40), planes, Colorimetry::default()).expect("it fits");
                canvas.blur(Rect::new(5.0, 5.0, 30.0, 30.0), blur);
                assert!(data.iter().all(|&byte| byte == value), "{blur:?} {value}");
            }
        }
    }

    #[test]
    fn a_box_that_moves_by_one_pixel_shows_the_same_blocks() {
        let face = Rect::new(40.0, 20.0, 24.0, 24.0);
        let [_, [first, ..]] = blurred(PixelFormat::Gray8, FRAME, face, Blur::Pixelate);
        let [_, [second, ..]] = blurred(PixelFormat::Gray8, FRAME, face.translated(1.0, -1.0), Blur::Pixelate);
        for y in 24..40 {
            let line = y * 104 + 44..y * 104 + 60;
            assert_eq!(first[line.clone()], second[line]);
        }
    }

    #[test]
    fn a_hidden_frame_shows_no_stripes_up_to_its_corners() {
        let size = Size::new(96, 72); // a whole number of blocks, each with as many dark stripes as bright ones
        for (format, blur) in
            PixelFormat::ALL.into_iter().flat_map(|format| [Blur::Pixelate, Blur::Smooth, Blur::Solid].map(|blur| (format, blur)))
        {
            let mut data = [0, 1, 2].map(|plane| {
                let (rows, length) = format.plane_extent(plane, size);
                let bytes = Cell::of(format, plane).bytes;
                (0..rows * length).map(|at| if (at % length / bytes).is_multiple_of(2) { 20 } else { 220 }).collect::<Vec<u8>>()
            });
            let [a, b, c] = &mut data;
            let planes = [(a, 0), (b, 1), (c, 2)].map(|(data, plane)| PlaneMut { data, stride: format.plane_extent(plane, size).1 });
            Canvas::new(format, size, planes, Colorimetry::default()).expect("the planes fit").blur_all(blur);
            for (plane, data) in data.iter().enumerate().take(format.planes()) {
                assert!(data.iter().all(|byte| (100..140).contains(byte)), "{format:?} {blur:?} plane {plane}");
            }
        }
    }

    #[test]
    fn a_box_far_larger_than_the_frame_hides_the_whole_frame() {
        // A width of -1 that was stored as unsigned, and numbers that overflow when they are converted to pixels.
        for side in [1e6, u32::MAX as f32, 1e30, f32::MAX, f32::INFINITY] {
            let faces = [Rect::new(3.0, 3.0, side, side), Rect::new(-side, -side, 2.0 * side, 2.0 * side)];
            for (face, blur) in faces.into_iter().flat_map(|face| [(face, Blur::Pixelate), (face, Blur::Smooth)]) {
                let [_, [after, ..]] = blurred(PixelFormat::Gray8, FRAME, face, blur);
                let hidden = after.chunks(104).flat_map(|row| &row[..97]).all(|byte| byte.abs_diff(120) < 8);
                assert!(hidden, "{face:?} {blur:?}: {:?}", &after[30 * 104..31 * 104]);
            }
        }
    }

    #[test]
    fn too_many_boxes_hide_the_whole_frame() {
        let hidden_pixels = |faces: Vec<Rect>| {
            let mut data: Vec<u8> = (0..97 * 63).map(|at| if at % 2 == 0 { 20 } else { 220 }).collect();
            let planes = [PlaneMut { data: &mut data, stride: 97 }, PlaneMut::default(), PlaneMut::default()];
            Canvas::new(PixelFormat::Gray8, FRAME, planes, Colorimetry::default())
                .expect("it fits")
                .blur_faces(faces.into_iter(), Blur::Pixelate);
            data.iter().filter(|byte| byte.abs_diff(120) < 8).count()
        };
        // With its margin, each box covers a fifth of the frame, all of it in the left half.
        let face = Rect::new(0.0, 10.0, 30.0, 30.0);
        assert!((600..2_000).contains(&hidden_pixels(vec![face; 20])), "{}", hidden_pixels(vec![face; 20]));
        assert_eq!(hidden_pixels(vec![face; 500]), 97 * 63, "too many to hide them one by one");
    }

    #[test]
    fn block_sums_do_not_overflow_in_a_large_white_frame() {
        // These bytes of 255 sum to more than a `u32` can hold.
        let size = Size::new(8192, 2100);
        let mut data = vec![255; 8192 * 2100];
        let planes = [PlaneMut { data: &mut data, stride: 8192 }, PlaneMut::default(), PlaneMut::default()];
        let mut canvas = Canvas::new(PixelFormat::Gray8, size, planes, Colorimetry::default()).expect("it fits");
        canvas.blur(Rect::new(-1e5, -1e5, 3e5, 3e5), Blur::Pixelate);
        assert!(data.iter().all(|&byte| byte == 255), "{}", data[0]);
    }

    proptest! {
        #[test]
        fn no_box_panics(x in number(), y in number(), w in number(), h in number(), pixelate: bool) {
            let blur = if pixelate { Blur::Pixelate } else { Blur::Smooth };
            blurred(PixelFormat::Nv12, Size::new(17, 33), Rect::new(x, y, w, h), blur);
        }
    }

    /// Any number, with a bias towards special values and those near a frame.
    fn number() -> impl Strategy<Value = f32> {
        let special = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, u32::MAX as f32, f32::MAX, f32::MIN]);
        prop_oneof![any::<f32>(), -100.0f32..100.0, special]
    }

    #[test]
    fn extreme_boxes_do_not_panic_in_any_format_and_size() {
        let extreme = [
            Rect::new(0.0, 0.0, 1.0, 1.0),
            Rect::new(-50.0, -50.0, 60.0, 60.0),
            Rect::new(16.0, 30.0, 500.0, 2.0),
            Rect::new(0.0, 0.0, 1e6, 1e6),
            Rect::new(1e9, 0.0, 4.0, 4.0),
            Rect::new(f32::NAN, 0.0, 4.0, 4.0),
            Rect::new(0.0, 0.0, -4.0, 4.0),
        ];
        for size in [Size::new(1, 1), Size::new(17, 33), Size::new(64, 2)] {
            for (format, face) in PixelFormat::ALL.into_iter().flat_map(|format| extreme.map(|face| (format, face))) {
                for blur in [Blur::Pixelate, Blur::Smooth] {
                    blurred(format, size, face, blur);
                }
            }
        }
    }
}
