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
    /// The upright square, and a line of the output, of luma, or of red, green, blue and a fourth value that fills the register.
    luma: [Vec<[f32; 1]>; 2],
    rgb: [Vec<[f32; 4]>; 2],
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
        sink: impl FnMut(usize, [&[f32]; 3]),
    ) {
        let upright = |side: usize, source, take: &mut dyn FnMut(usize, [&[f32]; 3])| {
            resampler.sample(view, source, Size::new(side as u32, side as u32), samples, take);
        };
        match samples {
            Samples::Luma => rotate(&mut self.luma, &mut self.rows, crop, size, upright, sink),
            Samples::Rgb => rotate(&mut self.rgb, &mut self.rows, crop, size, upright, sink),
        }
    }
}

/// Rotates `crop` by a `square` of `N` channels, which `upright` resamples.
fn rotate<const N: usize>(
    [square, line]: &mut [Vec<[f32; N]>; 2],
    rows: &mut [Vec<f32>; 3],
    crop: Crop,
    size: Size,
    upright: impl FnOnce(usize, Rect, &mut dyn FnMut(usize, [&[f32]; 3])),
    mut sink: impl FnMut(usize, [&[f32]; 3]),
) {
    let bounds = crop.bounds();
    let inner = (DENSITY * size.width.max(size.height) as f32 * bounds.w / crop.side).ceil();
    // A margin of one pixel on each side, so that every point has four neighbours.
    let side = inner as usize + 2;
    square.resize(side * side, [0.0; N]);
    upright(side, Rect::square(crop.center, bounds.w * side as f32 / inner), &mut |y, planes| {
        let planes: [&[f32]; N] = std::array::from_fn(|channel| planes.get(channel).map_or(&planes[0][..side], |plane| &plane[..side]));
        let line = &mut square[y * side..][..side];
        line.iter_mut().enumerate().for_each(|(x, pixel)| *pixel = planes.map(|plane| plane[x]));
    });
    rows.iter_mut().for_each(|row| row.resize(size.width as usize, 0.0));
    line.resize(size.width as usize, [0.0; N]);
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
        let mut at = middle.plus(vector(0.5 - size.width as f32 / 2.0, y as f32 + 0.5 - size.height as f32 / 2.0));
        // All channels of a pixel are written together, so that the compiler keeps them in a register.
        for pixel in &mut *line {
            let sum = points.iter().map(|&point| bilinear(square, side, at.plus(point))).fold([0.0; N], |a, b| each(a, b, |a, b| a + b));
            *pixel = sum.map(|sum| sum / points.len() as f32);
            at = at.plus(right);
        }
        for (channel, row) in rows.iter_mut().enumerate().take(N) {
            row.iter_mut().zip(&*line).for_each(|(value, pixel)| *value = pixel[channel]);
        }
        let [a, b, c] = &*rows;
        sink(y, [a, b, c]);
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
fn bilinear<const N: usize>(square: &[[f32; N]], side: usize, at: Position) -> [f32; N] {
    let whole = |value: i32| (value >> BITS) as usize;
    let fraction = |value: i32| (value & (ONE as i32 - 1)) as f32 / ONE;
    let (dx, dy) = (fraction(at.x), fraction(at.y));
    let corner = whole(at.y) * side + whole(at.x);
    let (above, below) = (&square[corner..][..2], &square[corner + side..][..2]);
    let between = |from, to, share: f32| each(from, to, |from, to| from + share * (to - from));
    between(between(above[0], above[1], dx), between(below[0], below[1], dx), dy)
}

/// Combines the channels of two pixels.
fn each<const N: usize>(a: [f32; N], b: [f32; N], combine: impl Fn(f32, f32) -> f32) -> [f32; N] {
    std::array::from_fn(|channel| combine(a[channel], b[channel]))
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
