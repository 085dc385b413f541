// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces made unrecognisable, in the planes of a frame.
//!
//! All that stays of a face is the mean colour of a few blocks. The blocks lie on a grid that is fixed to the frame and
//! whose step changes rarely: a box that trembles shows the same means again, where blocks that moved with it would give
//! away, frame by frame, what lies between them.

use super::canvas::{Canvas, Cell, PlaneMut};
use crate::geometry::{Rect, Size};

/// How the blocks' means are put in place of the face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blur {
    /// As they are, a mosaic.
    Pixelate,
    /// As a smooth surface.
    Smooth,
}

impl Blur {
    /// A face is at most this many blocks wide or high, whichever is less. With twice as many, CenterFace still finds one
    /// face in eight, pixelated, and one in thirteen, blurred, in an audience (Haar a quarter of one large face), as
    /// `people_are_not_found_again` prints.
    const fn blocks(self) -> f32 {
        match self {
            Self::Pixelate => 3.0,
            Self::Smooth => 2.0,
        }
    }
}

/// Axes of the ellipse that is hidden in full, in sides of the face's box, and of the one where hiding ends.
const HIDDEN: f32 = 1.45;
const TOUCHED: f32 = 1.6;

/// Boxes that together cover the frame more often than this are hidden by hiding all of it: the time that they take goes
/// by what they cover. Faces that stand behind one another cover it twice or three times at most.
const MAX_COVER: f32 = 8.0;

impl Canvas<'_> {
    /// Hides each of `faces` as [`blur`](Self::blur) does. Where their ellipses cover the frame more than 8 times over, all
    /// of the frame is hidden instead: the work on a frame is bounded, and no face is left to be seen.
    pub fn blur_faces(&mut self, faces: impl Iterator<Item = Rect> + Clone, blur: Blur) {
        let frame = self.size.rect();
        let covered = |face: Rect| Region::new(face, self.size, blur).map_or(0.0, |region| region.bounds.area());
        if faces.clone().map(covered).sum::<f32>() > MAX_COVER * frame.area() {
            return self.blur_all(blur);
        }
        faces.for_each(|face| self.blur(face, blur));
    }

    /// Hides `face`, a box in pixels, with a margin on each side: an ellipse with a soft edge. Fourth bytes of 32-bit RGB
    /// are blurred with the others. A side may be infinite, and a box may be far larger than the frame; memory and work
    /// stay bounded by the frame. Boxes without an area, with a NaN or outside of the frame change nothing.
    pub fn blur(&mut self, face: Rect, blur: Blur) {
        let Some(region) = Region::new(face, self.size, blur) else { return };
        for index in 0..self.format.planes() {
            let cell = Cell::of(self.format, index);
            let plane = &mut self.planes[index];
            match cell.bytes {
                1 => Surface::<1>::new(plane, cell, self.size, &region, blur).apply(plane),
                2 => Surface::<2>::new(plane, cell, self.size, &region, blur).apply(plane),
                3 => Surface::<3>::new(plane, cell, self.size, &region, blur).apply(plane),
                _ => Surface::<4>::new(plane, cell, self.size, &region, blur).apply(plane),
            }
        }
    }
}

impl Canvas<'_> {
    /// Hides the whole frame, and so faces of any size: its blocks are those of a face as large as the frame.
    pub fn blur_all(&mut self, blur: Blur) {
        // The corners lie within the ellipse that is hidden in full, since HIDDEN is more than the square root of 2.
        self.blur(self.size.rect(), blur);
    }
}

/// A box reaches no further than this beyond the frame, in longer sides of the frame: its ellipse looks the same within
/// the frame, and no number overflows.
const MAX_REACH: f32 = 16.0;

/// What is hidden, in pixels.
struct Region {
    face: Rect,
    /// The part of the frame that is touched.
    bounds: Rect,
    /// Side of a block.
    block: usize,
}

impl Region {
    fn new(face: Rect, frame: Size, blur: Blur) -> Option<Self> {
        let longer = frame.width.max(frame.height) as f32;
        let face = within_reach(face, MAX_REACH * longer)?;
        let bounds = Rect::around(face.center(), TOUCHED * face.w, TOUCHED * face.h).clamp_to(frame);
        let side = (face.w.min(face.h) / blur.blocks()).min(longer);
        bounds.is_valid().then(|| Self { face, bounds, block: block_side(side) })
    }
}

/// The part of `rect` with coordinates from `-reach` to `2 * reach`; none of what has no area or a NaN.
fn within_reach(rect: Rect, reach: f32) -> Option<Rect> {
    let sides = rect.w > 0.0 && rect.h > 0.0;
    // From minus to plus infinity is NaN, which `min` takes for the other number: it reaches as far as anything.
    let (right, bottom) = (rect.right().min(2.0 * reach), rect.bottom().min(2.0 * reach));
    let inside = Rect::from_corners(rect.x.max(-reach), rect.y.max(-reach), right, bottom);
    (sides && !rect.x.is_nan() && !rect.y.is_nan() && inside.is_valid()).then_some(inside)
}

/// The next of 2, 4, 6, 8, 12, 16, 24, … that is no less than `side`: even numbers, so that blocks cover whole samples of
/// chroma, far enough apart to last.
fn block_side(side: f32) -> usize {
    (1..32)
        .flat_map(|power| [1 << power, 3 << (power - 1)])
        .filter(|step| step % 2 == 0)
        .find(|&step| step as f32 >= side)
        .unwrap_or(1 << 31)
}

/// What takes a face's place in one plane, whose cells have `N` bytes. Lengths are in cells.
struct Surface<const N: usize> {
    blur: Blur,
    /// First and last but one column and row that are touched.
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
    /// Width and height of a block.
    block: (usize, usize),
    /// Column and row of the first block of `means` on the grid.
    first: (usize, usize),
    /// Blocks in a row of `means`.
    stride: usize,
    means: Vec<[f32; N]>,
    /// Middle of the ellipses and half axes of the outer one.
    center: (f32, f32),
    radius: (f32, f32),
}

impl<const N: usize> Surface<N> {
    fn new(plane: &PlaneMut, cell: Cell, frame: Size, region: &Region, blur: Blur) -> Self {
        let (sub_x, sub_y) = (cell.columns as f32, cell.rows as f32);
        let block = (region.block / cell.columns, region.block / cell.rows);
        let (bounds, middle) = (region.bounds, region.face.center());
        let columns = (bounds.x / sub_x) as usize..((bounds.right() / sub_x).ceil() as usize);
        let rows = (bounds.y / sub_y) as usize..((bounds.bottom() / sub_y).ceil() as usize);
        let width = (frame.width as usize).div_ceil(cell.columns);
        let height = (frame.height as usize).div_ceil(cell.rows);
        // One block more on each side, to take part in what is between the last ones.
        let blocks = |touched: &std::ops::Range<usize>, side: usize, limit: usize| {
            (touched.start / side).saturating_sub(1)..(touched.end.div_ceil(side) + 1).min(limit.div_ceil(side))
        };
        let (across, down) = (blocks(&columns, block.0, width), blocks(&rows, block.1, height));
        let mut means = Vec::with_capacity(across.len() * down.len());
        for y in down.clone() {
            let lines = y * block.1..((y + 1) * block.1).min(height);
            means.extend(across.clone().map(|x| mean(plane, x * block.0..((x + 1) * block.0).min(width), lines.clone())));
        }
        Self {
            blur,
            columns,
            rows,
            block,
            first: (across.start, down.start),
            stride: across.len(),
            means,
            center: (middle.x / sub_x, middle.y / sub_y),
            radius: (TOUCHED / 2.0 * region.face.w / sub_x, TOUCHED / 2.0 * region.face.h / sub_y),
        }
    }

    fn apply(&self, plane: &mut PlaneMut) {
        let mut line = vec![[0; N]; self.columns.len()];
        let mut mask = line.clone();
        let weighed = if self.blur == Blur::Smooth { self.block.0 } else { 0 };
        let weights: Vec<[f32; 3]> = (0..weighed).map(|at| spline(at, weighed)).collect();
        for y in self.rows.clone() {
            match self.blur {
                Blur::Pixelate => self.fill_steps(y, &mut line),
                Blur::Smooth => self.fill_smooth(y, &weights, &mut line),
            }
            self.fill_mask(y, &mut mask);
            let row = &mut plane.data[y * plane.stride + self.columns.start * N..];
            // The unused last byte of a frame may be missing.
            for ((byte, &new), &share) in row.iter_mut().zip(line.as_flattened()).zip(mask.as_flattened()) {
                *byte = mix(*byte, new, share);
            }
        }
    }

    fn fill_steps(&self, y: usize, line: &mut [[u8; N]]) {
        let blocks = &self.means[(y / self.block.1 - self.first.1) * self.stride..];
        for (x, cell) in self.columns.clone().zip(line) {
            *cell = blocks[x / self.block.0 - self.first.0].map(|mean| (mean + 0.5) as u8);
        }
    }

    /// A quadratic B-spline over the means, which unlike a linear one has no edges between blocks.
    fn fill_smooth(&self, y: usize, across: &[[f32; 3]], line: &mut [[u8; N]]) {
        let (width, height) = self.block;
        let (last_column, last_row) = (self.stride - 1, self.means.len() / self.stride - 1);
        let neighbours = |block: usize, last: usize| [block.saturating_sub(1), block, (block + 1).min(last)];
        let down = neighbours(y / height - self.first.1, last_row);
        let blended = |x: usize| sum(down.map(|row| self.means[row * self.stride + x]), spline(y % height, height));
        let row: Vec<[f32; N]> = (0..self.stride).map(blended).collect();
        for (x, cell) in self.columns.clone().zip(line) {
            let blocks = neighbours(x / width - self.first.0, last_column);
            *cell = sum(blocks.map(|column| row[column]), across[x % width]).map(|value| (value + 0.5) as u8);
        }
    }

    /// How much of each cell is hidden: all inside of one ellipse, nothing outside of the other.
    fn fill_mask(&self, y: usize, mask: &mut [[u8; N]]) {
        const EDGE: f32 = 1.0 - (HIDDEN / TOUCHED) * (HIDDEN / TOUCHED);
        let dy = (y as f32 + 0.5 - self.center.1) / self.radius.1;
        for (x, share) in self.columns.clone().zip(mask) {
            let dx = (x as f32 + 0.5 - self.center.0) / self.radius.0;
            *share = [((1.0 - dx * dx - dy * dy) / EDGE * 255.0).clamp(0.0, 255.0) as u8; N];
        }
    }
}

/// The mean of the cells in some columns and rows of a plane.
fn mean<const N: usize>(plane: &PlaneMut, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> [f32; N] {
    /// Bytes of so many cells add up to less than an `u32` holds; an `f64` is slower and exact for any frame.
    const MOST: usize = 1 << 24;
    let few = columns.len().saturating_mul(rows.len()) <= MOST;
    if few { mean_in::<u32, N>(plane, columns, rows) } else { mean_in::<f64, N>(plane, columns, rows) }
}

/// [`mean`] with sums of type `S`.
fn mean_in<S, const N: usize>(plane: &PlaneMut, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> [f32; N]
where
    S: Copy + Default + From<u8> + Into<f64> + std::ops::AddAssign,
{
    let (mut sum, mut count) = ([S::default(); N], 0);
    for y in rows {
        let start = y * plane.stride;
        let end = (start + columns.end * N).min(plane.data.len());
        let cells = plane.data[start + columns.start * N..end].as_chunks::<N>().0;
        cells.iter().for_each(|cell| sum.iter_mut().zip(cell).for_each(|(sum, &byte)| *sum += S::from(byte)));
        count += cells.len();
    }
    sum.map(|sum| (sum.into() / count.max(1) as f64) as f32)
}

/// Weights of a block before, the block itself and the one after it, at cell `at` of its `side`.
fn spline(at: usize, side: usize) -> [f32; 3] {
    let t = (at as f32 + 0.5) / side as f32;
    [(1.0 - t) * (1.0 - t) / 2.0, 0.5 + t - t * t, t * t / 2.0]
}

fn sum<const N: usize>(cells: [[f32; N]; 3], weights: [f32; 3]) -> [f32; N] {
    std::array::from_fn(|i| cells[0][i] * weights[0] + cells[1][i] * weights[1] + cells[2][i] * weights[2])
}

/// `share` / 255 of `new` over `old`, rounded as [`super::blend`] does.
fn mix(old: u8, new: u8, share: u8) -> u8 {
    let t = u16::from(old) * u16::from(255 - share) + u16::from(new) * u16::from(share) + 128;
    ((t + (t >> 8)) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Colorimetry, PixelFormat};
    use proptest::prelude::*;

    const FRAME: Size = Size::new(97, 63);

    /// A frame of the finest stripes, its planes padded, before and after.
    fn blurred(format: PixelFormat, size: Size, face: Rect, blur: Blur) -> [[Vec<u8>; 3]; 2] {
        let strides = [0, 1, 2].map(|plane| format.plane_extent(plane, size).1 + 7);
        // The last row has no padding, and of 32-bit RGB not even its last, unused byte.
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
    fn block_sides_by_hand() {
        assert_eq!([0.5, 2.0, 2.1, 5.0, 9.0, 13.0, 17.0, 100.0].map(block_side), [2, 2, 4, 6, 12, 16, 24, 128]);
    }

    #[test]
    fn the_box_is_hidden_and_what_is_far_is_not_touched_in_every_format() {
        let face = Rect::new(40.0, 20.0, 24.0, 24.0);
        for (format, blur) in PixelFormat::ALL.into_iter().flat_map(|format| [(format, Blur::Pixelate), (format, Blur::Smooth)]) {
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
    fn a_flat_picture_stays_as_it_is() {
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
    fn a_box_that_moves_by_a_pixel_shows_the_same_blocks() {
        let face = Rect::new(40.0, 20.0, 24.0, 24.0);
        let [_, [first, ..]] = blurred(PixelFormat::Gray8, FRAME, face, Blur::Pixelate);
        let [_, [second, ..]] = blurred(PixelFormat::Gray8, FRAME, face.translated(1.0, -1.0), Blur::Pixelate);
        for y in 24..40 {
            let line = y * 104 + 44..y * 104 + 60;
            assert_eq!(first[line.clone()], second[line]);
        }
    }

    #[test]
    fn no_corner_of_a_hidden_frame_keeps_its_stripes() {
        let size = Size::new(96, 72); // a whole number of blocks, each with as many dark stripes as light ones
        for (format, blur) in PixelFormat::ALL.into_iter().flat_map(|format| [(format, Blur::Pixelate), (format, Blur::Smooth)]) {
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
    fn a_box_far_larger_than_the_frame_hides_all_of_it() {
        // A width of -1 that was stored unsigned, and numbers that overflow on their way to pixels.
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
    fn boxes_without_number_hide_the_whole_frame() {
        let hidden = |faces: Vec<Rect>| {
            let mut data: Vec<u8> = (0..97 * 63).map(|at| if at % 2 == 0 { 20 } else { 220 }).collect();
            let planes = [PlaneMut { data: &mut data, stride: 97 }, PlaneMut::default(), PlaneMut::default()];
            Canvas::new(PixelFormat::Gray8, FRAME, planes, Colorimetry::default())
                .expect("it fits")
                .blur_faces(faces.into_iter(), Blur::Pixelate);
            data.iter().filter(|byte| byte.abs_diff(120) < 8).count()
        };
        // Each covers a fifth of the frame, with its margin, and leaves the right half alone.
        let face = Rect::new(0.0, 10.0, 30.0, 30.0);
        assert!((600..2_000).contains(&hidden(vec![face; 20])), "{}", hidden(vec![face; 20]));
        assert_eq!(hidden(vec![face; 500]), 97 * 63, "too many to hide them one by one");
    }

    #[test]
    fn a_white_frame_of_many_pixels_stays_white() {
        // Bytes of 255 add up to more than 32 bits hold.
        let size = Size::new(8192, 2100);
        let mut data = vec![255; 8192 * 2100];
        let planes = [PlaneMut { data: &mut data, stride: 8192 }, PlaneMut::default(), PlaneMut::default()];
        let mut canvas = Canvas::new(PixelFormat::Gray8, size, planes, Colorimetry::default()).expect("it fits");
        canvas.blur(Rect::new(-1e5, -1e5, 3e5, 3e5), Blur::Pixelate);
        assert!(data.iter().all(|&byte| byte == 255), "{}", data[0]);
    }

    proptest! {
        #[test]
        fn any_numbers_are_a_box(x in number(), y in number(), w in number(), h in number(), pixelate: bool) {
            let blur = if pixelate { Blur::Pixelate } else { Blur::Smooth };
            blurred(PixelFormat::Nv12, Size::new(17, 33), Rect::new(x, y, w, h), blur);
        }
    }

    /// Numbers of every kind, those near a frame often.
    fn number() -> impl Strategy<Value = f32> {
        let special = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, u32::MAX as f32, f32::MAX, f32::MIN]);
        prop_oneof![any::<f32>(), -100.0f32..100.0, special]
    }

    #[test]
    fn any_box_on_any_frame() {
        let wild = [
            Rect::new(0.0, 0.0, 1.0, 1.0),
            Rect::new(-50.0, -50.0, 60.0, 60.0),
            Rect::new(16.0, 30.0, 500.0, 2.0),
            Rect::new(0.0, 0.0, 1e6, 1e6),
            Rect::new(1e9, 0.0, 4.0, 4.0),
            Rect::new(f32::NAN, 0.0, 4.0, 4.0),
            Rect::new(0.0, 0.0, -4.0, 4.0),
        ];
        for size in [Size::new(1, 1), Size::new(17, 33), Size::new(64, 2)] {
            for (format, face) in PixelFormat::ALL.into_iter().flat_map(|format| wild.map(|face| (format, face))) {
                for blur in [Blur::Pixelate, Blur::Smooth] {
                    blurred(format, size, face, blur);
                }
            }
        }
    }
}
