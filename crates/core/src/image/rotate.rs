// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rotated crops, in two steps: the upright square around the crop, as far as it is in the frame, is resampled at about twice the
//! output's density, and what comes out is sampled bilinearly. The frame itself is read only by the fast, anti-aliased resampler.

use multiversion::multiversion;

use super::FrameView;
use super::resample::{Resampler, Samples};
use crate::geometry::{Crop, Rect, Size};

/// Samples of the upright picture for each output sample, along each axis.
const DENSITY: f32 = 2.0;
/// Fractional bits of fixed-point positions in it.
const BITS: u32 = 16;
/// One pixel in fixed point.
const ONE: f32 = (1 << BITS) as f32;

/// Samples rotated crops and owns the scratch memory for them.
#[derive(Debug, Default)]
pub struct Rotator {
    /// The upright picture, and a line of the output, of luma, or of red, green, blue and a fourth value that fills the register.
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
        let upright = |size, source, take: &mut dyn FnMut(usize, [&[f32]; 3])| resampler.sample(view, source, size, samples, take);
        match samples {
            Samples::Luma => rotate(&mut self.luma, &mut self.rows, view.size(), crop, size, upright, sink),
            Samples::Rgb => rotate(&mut self.rgb, &mut self.rows, view.size(), crop, size, upright, sink),
        }
    }
}

/// Rotates `crop` of a `frame` by a `picture` of `N` channels, which `upright` resamples.
fn rotate<const N: usize>(
    [picture, line]: &mut [Vec<[f32; N]>; 2],
    rows: &mut [Vec<f32>; 3],
    frame: Size,
    crop: Crop,
    size: Size,
    upright: impl FnOnce(Size, Rect, &mut dyn FnMut(usize, [&[f32]; 3])),
    mut sink: impl FnMut(usize, [&[f32]; 3]),
) {
    let bounds = crop.bounds();
    let inner = (DENSITY * size.width.max(size.height) as f32 * bounds.w / crop.side).ceil();
    let scale = bounds.w / inner;
    let (across, down) = (Axis::new(crop.center.x, scale, inner, frame.width), Axis::new(crop.center.y, scale, inner, frame.height));
    let columns = across.samples;
    picture.resize(columns * down.samples, [0.0; N]);
    let source = Rect::new(across.start, down.start, columns as f32 * scale, down.samples as f32 * scale);
    upright(Size::new(columns as u32, down.samples as u32), source, &mut |y, planes| {
        let planes: [&[f32]; N] = std::array::from_fn(|channel| &planes[channel.min(2)][..columns]);
        let line = &mut picture[y * columns..][..columns];
        line.iter_mut().enumerate().for_each(|(x, pixel)| *pixel = planes.map(|plane| plane[x]));
    });
    rows.iter_mut().for_each(|row| row.resize(size.width as usize, 0.0));
    line.resize(size.width as usize, [0.0; N]);
    // Maps vectors from output pixels to those of the picture.
    let step = crop.side / scale;
    let (sin, cos) = crop.roll.sin_cos();
    let vector = |x: f32, y: f32| {
        let (u, v) = (x / size.width as f32 * step, y / size.height as f32 * step);
        Position { x: ((cos * u - sin * v) * ONE) as i32, y: ((sin * u + cos * v) * ONE) as i32 }
    };
    // Four points in each output pixel: at twice the density, one point alone would alias.
    let points = [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)].map(|(x, y)| vector(x, y));
    let (middle, right) = (Position { x: across.middle, y: down.middle }, vector(1.0, 0.0));
    for y in 0..size.height as usize {
        let start = middle.plus(vector(0.5 - size.width as f32 / 2.0, y as f32 + 0.5 - size.height as f32 / 2.0));
        line.fill([0.0; N]);
        points.iter().for_each(|&point| add(line, start.plus(point), right, picture, [columns, down.samples]));
        for (channel, row) in rows.iter_mut().enumerate().take(N) {
            row.iter_mut().zip(&*line).for_each(|(value, pixel)| *value = pixel[channel] / points.len() as f32);
        }
        let [a, b, c] = &*rows;
        sink(y, [a, b, c]);
    }
}

/// The samples of the upright picture along one axis.
struct Axis {
    /// Where the first one begins in the frame.
    start: f32,
    samples: usize,
    /// The crop's centre, in fixed point. Centres of samples are at whole numbers.
    middle: i32,
}

impl Axis {
    /// `inner` samples around `center`, of `scale` pixels each, and one more on each side, so that every point has four neighbours. Of
    /// those beyond the frame, only the first ones: the others are the same.
    fn new(center: f32, scale: f32, inner: f32, available: u32) -> Self {
        let samples = inner + 2.0;
        let origin = center - samples / 2.0 * scale;
        let first = ((-origin / scale).floor() - 1.0).clamp(0.0, samples - 2.0);
        let end = (((available as f32 - origin) / scale).ceil() + 1.0).clamp(first + 2.0, samples);
        Self { start: origin + first * scale, samples: (end - first) as usize, middle: ((samples / 2.0 - first - 0.5) * ONE) as i32 }
    }
}

/// A position in the upright picture, or a vector between two, in 1/65536 of a pixel.
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

/// Pixels whose positions are computed together.
const LANES: usize = 16;

/// Adds to each pixel of `line` what is at its position in `picture`, of so many columns and rows, interpolated between the four pixels
/// around it. The first position is `start`, and `right` is the step to the next one. Beyond the edges, the nearest pixel is repeated.
#[multiversion(targets("x86_64+avx2"))]
fn add<const N: usize>(line: &mut [[f32; N]], start: Position, right: Position, picture: &[[f32; N]], [columns, rows]: [usize; 2]) {
    let last = |samples: usize| ((samples as i32 - 1) << BITS) - 1;
    let (last_x, last_y) = (last(columns), last(rows));
    let fraction = |value: i32| (value & (ONE as i32 - 1)) as f32 / ONE;
    let between = |from: f32, to: f32, share: f32| from + share * (to - from);
    for (number, pixels) in line.chunks_mut(LANES).enumerate() {
        // A loop of its own, which the compiler vectorises.
        let mut places = ([0; LANES], [0.0; LANES], [0.0; LANES]);
        for i in 0..LANES {
            let steps = (number * LANES + i) as i32;
            let (x, y) = ((start.x + steps * right.x).clamp(0, last_x), (start.y + steps * right.y).clamp(0, last_y));
            places.0[i] = (y >> BITS) as u32 * columns as u32 + (x >> BITS) as u32;
            (places.1[i], places.2[i]) = (fraction(x), fraction(y));
        }
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let (corner, dx, dy) = (places.0[i] as usize, places.1[i], places.2[i]);
            let (above, below) = (&picture[corner..][..2], &picture[corner + columns..][..2]);
            for (channel, sum) in pixel.iter_mut().enumerate() {
                let side = |x: usize| between(above[x][channel], below[x][channel], dy);
                *sum += between(side(0), side(1), dx);
            }
        }
    }
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
