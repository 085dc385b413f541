// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rotated crops, in two steps: an upright square around the crop is resampled at about twice the output's density, and
//! that square is sampled bilinearly. The frame itself is read only by the fast, anti-aliased resampler.

use super::FrameView;
use super::resample::{Resampler, Samples};
use crate::geometry::{Crop, Rect, Size};

/// Samples of the intermediate square for each output sample, along each axis.
const DENSITY: f32 = 2.0;
/// Fractional bits of fixed-point positions in the square.
const BITS: u32 = 16;
/// One pixel in fixed point.
const ONE: f32 = (1 << BITS) as f32;

/// Samples rotated crops and owns the scratch memory for them.
#[derive(Debug, Default)]
pub struct Rotator {
    /// The upright square, one plane for each channel.
    square: [Vec<f32>; 3],
    rows: [Vec<f32>; 3],
}

impl Rotator {
    /// Samples `crop` of `view`, rotated upright, to `size`. `sink` is called as by [`Resampler::sample`].
    pub fn sample(
        &mut self,
        resampler: &mut Resampler,
        view: &FrameView,
        crop: Crop,
        size: Size,
        samples: Samples,
        mut sink: impl FnMut(usize, [&[f32]; 3]),
    ) {
        let bounds = crop.bounds();
        let inner = (DENSITY * size.width.max(size.height) as f32 * bounds.w / crop.side).ceil();
        // A margin of one pixel on each side, so that every point has four neighbours.
        let side = inner as usize + 2;
        let channels = if samples == Samples::Luma { 1 } else { 3 };
        self.square.iter_mut().take(channels).for_each(|plane| plane.resize(side * side, 0.0));
        let source = Rect::square(crop.center, bounds.w * side as f32 / inner);
        resampler.sample(view, source, Size::new(side as u32, side as u32), samples, |y, rows| {
            self.square.iter_mut().zip(rows).take(channels).for_each(|(plane, row)| plane[y * side..][..side].copy_from_slice(row));
        });
        self.rows.iter_mut().for_each(|row| row.resize(size.width as usize, 0.0));
        // Maps vectors from output pixels to the square's pixels; both pictures are centred on the crop's centre.
        let step = inner * crop.side / bounds.w;
        let (sin, cos) = crop.roll.sin_cos();
        let vector = |x: f32, y: f32| {
            let (u, v) = (x / size.width as f32 * step, y / size.height as f32 * step);
            Position { x: ((cos * u - sin * v) * ONE) as i32, y: ((sin * u + cos * v) * ONE) as i32 }
        };
        // Four points in each output pixel: at twice the density, one point alone would alias.
        let points = [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)].map(|(x, y)| vector(x, y));
        let middle = (side as f32 / 2.0 - 0.5) * ONE;
        let middle = Position { x: middle as i32, y: middle as i32 };
        let right = vector(1.0, 0.0);
        for y in 0..size.height as usize {
            let left = middle.plus(vector(0.5 - size.width as f32 / 2.0, y as f32 + 0.5 - size.height as f32 / 2.0));
            for (row, plane) in self.rows.iter_mut().zip(&self.square).take(channels) {
                let mut at = left;
                for value in row {
                    *value = points.iter().map(|&point| bilinear(plane, side, at.plus(point))).sum::<f32>() / points.len() as f32;
                    at = at.plus(right);
                }
            }
            let [a, b, c] = &self.rows;
            sink(y, [a, b, c]);
        }
    }
}

/// A position in the square, or a vector between two, in 1/65536 of a pixel. Pixel centres are at whole numbers.
#[derive(Clone, Copy)]
struct Position {
    x: i32,
    y: i32,
}

impl Position {
    fn plus(self, other: Self) -> Self {
        Self { x: self.x + other.x, y: self.y + other.y }
    }
}

/// Interpolates a square picture between the four pixels around `at`.
fn bilinear(plane: &[f32], side: usize, at: Position) -> f32 {
    let whole = |value: i32| (value >> BITS) as usize;
    let fraction = |value: i32| (value & (ONE as i32 - 1)) as f32 / ONE;
    let (dx, dy) = (fraction(at.x), fraction(at.y));
    let corner = whole(at.y) * side + whole(at.x);
    let (above, below) = (&plane[corner..][..2], &plane[corner + side..][..2]);
    let (above, below) = (above[0] + dx * (above[1] - above[0]), below[0] + dx * (below[1] - below[0]));
    above + dy * (below - above)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    /// A ramp in direction `angle`, 128 in the middle of a 200 x 200 picture.
    fn ramp(angle: f32) -> Vec<u8> {
        let (sin, cos) = angle.sin_cos();
        let value = |i: usize| 128.0 + ((i % 200) as f32 - 99.5) * cos + ((i / 200) as f32 - 99.5) * sin;
        (0..200 * 200).map(|i| value(i).round().clamp(0.0, 255.0) as u8).collect()
    }

    #[test]
    fn a_rotated_ramp_comes_out_upright() {
        for roll in [-1.2f32, -0.4, 0.1, 0.7] {
            let data = ramp(roll);
            let view =
                FrameView::new(PixelFormat::Gray8, Size::new(200, 200), &[Plane { data: &data, stride: 200 }], Colorimetry::default())
                    .unwrap();
            let crop = Crop { center: Point::new(100.0, 100.0), side: 96.0, roll };
            let mut rows = Vec::new();
            Rotator::default()
                .sample(&mut Resampler::new(), &view, crop, Size::new(48, 48), Samples::Luma, |_, [row, ..]| rows.push(row.to_vec()));
            assert_eq!(rows.len(), 48);
            for row in &rows {
                for (x, value) in row.iter().enumerate() {
                    let expected = 128.0 + (x as f32 + 0.5 - 24.0) * 2.0;
                    assert!((value - expected).abs() < 1.2, "roll {roll}, column {x}: {value} instead of {expected}");
                }
            }
        }
    }

    #[test]
    fn all_three_channels_are_rotated() {
        let data: Vec<u8> = [200, 100, 50].repeat(40 * 40);
        let view =
            FrameView::new(PixelFormat::Rgb, Size::new(40, 40), &[Plane { data: &data, stride: 120 }], Colorimetry::default()).unwrap();
        let crop = Crop { center: Point::new(0.0, 45.0), side: 30.0, roll: 0.5 };
        Rotator::default().sample(&mut Resampler::new(), &view, crop, Size::new(8, 8), Samples::Rgb, |_, rows| {
            for (row, expected) in rows.into_iter().zip([200.0, 100.0, 50.0]) {
                assert!(row.iter().all(|value| (value - expected).abs() < 0.01), "{row:?}");
            }
        });
    }
}
