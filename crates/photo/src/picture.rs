// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decoded pixels of 8 bits: grey, or red, green and blue.

use image::metadata::Orientation;
use image::{DynamicImage, Rgb, RgbImage, RgbaImage};

/// The value that shows through where a picture is transparent. Viewers and paper are white; the colours of transparent pixels
/// are arbitrary.
const BACKGROUND: u8 = 255;

/// A picture in rows without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes of a pixel: 1 is grey, 3 is red, green and blue.
    pub channels: u32,
    /// The pixels.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// The picture of a decoder, over white and turned upright.
    pub(crate) fn upright(mut image: DynamicImage, orientation: Orientation) -> Self {
        if image.color().has_alpha() {
            image = over_background(&image.into_rgba8()).into();
        }
        image.apply_orientation(orientation);
        let (width, height) = (image.width(), image.height());
        let is_grey = !image.color().has_color();
        let pixels = if is_grey { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() };
        Self { width, height, channels: if is_grey { 1 } else { 3 }, pixels }
    }
}

fn over_background(image: &RgbaImage) -> RgbImage {
    let pixels = image.pixels().flat_map(|pixel| {
        let [red, green, blue, alpha] = pixel.0;
        Rgb([red, green, blue].map(|value| blend(value, alpha))).0
    });
    RgbImage::from_raw(image.width(), image.height(), pixels.collect()).expect("three bytes of each pixel")
}

/// `value` over the background, rounded.
fn blend(value: u8, alpha: u8) -> u8 {
    let [value, alpha, background] = [value, alpha, BACKGROUND].map(u32::from);
    ((value * alpha + background * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageBuffer, Luma, Rgba};

    fn upright(image: impl Into<DynamicImage>) -> Picture {
        Picture::upright(image.into(), Orientation::NoTransforms)
    }

    #[test]
    fn transparent_pixels_are_white() {
        let image = RgbaImage::from_fn(3, 1, |x, _| Rgba([200, 0, 100, [255, 0, 128][x as usize]]));
        let picture = upright(image);
        assert_eq!(picture.pixels, [200, 0, 100, 255, 255, 255, 227, 127, 177]);
    }

    #[test]
    fn sixteen_bits_become_eight_and_grey_stays_grey() {
        let image = ImageBuffer::<Luma<u16>, _>::from_raw(3, 1, vec![0, 0x8080, 0xffff]).unwrap();
        assert_eq!(upright(image), Picture { width: 3, height: 1, channels: 1, pixels: vec![0, 128, 255] });
        let image = ImageBuffer::<Rgb<u16>, _>::from_raw(1, 1, vec![0x1010, 0x8080, 0xffff]).unwrap();
        assert_eq!(upright(image).pixels, [16, 128, 255]);
    }

    #[test]
    fn each_orientation_brings_the_first_row_where_exif_says() {
        // 1 2
        // 3 4
        let image = || GrayImage::from_raw(2, 2, vec![1, 2, 3, 4]).unwrap();
        for (exif, expected) in [
            (1, [1, 2, 3, 4]),
            (2, [2, 1, 4, 3]),
            (3, [4, 3, 2, 1]),
            (4, [3, 4, 1, 2]),
            (5, [1, 3, 2, 4]),
            (6, [3, 1, 4, 2]),
            (7, [4, 2, 3, 1]),
            (8, [2, 4, 1, 3]),
        ] {
            let picture = Picture::upright(image().into(), Orientation::from_exif(exif).unwrap());
            assert_eq!(picture.pixels, expected, "{exif}");
        }
    }
}
