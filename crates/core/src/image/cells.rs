// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mean brightness of the cells of a grid, which tells cheaply whether a picture changed.

use multiversion::multiversion;

use super::FrameView;
use crate::geometry::Rect;

/// Number of rows that are read in each row of cells. More rows would reduce the noise of a mean, and take longer.
const ROWS_PER_CELL: usize = 4;

/// Writes the mean brightness, 0..255, of each cell of a grid of `columns` by `means.len() / columns` cells over `region` of
/// `view`, row by row. Cells are read in part: a few of their rows, completely.
///
/// In planar formats brightness is luma. In packed formats it is the mean of all bytes of the pixels, scaled so that a change of
/// grey counts as much as in planar ones; such means can be compared only with those of the same format.
///
/// `region` is in pixels, is rounded outwards and clipped to the frame. Cells that lie outside of the frame, and all if
/// `columns` is 0, are 0.
pub fn write_means(view: &FrameView, region: Rect, columns: usize, means: &mut [f32]) {
    means.fill(0.0);
    if columns == 0 {
        return;
    }
    let (size, region, luma) = (view.stored_size(), view.stored_rect(region), view.format().components()[0]);
    let (_, row_bytes) = view.format().plane_extent(luma.plane, size);
    let x = Span::within(region.x, region.w, size.width, columns);
    let y = Span::within(region.y, region.h, size.height, means.len() / columns);
    let grey_bytes = match luma.step {
        2 => 1,
        step => step.min(3),
    };
    for (row, means) in means.chunks_exact_mut(columns).enumerate() {
        let (top, bottom) = y.cell(row);
        let read = (bottom - top).min(ROWS_PER_CELL);
        for line in 0..read {
            let y = top + (2 * line + 1) * (bottom - top) / (2 * read);
            let start = (x.start * luma.step).min(row_bytes);
            let bytes = view.row(luma.plane, y, start..(x.end * luma.step).min(row_bytes));
            for (column, sum) in means.iter_mut().enumerate() {
                let (left, right) = x.cell(column);
                let at = |x: usize| (x * luma.step - start).min(bytes.len());
                *sum += sum_of(&bytes[at(left)..at(right)]) as f32;
            }
        }
        for (column, mean) in means.iter_mut().enumerate() {
            let (left, right) = x.cell(column);
            *mean /= ((right - left) * read * grey_bytes).max(1) as f32;
        }
    }
}

/// The pixels of a region along one axis, divided into cells.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    cells: usize,
}

impl Span {
    /// The pixels from `start` to `start + length` that lie in `0..available`. The range is empty if a number is NaN.
    fn within(start: f32, length: f32, available: u32, cells: usize) -> Self {
        // The conversion to an integer saturates, and turns NaN into 0.
        let pixel = |at: f32| (at.max(0.0) as usize).min(available as usize);
        let first = pixel(start.floor());
        Self { start: first, end: pixel((start + length).ceil()).max(first), cells }
    }

    /// First and last pixel, exclusive, of a cell. The cells of a span with fewer pixels than cells are partly empty.
    fn cell(self, index: usize) -> (usize, usize) {
        let at = |index: usize| self.start + (self.end - self.start) * index / self.cells;
        (at(index), at(index + 1))
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn sum_of(bytes: &[u8]) -> u32 {
    bytes.iter().map(|&byte| u32::from(byte)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    /// The means of a grid over `region` of a picture whose luma or bytes are `value(x, y)`.
    fn means(format: PixelFormat, size: Size, region: Rect, grid: (usize, usize), value: impl Fn(usize, usize) -> u8) -> Vec<f32> {
        let (rows, stride) = format.plane_extent(0, size);
        let step = format.components()[0].step;
        let data: Vec<u8> = (0..rows * stride).map(|at| value(at % stride / step, at / stride)).collect();
        let planes = [Plane { data: &data, stride }; 3];
        let view = FrameView::new(format, size, &planes, Colorimetry::default()).unwrap();
        let mut means = vec![f32::NAN; grid.0 * grid.1];
        write_means(&view, region, grid.0, &mut means);
        means
    }

    #[test]
    fn each_cell_has_its_own_mean_in_each_format() {
        let size = Size::new(16, 8);
        let value = |x: usize, y: usize| (40 * (x / 8) + 100 * (y / 4)) as u8;
        for format in [PixelFormat::Gray8, PixelFormat::I420, PixelFormat::Rgb] {
            assert_eq!(means(format, size, size.rect(), (2, 2), value), [0.0, 40.0, 100.0, 140.0], "{format:?}");
        }
    }

    #[test]
    fn a_change_of_grey_counts_the_same_in_each_format() {
        let size = Size::new(33, 17);
        for (format, factor) in
            [(PixelFormat::Gray8, 1.0), (PixelFormat::Yuy2, 2.0), (PixelFormat::Rgb, 1.0), (PixelFormat::Bgrx, 4.0 / 3.0)]
        {
            for mean in means(format, size, size.rect(), (4, 3), |_, _| 60) {
                assert!((mean - 60.0 * factor).abs() < 2.5 * factor, "{format:?}: {mean}, up to a missing last byte");
            }
        }
    }

    #[test]
    fn a_region_is_rounded_outwards_and_clipped() {
        let value = |x: usize, _: usize| x as u8;
        let size = Size::new(10, 4);
        assert_eq!(means(PixelFormat::Gray8, size, Rect::new(2.4, 0.0, 3.2, 4.0), (2, 1), value), [2.5, 4.5]);
        assert_eq!(means(PixelFormat::Gray8, size, Rect::new(-5.0, -5.0, 7.0, 20.0), (1, 1), value), [0.5]);
    }

    #[test]
    fn empty_and_invalid_regions_are_zero() {
        let size = Size::new(5, 3);
        for rect in [
            Rect::new(9.0, 0.0, 4.0, 2.0),
            Rect::new(f32::NAN, 0.0, 4.0, 2.0),
            Rect::new(1.0, 1.0, f32::NAN, 0.0),
            Rect::new(0.0, 0.0, -4.0, 2.0),
        ] {
            assert_eq!(means(PixelFormat::Gray8, size, rect, (2, 2), |_, _| 9), [0.0; 4], "{rect:?}");
        }
        assert_eq!(means(PixelFormat::Gray8, size, Rect::new(0.0, 0.0, f32::INFINITY, 3.0), (1, 1), |_, _| 9), [9.0]);
        assert_eq!(
            means(PixelFormat::Gray8, Size::new(1, 1), Rect::new(0.0, 0.0, 1.0, 1.0), (3, 2), |_, _| 9),
            [0.0, 0.0, 0.0, 0.0, 0.0, 9.0]
        );
    }
}
