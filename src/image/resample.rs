// SPDX-License-Identifier: MIT OR Apache-2.0
//! Crop and resize in one step, straight from the planes of any [`PixelFormat`].
//!
//! The filter is the separable triangle whose support grows with the reduction, so enlarging is bilinear and reducing
//! does not alias (the filter that Pillow calls `BILINEAR`; the golden tests compare with it). For each output row the
//! source rows are first added up byte by byte, whatever the format, in fixed point that compilers vectorise; only the
//! short result is then walked component by component.

use super::convert::{expand_luma, rgb_to_luma, yuv_to_rgb};
use super::{Component, FrameView, PixelFormat};
use crate::geometry::{Rect, Size};

/// Sum of the fixed-point weights of one output row: 255 * 256 just fits an `u16`.
const ONE: f32 = 256.0;

/// What [`Resampler::sample`] delivers for each pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// One value, full-range luma: Y of YUV formats, BT.601 luma of RGB formats.
    Luma,
    /// Three values: red, green, blue.
    Rgb,
}

/// The taps of one output axis: for position `i`, `counts[i]` weights for source samples from `first[i]` on.
#[derive(Debug, Default)]
struct Axis {
    first: Vec<usize>,
    counts: Vec<usize>,
    /// `stride` weights for each output position, each row summing to one.
    weights: Vec<f32>,
    stride: usize,
}

impl Axis {
    /// Taps that map `length` source units from `start` on to `outputs` positions of an axis with `available` samples.
    /// Positions outside the source repeat its nearest sample.
    fn rebuild(&mut self, available: usize, start: f32, length: f32, outputs: usize) {
        let scale = length / outputs as f32;
        let support = scale.max(1.0);
        self.stride = ((2.0 * support).ceil() as usize + 2).min(available);
        self.first.clear();
        self.counts.clear();
        self.weights.clear();
        self.weights.resize(outputs * self.stride, 0.0);
        for (i, weights) in self.weights.chunks_exact_mut(self.stride).enumerate() {
            let wanted = start + (i as f32 + 0.5) * scale;
            let center = wanted.clamp(0.5, available as f32 - 0.5);
            let support = if (0.0..=available as f32).contains(&wanted) { support } else { 1.0 };
            let low = (center - support + 0.5).max(0.0) as usize;
            let high = ((center + support + 0.5) as usize).min(available).min(low + weights.len());
            let mut sum = 0.0;
            for (weight, x) in weights.iter_mut().zip(low..high) {
                *weight = (1.0 - ((x as f32 + 0.5 - center) / support).abs()).max(0.0);
                sum += *weight;
            }
            weights.iter_mut().for_each(|weight| *weight /= sum);
            self.first.push(low);
            self.counts.push(high - low);
        }
    }

    fn taps(&self, i: usize) -> (usize, &[f32]) {
        (self.first[i], &self.weights[i * self.stride..][..self.counts[i]])
    }

    /// First and one past the last source sample that any output uses.
    fn span(&self) -> (usize, usize) {
        let low = self.first.iter().copied().min().unwrap_or(0);
        let high = self.first.iter().zip(&self.counts).map(|(first, count)| first + count).max().unwrap_or(0);
        (low, high)
    }
}

/// Scratch memory for sampling; keep one and use it for every frame, then nothing is allocated after the first.
#[derive(Debug, Default)]
pub struct Resampler {
    /// Horizontal and vertical taps, at full and at half resolution.
    x: [Axis; 2],
    y: [Axis; 2],
    accumulator: Vec<u16>,
    rows: [Vec<f32>; 3],
}

impl Resampler {
    /// Empty scratch memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Samples the part `source` of `view` to `size` and hands each row of the result, top to bottom, to `sink`.
    ///
    /// `source` is in pixels of the frame, may have fractions and may reach outside, where the nearest pixel is
    /// repeated. Values are full range, 0..255; `sink(y, [r, g, b])` for [`Samples::Rgb`], for [`Samples::Luma`] only
    /// the first row has meaning. Nothing is delivered for an invalid `source` or an empty `size`.
    pub fn sample(&mut self, view: &FrameView, source: Rect, size: Size, samples: Samples, mut sink: impl FnMut(usize, [&[f32]; 3])) {
        if !source.is_valid() || size.is_empty() {
            return;
        }
        let format = view.format();
        let used = match samples {
            _ if format == PixelFormat::Gray8 => 1,
            Samples::Luma if format.is_yuv() => 1,
            _ => 3,
        };
        let components = &format.components()[..used];
        self.prepare(view.size(), source, size, components);
        for y in 0..size.height as usize {
            for plane in 0..format.planes() {
                self.sample_plane_row(view, plane, components, y);
            }
            let [a, b, c] = &mut self.rows;
            match samples {
                Samples::Luma if used == 1 => expand_luma(a, view.colorimetry().range),
                Samples::Luma => rgb_to_luma(a, b, c),
                Samples::Rgb if format.is_yuv() => yuv_to_rgb(a, b, c, view.colorimetry()),
                Samples::Rgb if used == 1 => {
                    expand_luma(a, view.colorimetry().range);
                    b.copy_from_slice(a);
                    c.copy_from_slice(a);
                }
                Samples::Rgb => {}
            }
            sink(y, [a, b, c]);
        }
    }

    fn prepare(&mut self, frame: Size, source: Rect, size: Size, components: &[Component]) {
        for sub in [1, 2] {
            let reduction = sub as f32;
            if components.iter().any(|c| c.sub_x == sub) {
                let available = frame.width.div_ceil(sub) as usize;
                self.x[sub as usize - 1].rebuild(available, source.x / reduction, source.w / reduction, size.width as usize);
            }
            if components.iter().any(|c| c.sub_y == sub) {
                let available = frame.height.div_ceil(sub) as usize;
                self.y[sub as usize - 1].rebuild(available, source.y / reduction, source.h / reduction, size.height as usize);
            }
        }
        for row in &mut self.rows {
            row.resize(size.width as usize, 0.0);
        }
    }

    /// Computes output row `y` of every component that lies in `plane`.
    fn sample_plane_row(&mut self, view: &FrameView, plane: usize, components: &[Component], y: usize) {
        let in_plane = || components.iter().enumerate().filter(|(_, c)| c.plane == plane);
        let Some((_, any)) = in_plane().next() else { return };
        let (low, high) = self.x[any.sub_x as usize - 1].span();
        let (mut first_byte, mut end_byte) = (usize::MAX, 0);
        for (_, c) in in_plane() {
            let (low, high) = if c.sub_x == any.sub_x { (low, high) } else { self.x[c.sub_x as usize - 1].span() };
            first_byte = first_byte.min(low * c.step + c.offset);
            end_byte = end_byte.max((high - 1) * c.step + c.offset + 1);
        }
        let (first_row, weights) = self.y[any.sub_y as usize - 1].taps(y);
        self.accumulator.resize(end_byte - first_byte, 0);
        accumulate(&mut self.accumulator, weights, |k| view.row(plane, first_row + k, first_byte..end_byte));
        for (index, c) in in_plane() {
            let axis = &self.x[c.sub_x as usize - 1];
            for (x, out) in self.rows[index].iter_mut().enumerate() {
                let (first, weights) = axis.taps(x);
                let from = first * c.step + c.offset - first_byte;
                let sum: f32 = weights.iter().zip(self.accumulator[from..].iter().step_by(c.step)).map(|(w, &v)| w * f32::from(v)).sum();
                *out = sum / ONE;
            }
        }
    }
}

/// Weighted sum of source rows in fixed point; the integer weights sum to 256 exactly, rounding errors being carried
/// from each to the next.
fn accumulate<'a>(sums: &mut [u16], weights: &[f32], row: impl Fn(usize) -> &'a [u8]) {
    let mut exact = 0.0;
    let mut given = 0;
    let mut started = false;
    for (k, weight) in weights.iter().enumerate() {
        exact += weight * ONE;
        let fixed = exact.round() as u16 - given;
        given += fixed;
        if fixed == 0 {
            continue;
        }
        if started {
            sums.iter_mut().zip(row(k)).for_each(|(sum, &byte)| *sum += fixed * u16::from(byte));
        } else {
            sums.iter_mut().zip(row(k)).for_each(|(sum, &byte)| *sum = fixed * u16::from(byte));
            started = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Colorimetry, Plane};

    fn luma(data: &[u8], size: Size, source: Rect, out: Size) -> Vec<f32> {
        let plane = Plane { data, stride: size.width as usize };
        let view = FrameView::new(PixelFormat::Gray8, size, &[plane], Colorimetry::default()).unwrap();
        let mut result = Vec::new();
        Resampler::new().sample(&view, source, out, Samples::Luma, |_, [y, ..]| result.extend_from_slice(y));
        result
    }

    #[test]
    fn same_size_is_the_same_picture() {
        let data: Vec<u8> = (0..12).map(|i| i * 20).collect();
        let size = Size::new(4, 3);
        let same: Vec<f32> = data.iter().map(|&v| f32::from(v)).collect();
        assert_eq!(luma(&data, size, size.rect(), size), same);
    }

    #[test]
    fn halving_weighs_four_samples_per_axis() {
        // Triangle of support 2 around 1.0 in [0, 8, 8, 0]: taps 0.75, 0.75, 0.25 of samples 0, 1, 2 (edge dropped).
        let row = luma(&[0, 80, 80, 0], Size::new(4, 1), Size::new(4, 1).rect(), Size::new(2, 1));
        let expected = (0.75 * 80.0 + 0.25 * 80.0) / 1.75;
        assert!((row[0] - expected).abs() < 0.5 && (row[1] - expected).abs() < 0.5, "{row:?}, expected {expected}");
    }

    #[test]
    fn outside_repeats_the_edge() {
        let data = [10, 20, 30, 40];
        let out = luma(&data, Size::new(2, 2), Rect::new(-20.0, -20.0, 4.0, 4.0), Size::new(2, 2));
        assert_eq!(out, [10.0; 4]);
        let out = luma(&data, Size::new(2, 2), Rect::new(50.0, 50.0, 4.0, 4.0), Size::new(2, 2));
        assert_eq!(out, [40.0; 4]);
    }

    #[test]
    fn invalid_sources_deliver_nothing() {
        assert!(luma(&[1], Size::new(1, 1), Rect::new(f32::NAN, 0.0, 1.0, 1.0), Size::new(2, 2)).is_empty());
        assert!(luma(&[1], Size::new(1, 1), Rect::new(0.0, 0.0, 0.0, 1.0), Size::new(2, 2)).is_empty());
        assert!(luma(&[1], Size::new(1, 1), Rect::new(0.0, 0.0, 1.0, 1.0), Size::new(0, 2)).is_empty());
    }

    #[test]
    fn white_stays_white_at_any_reduction() {
        for width in [1u32, 3, 64, 1000, 3999] {
            let data = vec![255; width as usize * 7];
            let size = Size::new(width, 7);
            let out = luma(&data, size, size.rect(), Size::new(5, 3));
            assert!(out.iter().all(|&v| (v - 255.0).abs() < 0.01), "width {width}: {out:?}");
        }
    }
}
