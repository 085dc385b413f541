// SPDX-License-Identifier: MIT OR Apache-2.0
//! The surface of block means that replaces a face in one plane.

use std::ops::Range;

use super::region::{Region, TOUCHED};
use crate::choices::Blur;
use crate::draw::alpha::mix;
use crate::draw::canvas::{Cell, PlaneMut};
use crate::geometry::Size;

/// Of luma, chroma and each colour: a medium grey.
const GREY: f32 = 128.0;

/// The surface that replaces a face in one plane, whose cells have `N` bytes. Lengths are in cells.
pub(super) struct Surface<const N: usize> {
    blur: Blur,
    /// Columns of the plane that change.
    columns: Range<usize>,
    /// Rows of the plane that change.
    rows: Range<usize>,
    /// Width and height of a block.
    block: (usize, usize),
    /// Column and row of the grid at which `means` starts.
    first: (usize, usize),
    /// Number of blocks in a row of `means`.
    stride: usize,
    /// Mean colour of each block, row by row.
    means: Vec<[f32; N]>,
    /// Centre of both ellipses.
    center: (f32, f32),
    /// Half axes of the outer ellipse.
    radius: (f32, f32),
}

impl<const N: usize> Surface<N> {
    pub fn new(plane: &PlaneMut, cell: Cell, frame: Size, region: &Region, blur: Blur) -> Self {
        let (sub_x, sub_y) = (cell.columns as f32, cell.rows as f32);
        let block = (region.block / cell.columns, region.block / cell.rows);
        let (bounds, middle) = (region.bounds, region.face.center());
        let columns = (bounds.x / sub_x) as usize..((bounds.right() / sub_x).ceil() as usize);
        let rows = (bounds.y / sub_y) as usize..((bounds.bottom() / sub_y).ceil() as usize);
        let width = (frame.width as usize).div_ceil(cell.columns);
        let height = (frame.height as usize).div_ceil(cell.rows);
        // One more block on each side, since smoothing interpolates between neighbours.
        let blocks = |touched: &Range<usize>, side: usize, limit: usize| {
            (touched.start / side).saturating_sub(1)..(touched.end.div_ceil(side) + 1).min(limit.div_ceil(side))
        };
        let (across, down) = (blocks(&columns, block.0, width), blocks(&rows, block.1, height));
        let mut means = Vec::with_capacity(across.len() * down.len());
        for y in down.clone() {
            let lines = y * block.1..((y + 1) * block.1).min(height);
            means.extend(across.clone().map(|x| mean(plane, x * block.0..((x + 1) * block.0).min(width), lines.clone())));
        }
        if blur == Blur::Solid {
            let is_colour = |byte: &(usize, &mut f32)| Some(byte.0) != cell.spare;
            means.iter_mut().for_each(|mean| mean.iter_mut().enumerate().filter(is_colour).for_each(|(_, value)| *value = GREY));
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

    pub fn apply(&self, plane: &mut PlaneMut) {
        let mut line = vec![[0; N]; self.columns.len()];
        // The weights within a block are the same for every block of every row.
        let interpolated = if self.blur == Blur::Smooth { self.block.0 } else { 0 };
        let weights: Vec<[f32; 3]> = (0..interpolated).map(|at| spline(at, interpolated)).collect();
        for y in self.rows.clone() {
            match self.blur {
                Blur::Smooth => self.fill_smooth(y, &weights, &mut line),
                // All rows of a block are the same.
                Blur::Pixelate | Blur::Solid if y == self.rows.start || y.is_multiple_of(self.block.1) => self.fill_pixelated(y, &mut line),
                Blur::Pixelate | Blur::Solid => {}
            }
            let dy = (y as f32 + 0.5 - self.center.1) / self.radius.1;
            let (touched, hidden) = (self.within(1.0, dy), self.within(Blur::HIDDEN / TOUCHED, dy));
            let row = &mut plane.data[y * plane.stride + self.columns.start * N..];
            let new = line.as_flattened();
            // The unused last byte of a 32-bit RGB frame may be missing.
            let [from, start, end, to] = [touched.start, hidden.start, hidden.end, touched.end].map(|column| (column * N).min(row.len()));
            row[start..end].copy_from_slice(&new[start..end]);
            for at in (from..start).chain(end..to) {
                row[at] = mix(row[at], new[at], self.share(at / N, dy));
            }
        }
    }

    /// The columns, from the first one that changes, of the ellipse with so many of the outer one's radii, in a row `dy` vertical radii from
    /// the centre.
    fn within(&self, radii: f32, dy: f32) -> Range<usize> {
        let half = (radii * radii - dy * dy).max(0.0).sqrt() * self.radius.0;
        let column = |x: f32| (x.ceil() as usize).clamp(self.columns.start, self.columns.end) - self.columns.start;
        column(self.center.0 - half - 0.5)..column(self.center.0 + half - 0.5)
    }

    /// How much of a cell is hidden, 0..255: everything inside of the inner ellipse, nothing outside of the outer one.
    fn share(&self, column: usize, dy: f32) -> u8 {
        // 1 - r² at the inner ellipse, where r is the distance from the centre in radii of the outer one.
        const EDGE: f32 = 1.0 - (Blur::HIDDEN / TOUCHED) * (Blur::HIDDEN / TOUCHED);
        let dx = ((self.columns.start + column) as f32 + 0.5 - self.center.0) / self.radius.0;
        ((1.0 - dx * dx - dy * dy) / EDGE * 255.0).clamp(0.0, 255.0) as u8
    }

    fn fill_pixelated(&self, y: usize, line: &mut [[u8; N]]) {
        let blocks = &self.means[(y / self.block.1 - self.first.1) * self.stride..];
        for (x, cell) in self.columns.clone().zip(line) {
            *cell = blocks[x / self.block.0 - self.first.0].map(|mean| (mean + 0.5) as u8);
        }
    }

    /// Interpolates the means by a quadratic B-spline. Linear interpolation would leave visible edges between blocks.
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
}

/// The mean of the cells in `columns` and `rows` of a plane.
fn mean<const N: usize>(plane: &PlaneMut, columns: Range<usize>, rows: Range<usize>) -> [f32; N] {
    /// Maximum number of cells whose bytes sum to less than 2³². An `f64` sum is exact for every frame, but slower.
    const MAX_CELLS: usize = 1 << 24;
    let fits_u32 = columns.len().saturating_mul(rows.len()) <= MAX_CELLS;
    if fits_u32 { mean_in::<u32, N>(plane, columns, rows) } else { mean_in::<f64, N>(plane, columns, rows) }
}

/// [`mean`] with sums of type `S`.
fn mean_in<S, const N: usize>(plane: &PlaneMut, columns: Range<usize>, rows: Range<usize>) -> [f32; N]
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

/// Weights of the previous block, the block itself and the next one, for cell `at` of the `side` cells in a block.
fn spline(at: usize, side: usize) -> [f32; 3] {
    let t = (at as f32 + 0.5) / side as f32;
    [(1.0 - t) * (1.0 - t) / 2.0, 0.5 + t - t * t, t * t / 2.0]
}

/// The weighted sum of three cells.
fn sum<const N: usize>(cells: [[f32; N]; 3], weights: [f32; 3]) -> [f32; N] {
    std::array::from_fn(|i| cells[0][i] * weights[0] + cells[1][i] * weights[1] + cells[2][i] * weights[2])
}
