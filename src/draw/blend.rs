// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pictures over the planes of a frame, in the frame's own format.
//!
//! A picture is prepared for a format once: for every byte that it covers in a plane, how much of what is there stays
//! and what is added. Blending is then the same short loop over bytes for every format. The prepared form stays with the
//! picture, so that pictures which are shown again cost nothing but that loop.

use super::canvas::{Canvas, Cell, PlaneMut};
use super::picture::{Picture, Placed};
use crate::geometry::Size;
use crate::image::{Colorimetry, Component, PixelFormat, Range};

impl Canvas<'_> {
    /// Draws a picture over the frame; what lies outside of the frame is cut off. The fourth byte of 32-bit RGB is
    /// treated as alpha, which does no harm where it has no meaning.
    pub fn blend(&mut self, placed: &Placed) {
        let target = Target {
            format: self.format,
            colorimetry: self.colorimetry,
            odd_x: placed.x.rem_euclid(2) == 1,
            odd_y: placed.y.rem_euclid(2) == 1,
        };
        placed.picture.with_prepared(target, |prepared| {
            for layer in &prepared.layers {
                let plane = &mut self.planes[layer.cell.plane];
                layer.blend(plane, self.size, placed);
            }
        });
    }
}

/// What the prepared form of a picture depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    format: PixelFormat,
    colorimetry: Colorimetry,
    /// The picture's left and top edge are at odd pixels, in the middle of a sample of chroma.
    odd_x: bool,
    odd_y: bool,
}

/// A picture in the form of some target.
#[derive(Debug)]
pub(super) struct Prepared {
    pub target: Target,
    layers: Vec<Layer>,
}

impl Prepared {
    pub(super) fn new(picture: &Picture, target: Target) -> Self {
        let layers = (0..target.format.planes()).map(|plane| Layer::new(picture, target, plane)).collect();
        Self { target, layers }
    }
}

/// What a picture does to the bytes of one plane, from an even column and row of the frame on.
#[derive(Debug)]
struct Layer {
    cell: Cell,
    /// Bytes in a row.
    stride: usize,
    /// What is added to each byte.
    add: Vec<u8>,
    /// How much of the byte stays, in 1/255.
    keep: Vec<u8>,
}

impl Layer {
    fn new(picture: &Picture, target: Target, plane: usize) -> Self {
        let cell = Cell::of(target.format, plane);
        let shift = Shift { x: usize::from(target.odd_x), y: usize::from(target.odd_y) };
        let Size { width, height } = picture.size();
        let stride = (width as usize + shift.x).div_ceil(cell.columns) * cell.bytes;
        let rows = (height as usize + shift.y).div_ceil(cell.rows);
        let mut layer = Self { cell, stride, add: vec![0; stride * rows], keep: vec![255; stride * rows] };
        for (component, weights) in channels(target).into_iter().filter(|(component, _)| component.plane == plane) {
            layer.fill(picture, shift, component, weights);
        }
        layer
    }

    /// Each sample takes the mean of the pixels that it stands for; those beside the picture are transparent.
    fn fill(&mut self, picture: &Picture, shift: Shift, component: Component, weights: Weights) {
        let (sub_x, sub_y) = (component.sub_x as usize, component.sub_y as usize);
        if (sub_x, sub_y) == (1, 1) {
            return self.fill_each(picture, shift, component, weights);
        }
        let Size { width, height } = picture.size();
        for (y, row) in (0..self.keep.len() / self.stride).map(|y| (y, y * self.stride)) {
            let lines = shift.line(y, sub_y, height as usize);
            let samples = (row + component.offset..row + self.stride).step_by(component.step);
            for (x, at) in samples.enumerate() {
                let columns = shift.column(x, sub_x, width as usize);
                let mean = mean(picture, columns, lines.clone(), (sub_x * sub_y) as u32);
                self.add[at] = weights.apply(mean);
                self.keep[at] = 255 - mean[3];
            }
        }
    }

    /// [`Self::fill`] where each pixel has a sample of its own.
    fn fill_each(&mut self, picture: &Picture, shift: Shift, component: Component, weights: Weights) {
        for line in 0..picture.size().height as usize {
            let first = (line + shift.y) * self.stride + shift.x * component.step + component.offset;
            let samples = self.add[first..].iter_mut().zip(&mut self.keep[first..]).step_by(component.step);
            for (pixel, (add, keep)) in picture.row(line).chunks_exact(4).zip(samples) {
                *add = weights.apply([pixel[0], pixel[1], pixel[2], pixel[3]]);
                *keep = 255 - pixel[3];
            }
        }
    }

    fn blend(&self, plane: &mut PlaneMut, frame: Size, placed: &Placed) {
        let Cell { bytes, columns, rows, .. } = self.cell;
        let Placed { size, x, y, .. } = placed;
        let (left, top) = (x.div_euclid(2) * 2, y.div_euclid(2) * 2);
        // Cells of a picture that begins in the middle of one, and of the part of it that is shown.
        let across = (size.width as usize + x.abs_diff(left) as usize).div_ceil(columns).min(self.stride / bytes);
        let down = (size.height as usize + y.abs_diff(top) as usize).div_ceil(rows).min(self.keep.len() / self.stride);
        let Some((to_x, from_x, count)) = overlap(left, across, columns, frame.width) else { return };
        let Some((to_y, from_y, lines)) = overlap(top, down, rows, frame.height) else { return };
        for line in 0..lines {
            let from = (from_y + line) * self.stride + from_x * bytes;
            let to = (to_y + line) * plane.stride + to_x * bytes;
            // The unused last byte of a frame may be missing.
            let end = plane.data.len().min(to + count * bytes);
            let source = self.add[from..].iter().zip(&self.keep[from..]);
            for (byte, (&add, &keep)) in plane.data[to..end].iter_mut().zip(source) {
                *byte = over(add, *byte, keep);
            }
        }
    }
}

/// First cell in the frame, first cell in the layer and number of cells that `cells` cells of `pixels` pixels each,
/// from pixel `start` on, share with a frame of `limit` pixels.
fn overlap(start: i32, cells: usize, pixels: usize, limit: u32) -> Option<(usize, usize, usize)> {
    let first = i64::from(start).div_euclid(pixels as i64);
    let end = (first + cells as i64).min(i64::from(limit.div_ceil(pixels as u32)));
    let visible = first.max(0);
    (end > visible).then(|| (visible as usize, (visible - first) as usize, (end - visible) as usize))
}

/// How far a picture begins inside of its first cells.
#[derive(Clone, Copy)]
struct Shift {
    x: usize,
    y: usize,
}

impl Shift {
    /// The picture's columns under sample `x`.
    fn column(self, x: usize, sub: usize, width: usize) -> std::ops::Range<usize> {
        (x * sub).saturating_sub(self.x).min(width)..((x + 1) * sub).saturating_sub(self.x).min(width)
    }

    /// The picture's rows under sample `y`.
    fn line(self, y: usize, sub: usize, height: usize) -> std::ops::Range<usize> {
        (y * sub).saturating_sub(self.y).min(height)..((y + 1) * sub).saturating_sub(self.y).min(height)
    }
}

fn mean(picture: &Picture, columns: std::ops::Range<usize>, lines: std::ops::Range<usize>, count: u32) -> [u8; 4] {
    let mut sum = [count / 2; 4];
    for line in lines {
        for pixel in picture.row(line)[4 * columns.start..4 * columns.end].chunks_exact(4) {
            sum.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += u32::from(value));
        }
    }
    sum.map(|sum| (sum / count) as u8)
}

/// `add` (multiplied by its alpha) over `under`, of which `keep` / 255 shows through.
fn over(add: u8, under: u8, keep: u8) -> u8 {
    // (t + (t >> 8)) >> 8 with t = x + 128 is x / 255, rounded, for all products of two bytes.
    let t = u16::from(under) * u16::from(keep) + 128;
    add.saturating_add(((t + (t >> 8)) >> 8) as u8)
}

/// How a sample follows from R, G, B and A, colours multiplied by alpha: weights in 1/65536.
#[derive(Clone, Copy, Debug)]
struct Weights([i32; 4]);

impl Weights {
    fn new(weights: [f32; 4]) -> Self {
        Self(weights.map(|weight| (weight * 65536.0).round() as i32))
    }

    fn apply(self, rgba: [u8; 4]) -> u8 {
        let sum: i32 = self.0.iter().zip(rgba).map(|(weight, value)| weight * i32::from(value)).sum();
        ((sum + 32768) >> 16).clamp(0, 255) as u8
    }
}

/// The components to write and how each follows from a picture's pixel.
fn channels(target: Target) -> Vec<(Component, Weights)> {
    let components = target.format.components();
    let rows = if target.format.is_yuv() || target.format == PixelFormat::Gray8 {
        yuv(target.colorimetry).to_vec()
    } else {
        vec![[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    };
    let count = if target.format == PixelFormat::Gray8 { 1 } else { 3 };
    let mut channels: Vec<_> = components.into_iter().zip(rows.into_iter().map(Weights::new)).take(count).collect();
    if components[0].step == 4 && !target.format.is_yuv() {
        let offset = 6 - components.iter().map(|component| component.offset).sum::<usize>();
        channels.push((Component { offset, ..components[0] }, Weights::new([0.0, 0.0, 0.0, 1.0])));
    }
    channels
}

/// Weights of R, G, B and A for Y, U and V.
fn yuv(colorimetry: Colorimetry) -> [[f32; 4]; 3] {
    let (kr, kb) = colorimetry.matrix.red_blue();
    let kg = 1.0 - kr - kb;
    let (luma, chroma, black) = match colorimetry.range {
        Range::Full => (1.0, 1.0, 0.0),
        Range::Limited => (219.0 / 255.0, 224.0 / 255.0, 16.0 / 255.0),
    };
    let (cu, cv) = (chroma / (2.0 * (1.0 - kb)), chroma / (2.0 * (1.0 - kr)));
    let middle = 128.0 / 255.0;
    [[luma * kr, luma * kg, luma * kb, black], [-cu * kr, -cu * kg, cu * (1.0 - kb), middle], [cv * (1.0 - kr), -cv * kg, -cv * kb, middle]]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::image::Matrix;

    const RED: [u8; 4] = [255, 0, 0, 255];
    /// White at half strength.
    const VEIL: [u8; 4] = [128, 128, 128, 128];
    const LIMITED: Colorimetry = Colorimetry { range: Range::Limited, matrix: Matrix::Bt709 };

    fn picture(width: u32, height: u32, pixel: [u8; 4]) -> Arc<Picture> {
        Arc::new(Picture::new(Size::new(width, height), pixel.repeat((width * height) as usize)))
    }

    /// Blends onto planes of `bytes` bytes of value 100 with the given strides.
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
    fn over_by_hand() {
        assert_eq!(over(0, 200, 255), 200, "a transparent pixel changes nothing");
        assert_eq!(over(77, 200, 0), 77, "an opaque one hides all");
        assert_eq!(over(128, 200, 127), 228, "128 + 200 * 127 / 255 = 227.6");
        assert_eq!(over(255, 255, 255), 255);
        for (under, keep) in (0..=255).flat_map(|under| (0..=255).map(move |keep| (under, keep))) {
            let exact = f32::from(under) * f32::from(keep) / 255.0;
            assert_eq!(over(0, under, keep), exact.round() as u8);
        }
    }

    #[test]
    fn colours_go_to_their_bytes() {
        let red_at = |format, step: usize| {
            let planes = blend(format, Size::new(2, 1), [2 * step, 0, 0], Colorimetry::default(), &at(picture(1, 1, RED), 1, 0));
            assert!(planes[0][..step].iter().all(|&byte| byte == 100), "the pixel beside it is left alone");
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
    fn red_in_both_ranges() {
        let red = |colorimetry| {
            let placed = at(picture(2, 2, RED), 0, 0);
            blend(PixelFormat::I420, Size::new(2, 2), [2, 1, 1], colorimetry, &placed).map(|plane| plane[0])
        };
        assert_eq!(red(Colorimetry::default()), [76, 85, 255], "full range BT.601");
        assert_eq!(red(LIMITED), [63, 102, 240], "limited range BT.709");
    }

    #[test]
    fn chroma_takes_its_share_of_a_pixel() {
        let placed = at(picture(1, 1, RED), 1, 1);
        let [y, u, v] = blend(PixelFormat::I420, Size::new(4, 4), [4, 2, 2], Colorimetry::default(), &placed);
        assert_eq!(y.iter().filter(|&&byte| byte != 100).count(), 1);
        assert_eq!((y[5], v[0]), (76, 139), "a quarter: 0.75 * 100 + 0.25 * 256");
        assert_eq!((u[1], u[2], v[3]), (100, 100, 100));
    }

    #[test]
    fn packed_pairs_share_their_chroma() {
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
    fn what_is_outside_of_the_frame_is_cut_off() {
        let size = Size::new(5, 3);
        for (x, y, covered) in [(-1, -1, 4), (4, 2, 1), (-3, 0, 0), (5, 0, 0), (0, -3, 0), (0, i32::MIN, 0), (i32::MAX, 0, 0)] {
            for format in [PixelFormat::Gray8, PixelFormat::I420, PixelFormat::Nv12] {
                let [luma, ..] = blend(format, size, [8, 8, 8], Colorimetry::default(), &at(picture(3, 3, VEIL), x, y));
                let changed = luma.iter().filter(|&&byte| byte != 100).count();
                assert_eq!(changed, covered, "{format:?} at {x}, {y}");
            }
        }
    }

    #[test]
    fn a_part_of_a_picture_is_the_smaller_picture() {
        for format in PixelFormat::ALL {
            let strides = [64; 3];
            let part = Placed { size: Size::new(2, 4), ..at(picture(6, 6, RED), 2, 2) };
            let small = at(picture(2, 4, RED), 2, 2);
            let [part, small] = [part, small].map(|placed| blend(format, Size::new(8, 8), strides, LIMITED, &placed));
            assert!(part == small, "{format:?}");
        }
    }

    #[test]
    fn a_prepared_picture_can_move_to_another_frame() {
        let picture = picture(2, 2, RED);
        let first = blend(PixelFormat::Nv12, Size::new(4, 4), [4, 4, 0], LIMITED, &at(picture.clone(), 0, 0));
        blend(PixelFormat::Rgb, Size::new(4, 4), [12, 0, 0], LIMITED, &at(picture.clone(), 1, 1));
        assert_eq!(first, blend(PixelFormat::Nv12, Size::new(4, 4), [4, 4, 0], LIMITED, &at(picture, 0, 0)));
    }
}
