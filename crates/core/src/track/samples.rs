// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a frame differs from another one.
//!
//! 32 x 18 luma samples of each frame are compared with those of the previous frame by two measures: the change of their
//! histogram, and their correlation. A cut changes both. Motion changes the correlation but hardly the histogram; a flash or a
//! change of exposure changes the histogram but hardly the correlation.

use crate::image::{FrameView, PixelFormat};

/// Number of samples per row.
const COLUMNS: usize = 32;
/// Number of rows of samples.
const ROWS: usize = 18;
/// Number of samples of a frame.
pub(super) const SAMPLES: usize = COLUMNS * ROWS;
/// Number of bins of the histogram.
const BINS: usize = 16;

/// Minimum share of samples that change their bin at a cut. Measured: below 0.07 within a shot, 0.18 at a cut between two dark
/// shots.
const MIN_HISTOGRAM_CHANGE: f32 = 0.12;
/// Maximum correlation of the samples across a cut. Measured: at most 0.2 across a cut, above 0.49 within a shot.
const MAX_CORRELATION: f32 = 0.4;

/// The difference of two frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    /// Share of the samples that would have to change their bin for the histograms to be equal, 0..1.
    histogram: f32,
    /// Pearson correlation of the samples, -1..1. It is undefined for a uniform picture; it is then 1 if both are uniform, else 0.
    correlation: f32,
}

impl Difference {
    /// True if a cut is between the frames.
    pub(super) fn is_cut(self) -> bool {
        self.histogram >= MIN_HISTOGRAM_CHANGE && self.correlation <= MAX_CORRELATION
    }
}

/// Luma at the centres of a regular grid of cells, without conversion of its range. For RGB an approximation is enough: the
/// samples are compared only with others of the same format.
pub(super) fn sample(view: &FrameView) -> [u8; SAMPLES] {
    let (size, [red, green, blue]) = (view.stored_size(), view.format().components());
    let centre = |index: usize, cells: usize, length: u32| (2 * index + 1) * length as usize / (2 * cells);
    std::array::from_fn(|index| {
        let (x, y) = (centre(index % COLUMNS, COLUMNS, size.width), centre(index / COLUMNS, ROWS, size.height));
        let byte = |at: usize| view.row(red.plane, y, at..at + 1)[0];
        let component = |offset: usize| u32::from(byte(x * red.step + offset));
        // The first component of YUV and grey formats is luma.
        if view.format().is_yuv() || view.format() == PixelFormat::Gray8 {
            component(red.offset) as u8
        } else {
            ((component(red.offset) + 2 * component(green.offset) + component(blue.offset)) / 4) as u8
        }
    })
}

/// How the samples of two frames differ.
pub(super) fn difference(a: &[u8; SAMPLES], b: &[u8; SAMPLES]) -> Difference {
    let mut bins = [0i32; BINS];
    let (mut sum_a, mut sum_b, mut sum_aa, mut sum_bb, mut sum_ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        bins[usize::from(a) * BINS / 256] += 1;
        bins[usize::from(b) * BINS / 256] -= 1;
        let (a, b) = (f32::from(a), f32::from(b));
        sum_a += a;
        sum_b += b;
        sum_aa += a * a;
        sum_bb += b * b;
        sum_ab += a * b;
    }
    let n = SAMPLES as f32;
    // Sums of squared deviations below 1 per sample: less than one grey level.
    let is_uniform = |deviations: f32| deviations < n;
    let (deviations_a, deviations_b) = (sum_aa - sum_a * sum_a / n, sum_bb - sum_b * sum_b / n);
    let scale = (deviations_a.max(0.0) * deviations_b.max(0.0)).sqrt();
    let correlation = match (is_uniform(deviations_a), is_uniform(deviations_b)) {
        (false, false) => (sum_ab - sum_a * sum_b / n) / scale,
        (a_uniform, b_uniform) => f32::from(a_uniform && b_uniform),
    };
    // Each moved sample is counted twice: once in the bin that it leaves and once in the bin that it enters.
    Difference { histogram: bins.iter().map(|bin| bin.unsigned_abs()).sum::<u32>() as f32 / (2.0 * n), correlation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::image::{Colorimetry, Plane};

    #[test]
    fn each_format_and_odd_size_is_sampled_within_its_rows() {
        for format in [PixelFormat::I420, PixelFormat::Yuy2, PixelFormat::Uyvy, PixelFormat::Gray8, PixelFormat::Rgb, PixelFormat::Xbgr] {
            for size in [Size::new(1, 1), Size::new(17, 33), Size::new(641, 3)] {
                let (_, stride) = format.plane_extent(0, size);
                let data = vec![200; stride * size.height as usize];
                let planes = [Plane { data: &data, stride }; 3];
                let view = FrameView::new(format, size, &planes, Colorimetry::default()).unwrap();
                assert_eq!(sample(&view), [200; SAMPLES], "{format:?} {size:?}");
            }
        }
    }
}
