// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pictures over the planes of a frame, in the frame's own format.

use super::picture::{Picture, Placed};
use crate::error::Result;
use crate::geometry::Size;
use crate::image::{Colorimetry, Component, FrameView, PixelFormat, Plane, Range};

/// The bytes of one plane and the distance between the starts of its rows.
#[derive(Debug, Default)]
pub struct PlaneMut<'a> {
    /// All rows; the last one need not be padded to `stride`.
    pub data: &'a mut [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// A frame that can be drawn on, borrowed and checked: every row of every plane is inside its slice.
#[derive(Debug)]
pub struct Canvas<'a> {
    format: PixelFormat,
    size: Size,
    planes: [PlaneMut<'a>; 3],
    matrix: YuvMatrix,
}

/// The part of a picture that lies on the frame, in whole pixels.
#[derive(Clone, Copy)]
struct Visible {
    /// First column and row in the frame.
    x: usize,
    y: usize,
    /// First column and row in the picture.
    skip_x: usize,
    skip_y: usize,
    width: usize,
    height: usize,
}

impl Visible {
    fn of(placed: &Placed, frame: Size) -> Option<Self> {
        let span = |start: i32, length: u32, limit: u32| {
            let end = (i64::from(start) + i64::from(length)).min(i64::from(limit));
            let first = i64::from(start).max(0);
            (end > first).then(|| (first as usize, (first - i64::from(start)) as usize, (end - first) as usize))
        };
        let Size { width, height } = placed.picture.size();
        let (x, skip_x, width) = span(placed.x, width, frame.width)?;
        let (y, skip_y, height) = span(placed.y, height, frame.height)?;
        Some(Self { x, y, skip_x, skip_y, width, height })
    }

    /// The picture's pixels in row `row` of the visible part.
    fn row(self, picture: &Picture, row: usize) -> &[u8] {
        &picture.row(self.skip_y + row)[4 * self.skip_x..4 * (self.skip_x + self.width)]
    }
}

impl<'a> Canvas<'a> {
    /// Borrows a frame of `size` pixels; planes beyond those of `format` are ignored.
    ///
    /// # Errors
    /// [`crate::error::Error::Image`] if a side is zero or a plane is too small for its rows and stride.
    pub fn new(format: PixelFormat, size: Size, planes: [PlaneMut<'a>; 3], colorimetry: Colorimetry) -> Result<Self> {
        let [a, b, c] = &planes;
        let views = [a, b, c].map(|plane| Plane { data: plane.data, stride: plane.stride });
        FrameView::new(format, size, &views, colorimetry)?;
        Ok(Self { format, size, planes, matrix: YuvMatrix::new(colorimetry) })
    }

    /// Draws a picture over the frame; what lies outside of the frame is cut off. The fourth byte of 32-bit RGB is
    /// treated as alpha, which does no harm where it has no meaning.
    pub fn blend(&mut self, placed: &Placed) {
        let Some(visible) = Visible::of(placed, self.size) else { return };
        let components = self.format.components();
        if self.format == PixelFormat::Gray8 || self.format.is_yuv() {
            self.blend_luma(&placed.picture, visible, components[0]);
        } else {
            self.blend_rgb(&placed.picture, visible, components);
        }
        if self.format.is_yuv() {
            self.blend_chroma(&placed.picture, visible, [components[1], components[2]]);
        }
    }

    fn blend_rgb(&mut self, picture: &Picture, visible: Visible, [r, g, b]: [Component; 3]) {
        let plane = &mut self.planes[r.plane];
        let alpha = (r.step == 4).then(|| 6 - r.offset - g.offset - b.offset);
        for row in 0..visible.height {
            let start = (visible.y + row) * plane.stride + visible.x * r.step;
            // The unused last byte of a frame may be missing.
            let end = plane.data.len().min(start + visible.width * r.step);
            let pixels = plane.data[start..end].chunks_mut(r.step);
            for (source, pixel) in visible.row(picture, row).chunks_exact(4).zip(pixels) {
                let keep = 255 - u32::from(source[3]);
                if keep == 255 {
                    continue;
                }
                pixel[r.offset] = over(source[0], pixel[r.offset], keep);
                pixel[g.offset] = over(source[1], pixel[g.offset], keep);
                pixel[b.offset] = over(source[2], pixel[b.offset], keep);
                if let Some(byte) = alpha.and_then(|alpha| pixel.get_mut(alpha)) {
                    *byte = over(source[3], *byte, keep);
                }
            }
        }
    }

    fn blend_luma(&mut self, picture: &Picture, visible: Visible, luma: Component) {
        let plane = &mut self.planes[luma.plane];
        for row in 0..visible.height {
            let start = (visible.y + row) * plane.stride + visible.x * luma.step + luma.offset;
            let samples = plane.data[start..].iter_mut().step_by(luma.step);
            for (source, sample) in visible.row(picture, row).chunks_exact(4).zip(samples) {
                if source[3] != 0 {
                    *sample = over(self.matrix.luma(source), *sample, 255 - u32::from(source[3]));
                }
            }
        }
    }

    /// Each sample of chroma stands for up to `sub_x * sub_y` pixels and takes the mean of what lies over them.
    fn blend_chroma(&mut self, picture: &Picture, visible: Visible, chroma: [Component; 2]) {
        let Component { sub_x, sub_y, .. } = chroma[0];
        let (sub_x, sub_y) = (sub_x as usize, sub_y as usize);
        let (first_x, last_x) = (visible.x / sub_x, (visible.x + visible.width - 1) / sub_x);
        for y in visible.y / sub_y..=(visible.y + visible.height - 1) / sub_y {
            let rows = (y * sub_y).max(visible.y)..((y + 1) * sub_y).min(visible.y + visible.height);
            for x in first_x..=last_x {
                let columns = (x * sub_x).max(visible.x) - visible.x..((x + 1) * sub_x).min(visible.x + visible.width) - visible.x;
                let mut sum = [0_u32; 4];
                for row in rows.clone() {
                    let source = &visible.row(picture, row - visible.y)[4 * columns.start..4 * columns.end];
                    for pixel in source.chunks_exact(4) {
                        sum.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += u32::from(value));
                    }
                }
                if sum[3] == 0 {
                    continue;
                }
                let mean = sum.map(|sum| (sum / (sub_x * sub_y) as u32) as u8);
                let keep = 255 - u32::from(mean[3]);
                for (component, value) in chroma.iter().zip(self.matrix.chroma(&mean)) {
                    let plane = &mut self.planes[component.plane];
                    let sample = &mut plane.data[y * plane.stride + x * component.step + component.offset];
                    *sample = over(value, *sample, keep);
                }
            }
        }
    }
}

/// `source` (multiplied by its alpha) over `under`, of which `keep` / 255 shows through.
fn over(source: u8, under: u8, keep: u32) -> u8 {
    // (x + 128) * 257 >> 16 is x / 255, rounded, for all products of two bytes.
    (u32::from(source) + (((u32::from(under) * keep + 128) * 257) >> 16)).min(255) as u8
}

/// From R, G, B multiplied by alpha to Y, U, V multiplied by alpha, in 1/65536.
#[derive(Clone, Copy, Debug)]
struct YuvMatrix {
    /// Weights of R, G, B and of alpha.
    y: [i32; 4],
    u: [i32; 4],
    v: [i32; 4],
}

impl YuvMatrix {
    fn new(colorimetry: Colorimetry) -> Self {
        let (kr, kb) = colorimetry.matrix.red_blue();
        let kg = 1.0 - kr - kb;
        let (luma, chroma, black) = match colorimetry.range {
            Range::Full => (1.0, 1.0, 0.0),
            Range::Limited => (219.0 / 255.0, 224.0 / 255.0, 16.0 / 255.0),
        };
        let fixed = |weights: [f32; 4]| weights.map(|weight| (weight * 65536.0).round() as i32);
        let (cu, cv) = (chroma / (2.0 * (1.0 - kb)), chroma / (2.0 * (1.0 - kr)));
        Self {
            y: fixed([luma * kr, luma * kg, luma * kb, black]),
            u: fixed([-cu * kr, -cu * kg, cu * (1.0 - kb), 128.0 / 255.0]),
            v: fixed([cv * (1.0 - kr), -cv * kg, -cv * kb, 128.0 / 255.0]),
        }
    }

    fn luma(&self, rgba: &[u8]) -> u8 {
        Self::apply(&self.y, rgba)
    }

    fn chroma(&self, rgba: &[u8; 4]) -> [u8; 2] {
        [Self::apply(&self.u, rgba), Self::apply(&self.v, rgba)]
    }

    fn apply(weights: &[i32; 4], rgba: &[u8]) -> u8 {
        let sum: i32 = weights.iter().zip(rgba).map(|(weight, &value)| weight * i32::from(value)).sum();
        ((sum + 32768) >> 16).clamp(0, 255) as u8
    }
}
