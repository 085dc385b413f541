// SPDX-License-Identifier: MIT OR Apache-2.0
//! Network inputs: their format, and sampling a part of a frame into one picture of an input tensor.

use multiversion::multiversion;

use crate::geometry::{Crop, Rect, Size};
use crate::image::FrameView;
use crate::image::resample::{Resampler, Samples};
use crate::image::rotate::Rotator;

/// Order of a tensor's axes after the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Batch, channel, row, column.
    #[default]
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// The channels of a network's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// One channel, full-range luma.
    Gray,
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl Colour {
    /// Number of channels.
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb | Self::Bgr => 3,
        }
    }
}

/// The map from a pixel 0..255 to an input value, `(pixel - mean) * scale`, for each channel in the network's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// Subtracted from the pixel.
    pub mean: [f32; 3],
    /// Multiplies the difference.
    pub scale: [f32; 3],
}

impl Default for Normalization {
    /// The identity: pixels are passed on as they are.
    fn default() -> Self {
        Self { mean: [0.0; 3], scale: [1.0; 3] }
    }
}

/// The format of one picture of a network's input, apart from its size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InputFormat {
    /// Order of the axes.
    pub layout: Layout,
    /// Channels and their order.
    pub colour: Colour,
    /// Map from pixels to input values.
    pub normalization: Normalization,
}

impl InputFormat {
    /// The shape of a tensor of `count` pictures of `size`: `[N, C, H, W]` or `[N, H, W, C]`, row-major.
    pub fn shape(&self, count: usize, size: Size) -> [usize; 4] {
        let (channels, width, height) = (self.colour.channels(), size.width as usize, size.height as usize);
        match self.layout {
            Layout::Nchw => [count, channels, height, width],
            Layout::Nhwc => [count, height, width, channels],
        }
    }
}

/// Minimum roll in radians (1.7°) at which a crop is rotated. Below it, rotation changes too little to pay for its time.
const MIN_ROLL: f32 = 0.03;

/// The crop that [`Preprocessor::write_crop`] samples for `crop`, for mapping positions in the picture back to the frame: without a
/// small roll, and see [`Crop::sampleable`].
pub fn sampled_crop(crop: Crop) -> Crop {
    let crop = crop.sampleable();
    if crop.roll.abs() < MIN_ROLL { Crop { roll: 0.0, ..crop } } else { crop }
}

/// Samples parts of frames into the pictures of a network's input. Reuse one, so that its scratch memory is kept.
#[derive(Debug, Default)]
pub struct Preprocessor {
    resampler: Resampler,
    rotator: Rotator,
}

impl Preprocessor {
    /// A preprocessor that skips most samples of large reductions; see [`Resampler::quick`].
    pub fn quick() -> Self {
        Self { resampler: Resampler::quick(), ..Self::default() }
    }

    /// Samples `source` of `view` into the top left `content` of `picture`, which has the `size` and `format` of the
    /// network's input. The rest becomes black (pixel 0); all of it does if `source` is not a valid rectangle. Every value
    /// of `picture` is written.
    ///
    /// # Panics
    /// If `picture` is shorter than [`InputFormat::shape`] says, or `content` larger than `size`.
    pub fn write(&mut self, view: &FrameView, source: Rect, content: Size, format: &InputFormat, size: Size, picture: &mut [f32]) {
        let content = if source.is_valid() { content } else { Size::default() };
        fill_black_beyond(content, format, size, picture);
        let samples = if format.colour == Colour::Gray { Samples::Luma } else { Samples::Rgb };
        self.resampler.sample(view, source, content, samples, |y, rows| write_row(format, size, picture, y, rows));
    }

    /// Samples `crop` of `view`, rotated upright, into the whole of `picture`, which has the `size` and `format` of the
    /// network's input. A crop with no area or with numbers that are not finite shows the nearest edge of the frame, see
    /// [`Crop::sampleable`]. Every value of `picture` is written.
    ///
    /// # Panics
    /// If `picture` is shorter than [`InputFormat::shape`] says.
    pub fn write_crop(&mut self, view: &FrameView, crop: Crop, format: &InputFormat, size: Size, picture: &mut [f32]) {
        let crop = sampled_crop(crop);
        if crop.roll == 0.0 {
            return self.write(view, Rect::square(crop.center, crop.side), size, format, size, picture);
        }
        let samples = if format.colour == Colour::Gray { Samples::Luma } else { Samples::Rgb };
        self.rotator.sample(&mut self.resampler, view, crop, size, samples, |y, rows| write_row(format, size, picture, y, rows));
    }
}

/// Fills the area to the right of `content` and below it with black, in a picture of `size`.
fn fill_black_beyond(content: Size, format: &InputFormat, size: Size, picture: &mut [f32]) {
    let (width, height) = (size.width as usize, size.height as usize);
    let Normalization { mean, scale } = format.normalization;
    let black: [f32; 3] = std::array::from_fn(|channel| -mean[channel] * scale[channel]);
    let first_free = |y: usize| if y < content.height as usize { content.width as usize } else { 0 };
    match format.layout {
        Layout::Nchw => {
            let rows = picture.chunks_exact_mut(width).take(format.colour.channels() * height);
            rows.enumerate().for_each(|(row, values)| values[first_free(row % height)..].fill(black[row / height]));
        }
        Layout::Nhwc => {
            let black = &black[..format.colour.channels()];
            for (y, row) in picture.chunks_exact_mut(width * black.len()).take(height).enumerate() {
                row[first_free(y) * black.len()..].chunks_exact_mut(black.len()).for_each(|pixel| pixel.copy_from_slice(black));
            }
        }
    }
}

/// Writes row `y` of red, green and blue, or of luma, to its place in a picture of `size` in `format`.
fn write_row(format: &InputFormat, size: Size, picture: &mut [f32], y: usize, [red, green, blue]: [&[f32]; 3]) {
    let (channels, width, height) = (format.colour.channels(), size.width as usize, size.height as usize);
    let rows = if format.colour == Colour::Bgr { [blue, green, red] } else { [red, green, blue] };
    for (channel, row) in rows.into_iter().enumerate().take(channels) {
        let (mean, scale) = (format.normalization.mean[channel], format.normalization.scale[channel]);
        match format.layout {
            Layout::Nchw => normalize(row, mean, scale, &mut picture[(channel * height + y) * width..]),
            Layout::Nhwc => {
                let out = picture[y * width * channels + channel..].iter_mut().step_by(channels);
                out.zip(row).for_each(|(out, value)| *out = (value - mean) * scale);
            }
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn normalize(row: &[f32], mean: f32, scale: f32, out: &mut [f32]) {
    out.iter_mut().zip(row).for_each(|(out, value)| *out = (value - mean) * scale);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    const PIXELS: [u8; 12] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]; // 2 x 2 RGB

    fn written(format: &InputFormat, size: Size) -> Vec<f32> {
        let view =
            FrameView::new(PixelFormat::Rgb, Size::new(2, 2), &[Plane { data: &PIXELS, stride: 6 }], Colorimetry::default()).unwrap();
        let mut picture = vec![f32::NAN; format.shape(1, size).iter().product()];
        Preprocessor::default().write(&view, Size::new(2, 2).rect(), Size::new(2, 2), format, size, &mut picture);
        picture
    }

    #[test]
    fn values_follow_the_networks_layout_and_channel_order() {
        let rgb = written(&InputFormat::default(), Size::new(2, 2));
        assert_eq!(rgb, [10.0, 40.0, 70.0, 100.0, 20.0, 50.0, 80.0, 110.0, 30.0, 60.0, 90.0, 120.0]);
        let bgr = written(&InputFormat { colour: Colour::Bgr, ..Default::default() }, Size::new(2, 2));
        assert_eq!(bgr[..4], [30.0, 60.0, 90.0, 120.0]);
        let nhwc = written(&InputFormat { layout: Layout::Nhwc, ..Default::default() }, Size::new(2, 2));
        assert_eq!(nhwc, PIXELS.map(f32::from));
        assert_eq!(InputFormat { layout: Layout::Nhwc, ..Default::default() }.shape(7, Size::new(3, 2)), [7, 2, 3, 3]);
    }

    #[test]
    fn padding_is_normalised_black() {
        let normalization = Normalization { mean: [127.0; 3], scale: [0.5; 3] };
        let tensor = written(&InputFormat { normalization, ..Default::default() }, Size::new(3, 3));
        let red = &tensor[..9];
        assert_eq!(red, [-58.5, -43.5, -63.5, -28.5, -13.5, -63.5, -63.5, -63.5, -63.5]);
        let nhwc = written(&InputFormat { layout: Layout::Nhwc, normalization, ..Default::default() }, Size::new(3, 3));
        let red: Vec<f32> = nhwc.iter().copied().step_by(3).collect();
        assert_eq!(red, [-58.5, -43.5, -63.5, -28.5, -13.5, -63.5, -63.5, -63.5, -63.5]);
    }

    #[test]
    fn a_crop_with_no_area_shows_the_nearest_edge() {
        let view =
            FrameView::new(PixelFormat::Rgb, Size::new(2, 2), &[Plane { data: &PIXELS, stride: 6 }], Colorimetry::default()).unwrap();
        let crop = |x: f32, y: f32, side: f32, roll: f32| Crop { center: Point::new(x, y), side, roll };
        let nan = f32::NAN;
        let crops = [
            (crop(1.5, 1.5, 0.0, 0.0), [100.0, 110.0, 120.0]),
            (crop(0.5, 0.5, -4.0, 0.5), [10.0, 20.0, 30.0]),
            (crop(nan, nan, 1.0, 0.0), [10.0, 20.0, 30.0]),
            (crop(9.0, 9.0, nan, nan), [100.0, 110.0, 120.0]),
            (crop(f32::INFINITY, -9.0, 1.0, 0.7), [40.0, 50.0, 60.0]),
            (crop(f32::NEG_INFINITY, 9.0, 1e-44, 0.7), [70.0, 80.0, 90.0]),
        ];
        let (format, size) = (InputFormat::default(), Size::new(4, 3));
        let mut preprocessor = Preprocessor::default();
        for (crop, pixel) in crops {
            // Prefilled, so that a value that was not written is noticed.
            let mut picture = vec![-1.0; format.shape(1, size).iter().product()];
            preprocessor.write_crop(&view, crop, &format, size, &mut picture);
            let planes = picture.chunks(12).zip(pixel);
            assert!(planes.into_iter().all(|(plane, value)| plane.iter().all(|v| (v - value).abs() < 0.5)), "{crop:?}: {picture:?}");
        }
        let mut picture = vec![-1.0; format.shape(1, size).iter().product()];
        preprocessor.write_crop(&view, crop(1.0, 1.0, f32::INFINITY, 0.3), &format, size, &mut picture);
        assert!(picture.iter().all(|value| (10.0..=120.0).contains(value)), "pixels of the frame: {picture:?}");
    }

    #[test]
    fn an_invalid_source_is_black() {
        let view =
            FrameView::new(PixelFormat::Rgb, Size::new(2, 2), &[Plane { data: &PIXELS, stride: 6 }], Colorimetry::default()).unwrap();
        let (format, size) = (InputFormat::default(), Size::new(2, 2));
        for source in [Rect::new(f32::NAN, 0.0, 1.0, 1.0), Rect::new(0.0, 0.0, 0.0, 1.0)] {
            let mut picture = vec![-1.0; 12];
            Preprocessor::default().write(&view, source, size, &format, size, &mut picture);
            assert_eq!(picture, [0.0; 12]);
        }
    }

    #[test]
    fn greyscale_is_bt601_luma() {
        let tensor = written(&InputFormat { colour: Colour::Gray, ..Default::default() }, Size::new(2, 2));
        assert!((tensor[0] - (0.299 * 10.0 + 0.587 * 20.0 + 0.114 * 30.0)).abs() < 0.01);
    }
}
