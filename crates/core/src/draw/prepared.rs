// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pictures prepared for the planes of a frame.

use std::ops::Range;

use super::alpha::over;
use super::canvas::{Cell, PlaneMut};
use super::pixels::Pixels;
use super::weights::{Weights, channels};
use crate::geometry::Size;
use crate::image::{Colorimetry, Component, PixelFormat};

/// The properties of a frame and of a position on it that determine how a picture is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    format: PixelFormat,
    colorimetry: Colorimetry,
    /// The picture's left edge is at an odd pixel, in the middle of a subsampled chroma sample.
    odd_x: bool,
    /// The picture's top edge is at an odd pixel.
    odd_y: bool,
}

impl Target {
    /// The target of a picture whose top left corner is at `(x, y)` of a frame.
    pub fn new(format: PixelFormat, colorimetry: Colorimetry, x: i32, y: i32) -> Self {
        Self { format, colorimetry, odd_x: x.rem_euclid(2) == 1, odd_y: y.rem_euclid(2) == 1 }
    }
}

/// A picture prepared for a target: one layer for each plane.
#[derive(Debug)]
pub(super) struct Prepared {
    pub target: Target,
    pub layers: Vec<Layer>,
}

impl Prepared {
    pub fn new(picture: &Pixels, target: Target) -> Self {
        let layers = (0..target.format.planes()).map(|plane| Layer::new(picture, target, plane)).collect();
        Self { target, layers }
    }
}

/// The change that a picture makes to the bytes of one plane. It starts at an even column and row of the frame.
#[derive(Debug)]
pub(super) struct Layer {
    pub cell: Cell,
    /// Bytes in a row.
    stride: usize,
    /// Added to each byte.
    add: Vec<u8>,
    /// The part of each byte that stays, in 1/255.
    keep: Vec<u8>,
}

impl Layer {
    fn new(picture: &Pixels, target: Target, plane: usize) -> Self {
        let cell = Cell::of(target.format, plane);
        let shift = Shift { x: usize::from(target.odd_x), y: usize::from(target.odd_y) };
        let Size { width, height } = picture.size;
        let stride = (width as usize + shift.x).div_ceil(cell.columns) * cell.bytes;
        let rows = (height as usize + shift.y).div_ceil(cell.rows);
        let mut layer = Self { cell, stride, add: vec![0; stride * rows], keep: vec![255; stride * rows] };
        for (component, weights) in
            channels(target.format, target.colorimetry).into_iter().filter(|(component, _)| component.plane == plane)
        {
            layer.fill(picture, shift, component, weights);
        }
        layer
    }

    /// Sets each sample of a component to the mean of the pixels under it. Pixels beside the picture are transparent.
    fn fill(&mut self, picture: &Pixels, shift: Shift, component: Component, weights: Weights) {
        let (sub_x, sub_y) = (component.sub_x as usize, component.sub_y as usize);
        if (sub_x, sub_y) == (1, 1) {
            return self.fill_full_resolution(picture, shift, component, weights);
        }
        let Size { width, height } = picture.size;
        for (y, row) in (0..self.keep.len() / self.stride).map(|y| (y, y * self.stride)) {
            let lines = shift.rows(y, sub_y, height as usize);
            let samples = (row + component.offset..row + self.stride).step_by(component.step);
            for (x, at) in samples.enumerate() {
                let columns = shift.columns(x, sub_x, width as usize);
                let mean = mean(picture, columns, lines.clone(), (sub_x * sub_y) as u32);
                self.add[at] = weights.apply(mean);
                self.keep[at] = 255 - mean[3];
            }
        }
    }

    /// [`Self::fill`] for a component that is not subsampled.
    fn fill_full_resolution(&mut self, picture: &Pixels, shift: Shift, component: Component, weights: Weights) {
        for line in 0..picture.size.height as usize {
            let first = (line + shift.y) * self.stride + shift.x * component.step + component.offset;
            let samples = self.add[first..].iter_mut().zip(&mut self.keep[first..]).step_by(component.step);
            for (pixel, (add, keep)) in picture.row(line).chunks_exact(4).zip(samples) {
                *add = weights.apply([pixel[0], pixel[1], pixel[2], pixel[3]]);
                *keep = 255 - pixel[3];
            }
        }
    }

    /// Blends the first `size` pixels of the picture into a plane of a frame, with the top left corner at `(x, y)`.
    pub fn blend(&self, plane: &mut PlaneMut, frame: Size, size: Size, x: i32, y: i32) {
        let Cell { bytes, columns, rows, .. } = self.cell;
        let (left, top) = (x.div_euclid(2) * 2, y.div_euclid(2) * 2);
        // Numbers of cells that the shown part touches; the first and last may be covered in part.
        let across = (size.width as usize + x.abs_diff(left) as usize).div_ceil(columns).min(self.stride / bytes);
        let down = (size.height as usize + y.abs_diff(top) as usize).div_ceil(rows).min(self.keep.len() / self.stride);
        let Some((to_x, from_x, count)) = overlap(left, across, columns, frame.width) else { return };
        let Some((to_y, from_y, lines)) = overlap(top, down, rows, frame.height) else { return };
        for line in 0..lines {
            let from = (from_y + line) * self.stride + from_x * bytes;
            let to = (to_y + line) * plane.stride + to_x * bytes;
            // The unused last byte of a 32-bit RGB frame may be missing.
            let end = plane.data.len().min(to + count * bytes);
            let source = self.add[from..].iter().zip(&self.keep[from..]);
            for (byte, (&add, &keep)) in plane.data[to..end].iter_mut().zip(source) {
                *byte = over(add, *byte, keep);
            }
        }
    }
}

/// The overlap along one axis between a frame of `limit` pixels and `cells` cells of `pixels` pixels each that start at
/// pixel `start`: its first cell in the frame, its first cell in the layer, and its number of cells.
fn overlap(start: i32, cells: usize, pixels: usize, limit: u32) -> Option<(usize, usize, usize)> {
    let first = i64::from(start).div_euclid(pixels as i64);
    let end = (first + cells as i64).min(i64::from(limit.div_ceil(pixels as u32)));
    let visible = first.max(0);
    (end > visible).then(|| (visible as usize, (visible - first) as usize, (end - visible) as usize))
}

/// Distance in pixels, 0 or 1, from the start of the first cell to the start of the picture.
#[derive(Clone, Copy)]
struct Shift {
    x: usize,
    y: usize,
}

impl Shift {
    /// The picture's columns under sample `x`.
    fn columns(self, x: usize, sub: usize, width: usize) -> Range<usize> {
        (x * sub).saturating_sub(self.x).min(width)..((x + 1) * sub).saturating_sub(self.x).min(width)
    }

    /// The picture's rows under sample `y`.
    fn rows(self, y: usize, sub: usize, height: usize) -> Range<usize> {
        (y * sub).saturating_sub(self.y).min(height)..((y + 1) * sub).saturating_sub(self.y).min(height)
    }
}

/// The mean of some pixels, of `count` with those that lie beside the picture.
fn mean(picture: &Pixels, columns: Range<usize>, lines: Range<usize>, count: u32) -> [u8; 4] {
    // Half of the divisor, which rounds the integer division.
    let mut sum = [count / 2; 4];
    for line in lines {
        for pixel in picture.row(line)[4 * columns.start..4 * columns.end].chunks_exact(4) {
            sum.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += u32::from(value));
        }
    }
    sum.map(|sum| (sum / count) as u8)
}
