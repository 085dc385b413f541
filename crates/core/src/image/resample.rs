// SPDX-License-Identifier: MIT OR Apache-2.0
//! Crop and resize in one step, straight from the planes of any [`PixelFormat`].
//!
//! The filter is separable and depends on the reduction factor:
//!
//! | factor | filter |
//! |---|---|
//! | below 1 (enlarging) | bilinear |
//! | 1 to 2 | a triangle as wide as the factor, which prevents aliasing (Pillow's `BILINEAR`) |
//! | 2 and above | the mean of the covered samples (OpenCV's `INTER_AREA`) |
//!
//! The golden tests compare with both libraries. For each output row, the weighted source rows are first summed byte by
//! byte, whatever the format. The sum is then split into components, and each is filtered along the row. All arithmetic
//! is fixed-point: weights of rows have 8 fractional bits, weights within a row 14.
//!
//! At large factors the time goes into reading rows. From a factor of 6, only every second row is read, from 9 every
//! third, and so on. Within a row every sample is used.
//!
//! A [quick](Resampler::quick) resampler reads less still: from a factor of 2, it takes two rows and in each two pairs of
//! neighbouring pixels for each output sample. At a factor of exactly 2 that is the mean of all four pixels.

use super::convert::{expand_luma, yuv_to_rgb};
use super::sparse::SparseSamples;
use super::taps::{Mapping, Taps};
use super::tone::map_to_sdr;
use super::{Component, FrameView, PixelFormat, rows};
use crate::geometry::{Rect, Size};

/// What [`Resampler::sample`] delivers for each pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// One value: full-range luma, which is Y of YUV formats and BT.601 luma of RGB formats.
    Luma,
    /// Three values: red, green, blue.
    Rgb,
}

/// Minimum number of source rows averaged into an output row where rows are skipped; the maximum is about twice as many.
const ROWS: usize = 3;

/// Resamples frames and owns the scratch memory for it. Reuse one for every frame: then only the first one allocates.
#[derive(Debug, Default)]
pub struct Resampler {
    quick: bool,
    /// Horizontal and vertical taps, each at full and at half resolution.
    x: [Taps; 2],
    y: [Taps; 2],
    /// Weighted sums of source rows, byte by byte.
    sums: Vec<u16>,
    /// The samples of one component, extracted from `sums`.
    component: Vec<i16>,
    /// Positions that a quick resampler reads, at the same resolutions as the taps.
    sparse_x: [SparseSamples; 2],
    sparse_y: [SparseSamples; 2],
    /// Means of two rows and two neighbouring pixels, byte by byte.
    means: Vec<u8>,
    /// The means at the positions that are read, one word for each run of positions.
    words: [Vec<u32>; 2],
    /// The output row of each component.
    rows: [Vec<f32>; 3],
}

impl Resampler {
    /// A resampler that reads every sample within a row.
    pub fn new() -> Self {
        Self::default()
    }

    /// A resampler for pictures in which things only have to be found. Where it reduces by 2 or more, it takes a fraction
    /// of the time, and fine detail may alias.
    pub fn quick() -> Self {
        Self { quick: true, ..Self::default() }
    }

    /// Samples the part `source` of `view` to `size` and passes each row of the result, from top to bottom, to `sink`.
    ///
    /// `source` is in pixels of the frame as seen and may be fractional. Outside of the frame the nearest pixel is repeated. Values are
    /// full range, 0..255; those of HDR pictures are [mapped](map_to_sdr) to SDR. The call is `sink(y, [r, g, b])` for [`Samples::Rgb`]; for [`Samples::Luma`] only the first
    /// row is meaningful. An invalid `source` or an empty `size` produces no rows.
    pub fn sample(&mut self, view: &FrameView, source: Rect, size: Size, samples: Samples, mut sink: impl FnMut(usize, [&[f32]; 3])) {
        if !source.is_valid() || size.is_empty() {
            return;
        }
        let (format, colorimetry) = (view.format(), view.colorimetry());
        let grey = format == PixelFormat::Gray8;
        let luma_only = grey || format.is_yuv() && samples == Samples::Luma;
        let components = &format.components()[..if luma_only { 1 } else { 3 }];
        // Luma of RGB is computed from row sums, which the sparse path does not have.
        let luma_of_rgb = samples == Samples::Luma && !luma_only;
        let sparse = self.prepare(view.stored_size(), view.stored_rect(source), size, components, self.quick && !luma_of_rgb);
        for y in 0..size.height as usize {
            for plane in 0..format.planes() {
                if sparse {
                    self.sample_plane_row_sparsely(view, plane, components, y);
                } else {
                    self.sample_plane_row(view, plane, components, samples, y);
                }
            }
            let [a, b, c] = &mut self.rows;
            if luma_only {
                expand_luma(a, colorimetry.range);
            } else if format.is_yuv() {
                yuv_to_rgb(a, b, c, colorimetry);
            }
            let channels = if luma_only || luma_of_rgb { 1 } else { 3 };
            map_to_sdr(&mut self.rows[..channels], colorimetry.transfer);
            let [a, b, c] = &self.rows;
            sink(y, if grey { [a, a, a] } else { [a, b, c] });
        }
    }

    /// Computes the taps or the sparse positions that all rows share. Returns true if sampling is sparse: if `quick`, and
    /// the reduction is large enough in every component.
    fn prepare(&mut self, frame: Size, source: Rect, size: Size, components: &[Component], quick: bool) -> bool {
        let mapping = |frame: u32, start: f32, length: f32, outputs: u32, target_taps: usize, sub: u32| Mapping {
            available: frame.div_ceil(sub) as usize,
            start: start / sub as f32,
            length: length / sub as f32,
            outputs: outputs as usize,
            target_taps,
        };
        let along_x = |sub: u32| mapping(frame.width, source.x, source.w, size.width, usize::MAX, sub);
        let along_y = |sub: u32| mapping(frame.height, source.y, source.h, size.height, ROWS, sub);
        let sparse = quick && components.iter().all(|c| SparseSamples::fits(&along_x(c.sub_x)) && SparseSamples::fits(&along_y(c.sub_y)));
        for c in components {
            let (x, y) = (c.sub_x as usize - 1, c.sub_y as usize - 1);
            if sparse {
                self.sparse_x[x].prepare(along_x(c.sub_x), 2);
                self.sparse_y[y].prepare(along_y(c.sub_y), 1);
            } else {
                self.x[x].prepare(along_x(c.sub_x), rows::ONE_SAMPLE);
                self.y[y].prepare(along_y(c.sub_y), rows::ONE_ROW);
            }
        }
        for row in &mut self.rows {
            row.resize(size.width as usize, 0.0);
        }
        sparse
    }

    /// Computes output row `y` of every component that lies in `plane`, from a few samples for each position.
    fn sample_plane_row_sparsely(&mut self, view: &FrameView, plane: usize, components: &[Component], y: usize) {
        let mut gathered_step = 0;
        for (index, c) in components.iter().enumerate().filter(|(_, c)| c.plane == plane) {
            // Components with the same step lie within one word of 4 bytes, so they are gathered together.
            let offsets = || components.iter().filter(|other| other.plane == plane && other.step == c.step).map(|c| c.offset);
            let low = offsets().min().unwrap_or(c.offset);
            let (columns, lines) = (&self.sparse_x[c.sub_x as usize - 1], &self.sparse_y[c.sub_y as usize - 1]);
            if c.step != gathered_step {
                gathered_step = c.step;
                let span = columns.span();
                let bytes = span.start * c.step + low..(span.end - 1) * c.step + offsets().max().unwrap_or(low) + 1;
                let row = |line: usize| view.row(plane, line, bytes.clone());
                let next = (y + 1).min(lines.runs()[0].len() - 1);
                let blended = bytes.len() - c.step;
                // Reads are whole words, or whole chunks of the distance: the last one may reach beyond the means.
                let distance = columns.distance().map(|pixels| pixels * c.step);
                self.means.resize(blended + distance.unwrap_or(0).max(size_of::<u32>()), 0);
                rows::blend(lines.rows(y).map(row), c.step, &mut self.means[..blended], lines.rows(next).map(row));
                for (words, pixels) in self.words.iter_mut().zip(columns.runs()) {
                    words.resize(pixels.len(), 0);
                    match distance {
                        Some(distance) => rows::gather_evenly(&self.means[pixels[0] as usize * c.step..], distance, words),
                        None => rows::gather(&self.means, c.step, pixels, words),
                    }
                }
            }
            match columns.runs().len() {
                1 => rows::bytes_of(&self.words[0], c.offset - low, &mut self.rows[index]),
                _ => rows::means_of(self.words.each_ref().map(Vec::as_slice), c.offset - low, &mut self.rows[index]),
            }
        }
    }

    /// Computes output row `y` of every component that lies in `plane`, or of the luma of red, green and blue.
    fn sample_plane_row(&mut self, view: &FrameView, plane: usize, components: &[Component], samples: Samples, y: usize) {
        let in_plane = || components.iter().enumerate().filter(|(_, c)| c.plane == plane);
        let Some((_, any)) = in_plane().next() else { return };
        let (mut first_byte, mut end_byte, mut step) = (usize::MAX, 0, 0);
        for (_, c) in in_plane() {
            let span = self.x[c.sub_x as usize - 1].span();
            first_byte = first_byte.min(span.start * c.step + c.offset);
            end_byte = end_byte.max((span.end - 1) * c.step + c.offset + 1);
            step = step.max(c.step);
        }
        let (first_row, skip, weights) = self.y[any.sub_y as usize - 1].at(y);
        let bytes = end_byte - first_byte;
        // Components are extracted by whole pixels, and the last pixel's trailing bytes may be missing.
        self.sums.resize(bytes + step, 0);
        rows::add_rows(&mut self.sums[..bytes], weights, |k| view.row(plane, first_row + k * skip, first_byte..end_byte));
        if let (Samples::Luma, &[red, green, blue]) = (samples, components) {
            let (axis, offsets) = (&self.x[0], [red, green, blue].map(|c| c.offset - red.offset.min(blue.offset)));
            self.component.resize(axis.padded_len(), 0);
            rows::take_luma(&self.sums, any.step, offsets, &mut self.component[..axis.span().len()]);
            return axis.sample(&self.component, &mut self.rows[0]);
        }
        for (index, c) in in_plane() {
            let axis = &self.x[c.sub_x as usize - 1];
            let from = axis.span().start * c.step + c.offset - first_byte;
            self.component.resize(axis.padded_len(), 0);
            rows::take_component(&self.sums[from..], c.step, &mut self.component[..axis.span().len()]);
            axis.sample(&self.component, &mut self.rows[index]);
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
    fn the_same_size_copies_the_picture() {
        let data: Vec<u8> = (0..12).map(|i| i * 20).collect();
        let size = Size::new(4, 3);
        let same: Vec<f32> = data.iter().map(|&v| f32::from(v)).collect();
        assert_eq!(luma(&data, size, size.rect(), size), same);
    }

    #[test]
    fn a_reduction_below_two_uses_a_triangle() {
        // A triangle of radius 1.5 around 0.75 weighs [0, 80, 80] by 5/6, 1/2 and 0, normalised by their sum.
        let row = luma(&[0, 80, 80], Size::new(3, 1), Size::new(3, 1).rect(), Size::new(2, 1));
        let weight = |x: f32| 1.0 - (x + 0.5 - 0.75).abs() / 1.5;
        let expected = 80.0 * (weight(1.0) + weight(2.0).max(0.0)) / (weight(0.0) + weight(1.0) + weight(2.0).max(0.0));
        assert!((row[0] - expected).abs() < 0.1, "{row:?}, expected {expected}");
    }

    #[test]
    fn a_reduction_by_two_takes_means() {
        let row = luma(&[0, 80, 30, 10, 10, 20, 70, 110], Size::new(4, 2), Size::new(4, 2).rect(), Size::new(2, 1));
        assert!((row[0] - 27.5).abs() < 0.1 && (row[1] - 55.0).abs() < 0.1, "{row:?}");
    }

    #[test]
    fn skipped_rows_shift_the_mean_by_less_than_one() {
        let rows: Vec<u8> = (0..90).map(|y| y * 2).collect();
        let size = Size::new(1, 90);
        let means = luma(&rows, size, size.rect(), Size::new(1, 6));
        let expected = (0..6).map(|i| 2.0 * (i as f32 * 15.0 + 7.0));
        assert!(means.iter().zip(expected).all(|(mean, expected)| (mean - expected).abs() < 1.0), "{means:?}");
    }

    #[test]
    fn outside_of_the_frame_the_edge_is_repeated() {
        let data = [10, 20, 30, 40];
        let out = luma(&data, Size::new(2, 2), Rect::new(-20.0, -20.0, 4.0, 4.0), Size::new(2, 2));
        assert_eq!(out, [10.0; 4]);
        let out = luma(&data, Size::new(2, 2), Rect::new(50.0, 50.0, 4.0, 4.0), Size::new(2, 2));
        assert_eq!(out, [40.0; 4]);
    }

    #[test]
    fn a_source_far_larger_than_the_frame_yields_pixels_of_the_frame() {
        let data = [10, 20, 30, 40];
        for side in [1e10, 1e30, f32::MAX] {
            let source = Rect::new(-side / 2.0, -side / 2.0, side, side);
            let out = luma(&data, Size::new(2, 2), source, Size::new(3, 3));
            assert!(out.len() == 9 && out.iter().all(|value| (10.0..=40.0).contains(value)), "{side}: {out:?}");
        }
    }

    #[test]
    fn invalid_sources_and_empty_sizes_produce_no_rows() {
        assert!(luma(&[1], Size::new(1, 1), Rect::new(f32::NAN, 0.0, 1.0, 1.0), Size::new(2, 2)).is_empty());
        assert!(luma(&[1], Size::new(1, 1), Rect::new(0.0, 0.0, 0.0, 1.0), Size::new(2, 2)).is_empty());
        assert!(luma(&[1], Size::new(1, 1), Rect::new(0.0, 0.0, 1.0, 1.0), Size::new(0, 2)).is_empty());
    }

    #[test]
    fn white_stays_white_at_every_reduction() {
        for width in [1u32, 3, 64, 1000, 3999] {
            let data = vec![255; width as usize * 7];
            let size = Size::new(width, 7);
            let out = luma(&data, size, size.rect(), Size::new(5, 3));
            assert!(out.iter().all(|&v| (v - 255.0).abs() < 0.01), "width {width}: {out:?}");
        }
    }
}
