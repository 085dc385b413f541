// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scene cuts: where the picture before says nothing about the faces of this one.
//!
//! A few hundred luma samples of each frame are compared with those of the frame before. A cut changes how many samples
//! are how bright (the histogram) and which of them are (their correlation); motion changes the second and hardly the
//! first, a flash or a change of exposure the first and hardly the second.

use crate::image::{FrameView, PixelFormat};

/// Samples across and down the frame.
const COLUMNS: usize = 32;
const ROWS: usize = 18;
const SAMPLES: usize = COLUMNS * ROWS;
/// Bins of the histogram.
const BINS: usize = 16;

/// Share of the samples that change their bin at a cut; in one shot it stays below .07, between two dark ones it was .18.
const MIN_HISTOGRAM_CHANGE: f32 = 0.12;
/// Correlation of the samples across a cut, which was up to .2; in one shot it stays above .49.
const MAX_CORRELATION: f32 = 0.4;

/// How two frames differ.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Difference {
    /// Share of the samples that would have to change their bin, 0..1.
    histogram: f32,
    /// Pearson's correlation of the samples, -1..1; 0 between a plain picture and one that is not, 1 between plain ones.
    correlation: f32,
}

/// Notices scene cuts. It neither allocates nor reads more than a few hundred pixels of a frame.
#[derive(Clone, Debug)]
pub struct CutDetector {
    last: [u8; SAMPLES],
    seen: bool,
}

impl Default for CutDetector {
    fn default() -> Self {
        Self { last: [0; SAMPLES], seen: false }
    }
}

impl CutDetector {
    /// True if a cut lies between the frame before and `view`; never on the first one.
    pub fn observe(&mut self, view: &FrameView) -> bool {
        let samples = sample(view);
        let difference = difference(&self.last, &samples);
        self.last = samples;
        let comparable = std::mem::replace(&mut self.seen, true);
        comparable && difference.histogram >= MIN_HISTOGRAM_CHANGE && difference.correlation <= MAX_CORRELATION
    }

    /// Takes the next frame for a first one, as after a seek or a change of size.
    pub fn reset(&mut self) {
        self.seen = false;
    }
}

/// Luma, as it is stored, in the middles of a regular grid of cells.
fn sample(view: &FrameView) -> [u8; SAMPLES] {
    let (size, [red, green, blue]) = (view.size(), view.format().components());
    let middle = |index: usize, cells: usize, length: u32| (2 * index + 1) * length as usize / (2 * cells);
    std::array::from_fn(|index| {
        let (x, y) = (middle(index % COLUMNS, COLUMNS, size.width), middle(index / COLUMNS, ROWS, size.height));
        let value = |at: usize| view.row(red.plane, y, at..at + 1)[0];
        let at = |offset: usize| u32::from(value(x * red.step + offset));
        if view.format().is_yuv() || view.format() == PixelFormat::Gray8 {
            at(red.offset) as u8
        } else {
            ((at(red.offset) + 2 * at(green.offset) + at(blue.offset)) / 4) as u8
        }
    })
}

fn difference(a: &[u8; SAMPLES], b: &[u8; SAMPLES]) -> Difference {
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
    let is_plain = |variance: f32| variance < n; // less than one step of grey
    let (variance_a, variance_b) = (sum_aa - sum_a * sum_a / n, sum_bb - sum_b * sum_b / n);
    let scale = (variance_a.max(0.0) * variance_b.max(0.0)).sqrt();
    let correlation = match (is_plain(variance_a), is_plain(variance_b)) {
        (false, false) => (sum_ab - sum_a * sum_b / n) / scale,
        (a_plain, b_plain) => f32::from(a_plain && b_plain),
    };
    Difference { histogram: bins.iter().map(|bin| bin.unsigned_abs()).sum::<u32>() as f32 / (2.0 * n), correlation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::image::{Colorimetry, Plane};

    const SIZE: Size = Size::new(320, 180);

    /// Waves across the picture, which a different `seed` puts elsewhere, as RGB.
    fn picture(seed: f32, shift: f32, gain: f32) -> Vec<u8> {
        let pixels = (0..SIZE.width * SIZE.height).map(|n| ((n % SIZE.width) as f32 + shift, (n / SIZE.width) as f32));
        let luma =
            pixels.map(|(x, y)| 90.0 + 20.0 * seed + 60.0 * (x / (40.0 + 13.0 * seed) + seed).sin() * (y / (30.0 + 9.0 * seed)).cos());
        luma.flat_map(|luma| [(luma * gain) as u8; 3]).collect()
    }

    fn observe(cuts: &mut CutDetector, rgb: &[u8]) -> bool {
        let plane = Plane { data: rgb, stride: SIZE.width as usize * 3 };
        cuts.observe(&FrameView::new(PixelFormat::Rgb, SIZE, &[plane], Colorimetry::default()).unwrap())
    }

    #[test]
    fn a_cut_is_seen_once_and_never_on_the_first_frame() {
        let mut cuts = CutDetector::default();
        let found = [1.0, 1.0, 3.0, 3.0, 1.0].map(|seed| observe(&mut cuts, &picture(seed, 0.0, 1.0)));
        assert_eq!(found, [false, false, true, false, true]);
        cuts.reset();
        assert!(!observe(&mut cuts, &picture(3.0, 0.0, 1.0)), "after a reset there is nothing to compare with");
    }

    #[test]
    fn neither_motion_nor_a_flash_is_a_cut() {
        let mut cuts = CutDetector::default();
        for step in 0..20 {
            assert!(!observe(&mut cuts, &picture(1.0, 12.0 * step as f32, 1.0)), "moved at step {step}");
        }
        for gain in [0.4, 1.4, 0.7] {
            assert!(!observe(&mut cuts, &picture(1.0, 12.0 * 19.0, gain)), "a change of brightness by {gain}");
        }
    }

    #[test]
    fn black_between_two_scenes_is_a_cut() {
        let mut cuts = CutDetector::default();
        let black = vec![0; (SIZE.width * SIZE.height * 3) as usize];
        let pictures = [picture(1.0, 0.0, 1.0), black.clone(), black, picture(1.0, 0.0, 1.0)];
        assert_eq!(pictures.map(|rgb| observe(&mut cuts, &rgb)), [false, true, false, true]);
    }

    #[test]
    fn formats_and_odd_sizes_are_sampled_inside_their_rows() {
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
