// SPDX-License-Identifier: MIT OR Apache-2.0
//! Network inputs: tensors, and the step from a part of a frame to one picture of a tensor.

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

/// The channels that a network wants.
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

/// The map from a pixel 0..255 to a network's input: `(pixel - mean) * scale`, for each channel of the network's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// Subtracted first.
    pub mean: [f32; 3],
    /// Multiplied after.
    pub scale: [f32; 3],
}

impl Default for Normalization {
    /// Pixels as they are.
    fn default() -> Self {
        Self { mean: [0.0; 3], scale: [1.0; 3] }
    }
}

/// What a network expects of one picture, apart from its size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InputFormat {
    /// Order of the axes.
    pub layout: Layout,
    /// Channels and their order.
    pub colour: Colour,
    /// From pixel to input value.
    pub normalization: Normalization,
}

/// A batch of pictures as a network takes them: `f32`, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    shape: [usize; 4],
    data: Vec<f32>,
}

impl Tensor {
    /// Reshapes to `count` pictures of `size`; the memory is kept and its values are unspecified.
    pub fn reshape(&mut self, format: &InputFormat, count: usize, size: Size) {
        let (channels, width, height) = (format.colour.channels(), size.width as usize, size.height as usize);
        self.shape = match format.layout {
            Layout::Nchw => [count, channels, height, width],
            Layout::Nhwc => [count, height, width, channels],
        };
        self.data.resize(self.shape.iter().product(), 0.0);
    }

    /// `[N, C, H, W]` or `[N, H, W, C]`.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// All values, row-major.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Height and width of its pictures.
    fn picture_sides(&self, layout: Layout) -> (usize, usize) {
        match layout {
            Layout::Nchw => (self.shape[2], self.shape[3]),
            Layout::Nhwc => (self.shape[1], self.shape[2]),
        }
    }

    fn picture_mut(&mut self, index: usize) -> &mut [f32] {
        let length = self.shape[1..].iter().product();
        &mut self.data[index * length..][..length]
    }
}

/// A face that is turned by less, in radians, is cropped upright: nothing is gained by turning it.
const LEAST_ROLL: f32 = 0.03;

/// Samples parts of frames into tensors; keeps its scratch memory from call to call.
#[derive(Debug, Default)]
pub struct Preprocessor {
    resampler: Resampler,
    rotator: Rotator,
}

impl Preprocessor {
    /// Samples `source` of `view` to the top left `content` of picture `index` of `tensor`, which was reshaped for
    /// `format`; what `content` leaves free becomes black (pixel 0).
    ///
    /// # Panics
    /// If `index` or `content` is outside the tensor.
    pub fn write(&mut self, view: &FrameView, source: Rect, content: Size, format: &InputFormat, tensor: &mut Tensor, index: usize) {
        let channels = format.colour.channels();
        let (height, width) = tensor.picture_sides(format.layout);
        let Normalization { mean, scale } = format.normalization;
        let picture = tensor.picture_mut(index);
        if (content.width as usize, content.height as usize) != (width, height) {
            for (i, value) in picture.iter_mut().enumerate() {
                let channel = if format.layout == Layout::Nchw { i / (width * height) } else { i % channels };
                *value = -mean[channel] * scale[channel];
            }
        }
        let samples = if channels == 1 { Samples::Luma } else { Samples::Rgb };
        self.resampler.sample(view, source, content, samples, |y, rows| write_row(format, picture, [height, width], y, rows));
    }

    /// Samples `crop` of `view`, turned upright, to the whole of picture `index` of `tensor`, which was reshaped for
    /// `format`.
    ///
    /// # Panics
    /// If `index` is outside the tensor.
    pub fn write_crop(&mut self, view: &FrameView, crop: Crop, format: &InputFormat, tensor: &mut Tensor, index: usize) {
        let (height, width) = tensor.picture_sides(format.layout);
        let size = Size::new(width as u32, height as u32);
        if crop.roll.abs() < LEAST_ROLL {
            return self.write(view, Rect::square(crop.center, crop.side), size, format, tensor, index);
        }
        let samples = if format.colour == Colour::Gray { Samples::Luma } else { Samples::Rgb };
        let picture = tensor.picture_mut(index);
        self.rotator.sample(&mut self.resampler, view, crop, size, samples, |y, rows| {
            write_row(format, picture, [height, width], y, rows);
        });
    }
}

/// Puts row `y` of red, green and blue, or of luma, where `format` wants it in a picture of `[height, width]`.
fn write_row(format: &InputFormat, picture: &mut [f32], [height, width]: [usize; 2], y: usize, [red, green, blue]: [&[f32]; 3]) {
    let channels = format.colour.channels();
    let rows = if format.colour == Colour::Bgr { [blue, green, red] } else { [red, green, blue] };
    for (channel, row) in rows.into_iter().enumerate().take(channels) {
        let (mean, scale) = (format.normalization.mean[channel], format.normalization.scale[channel]);
        let normalized = row.iter().map(|value| (value - mean) * scale);
        match format.layout {
            Layout::Nchw => {
                let out = &mut picture[(channel * height + y) * width..][..row.len()];
                out.iter_mut().zip(normalized).for_each(|(out, value)| *out = value);
            }
            Layout::Nhwc => {
                let out = picture[y * width * channels + channel..].iter_mut().step_by(channels);
                out.zip(normalized).for_each(|(out, value)| *out = value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    const PIXELS: [u8; 12] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]; // 2 x 2 RGB

    fn written(format: &InputFormat, size: Size) -> Tensor {
        let view =
            FrameView::new(PixelFormat::Rgb, Size::new(2, 2), &[Plane { data: &PIXELS, stride: 6 }], Colorimetry::default()).unwrap();
        let mut tensor = Tensor::default();
        tensor.reshape(format, 1, size);
        Preprocessor::default().write(&view, Size::new(2, 2).rect(), Size::new(2, 2), format, &mut tensor, 0);
        tensor
    }

    #[test]
    fn planes_in_the_networks_channel_order() {
        let rgb = written(&InputFormat::default(), Size::new(2, 2));
        assert_eq!(rgb.data(), [10.0, 40.0, 70.0, 100.0, 20.0, 50.0, 80.0, 110.0, 30.0, 60.0, 90.0, 120.0]);
        let bgr = written(&InputFormat { colour: Colour::Bgr, ..Default::default() }, Size::new(2, 2));
        assert_eq!(bgr.data()[..4], [30.0, 60.0, 90.0, 120.0]);
        let nhwc = written(&InputFormat { layout: Layout::Nhwc, ..Default::default() }, Size::new(2, 2));
        assert_eq!(nhwc.data(), PIXELS.map(f32::from));
        assert_eq!(nhwc.shape(), [1, 2, 2, 3]);
    }

    #[test]
    fn free_space_is_black_after_normalization() {
        let normalization = Normalization { mean: [127.0; 3], scale: [0.5; 3] };
        let tensor = written(&InputFormat { normalization, ..Default::default() }, Size::new(3, 3));
        let red = &tensor.data()[..9];
        assert_eq!(red, [-58.5, -43.5, -63.5, -28.5, -13.5, -63.5, -63.5, -63.5, -63.5]);
    }

    #[test]
    fn grey_is_bt601_luma() {
        let tensor = written(&InputFormat { colour: Colour::Gray, ..Default::default() }, Size::new(2, 2));
        assert!((tensor.data()[0] - (0.299 * 10.0 + 0.587 * 20.0 + 0.114 * 30.0)).abs() < 0.01);
    }
}
