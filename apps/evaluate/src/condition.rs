// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions under which a model is measured: degradations of a picture as by webcams, and inaccurate crops as by
//! detectors.

use std::io::Cursor;

use emotion_core::geometry::{Crop, Point, Rect, Size};
use emotion_core::image::resample::{Resampler, Samples};

use crate::dataset::Picture;
use crate::error::Result;

/// A degradation of a picture or of its crop. Lengths are fractions of the height of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// The unchanged picture.
    Clean,
    /// A rectangle is black: its name, then left, top, width and height.
    Covered(&'static str, [f32; 4]),
    /// Differences from the mean of the picture are multiplied by a factor.
    Contrast(f32),
    /// Pixels are multiplied by a factor and clamped to white.
    Brightness(f32),
    /// Each pixel is the mean of a horizontal line of this length.
    MotionBlur(f32),
    /// The picture is compressed as a JPEG with this quality, 1 to 100, at its own size.
    Jpeg(u8),
    /// The picture is resized to this height in pixels, as if the face were farther from the camera.
    Height(u32),
    /// The face is rotated clockwise by this many degrees; the corners repeat the edge.
    Roll(f32),
    /// The crop is inaccurate: its position is off by up to this fraction in each direction, its side length too.
    Jitter(f32),
}

/// The conditions of a report, in its order.
pub const ALL: [Condition; 19] = [
    Condition::Clean,
    Condition::Covered("left half covered", [0.0, 0.0, 0.5, 1.0]),
    Condition::Covered("sunglasses", [0.08, 0.28, 0.84, 0.2]),
    Condition::Covered("mouth covered", [0.2, 0.64, 0.6, 0.26]),
    Condition::Contrast(0.3),
    Condition::Brightness(0.1),
    Condition::Brightness(0.6),
    Condition::Brightness(1.4),
    Condition::MotionBlur(0.19),
    Condition::Jpeg(20),
    Condition::Height(16),
    Condition::Height(24),
    Condition::Height(32),
    Condition::Height(48),
    Condition::Roll(-15.0),
    Condition::Roll(15.0),
    Condition::Roll(-30.0),
    Condition::Roll(30.0),
    Condition::Jitter(0.1),
];

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Clean => write!(f, "clean"),
            Self::Covered(name, _) => write!(f, "{name}"),
            Self::Contrast(factor) => write!(f, "contrast x {factor}"),
            Self::Brightness(factor) => write!(f, "brightness {:+.0} %", (factor - 1.0) * 100.0),
            Self::MotionBlur(length) => write!(f, "motion blur, {:.0} % of the height", length * 100.0),
            Self::Jpeg(quality) => write!(f, "JPEG, quality {quality}"),
            Self::Height(pixels) => write!(f, "{pixels} px high"),
            Self::Roll(degrees) => write!(f, "turned by {degrees:+.0}°"),
            Self::Jitter(max) => write!(f, "crop off by up to {:.0} % in place and size", max * 100.0),
        }
    }
}

impl Condition {
    /// The picture under this condition.
    ///
    /// # Errors
    /// [`Error::Jpeg`](crate::error::Error::Jpeg) if it cannot be encoded as a JPEG.
    pub fn apply(&self, picture: &Picture) -> Result<Picture> {
        Ok(match *self {
            Self::Clean | Self::Roll(_) | Self::Jitter(_) => picture.clone(),
            Self::Covered(_, part) => cover(picture, part),
            Self::Contrast(factor) => contrast(picture, factor),
            Self::Brightness(factor) => map(picture, |value| value * factor),
            Self::MotionBlur(length) => motion_blur(picture, length),
            Self::Jpeg(quality) => through_jpeg(picture, quality)?,
            Self::Height(pixels) => resized(picture, pixels)?,
        })
    }

    /// The crop to classify in a picture of `size`: a square of its height around its centre, changed by conditions of the
    /// crop. `number` is the index of the picture, from which jitter is derived, so that it is reproducible.
    pub fn crop(&self, size: Size, number: usize) -> Crop {
        let (center, side) = (size.rect().center(), size.height as f32);
        let upright = Crop { center, side, roll: 0.0 };
        match *self {
            // A face is rotated clockwise in a crop that is rotated counter-clockwise.
            Self::Roll(degrees) => Crop { roll: -degrees.to_radians(), ..upright },
            Self::Jitter(max) => {
                let [x, y, growth] = [0, 1, 2].map(|axis| max * pseudo_random(number as u64 * 3 + axis));
                Crop { center: Point::new(center.x + x * side, center.y + y * side), side: side * (1.0 + growth), roll: 0.0 }
            }
            _ => upright,
        }
    }
}

/// A hash of `number`, uniformly distributed in -1..1 (the finaliser of SplitMix64).
fn pseudo_random(number: u64) -> f32 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // The top 24 bits, which an `f32` holds exactly.
    ((bits ^ (bits >> 31)) >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
}

fn map(picture: &Picture, value: impl Fn(f32) -> f32) -> Picture {
    let pixels = picture.pixels.iter().map(|&pixel| value(f32::from(pixel)).round() as u8).collect();
    Picture { pixels, ..*picture }
}

fn contrast(picture: &Picture, factor: f32) -> Picture {
    let mean = picture.pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / picture.pixels.len().max(1) as f64;
    map(picture, |value| (value - mean as f32) * factor + mean as f32)
}

fn cover(picture: &Picture, [left, top, width, height]: [f32; 4]) -> Picture {
    let mut picture = picture.clone();
    let of_height = |share: f32| (share * picture.size.height as f32).round() as usize;
    // The face is assumed to be a square in the middle, also in a picture that is wider than high.
    let margin = (picture.size.width as f32 - picture.size.height as f32) / 2.0;
    let of_width = |share: f32| (margin + share * picture.size.height as f32).round().clamp(0.0, picture.size.width as f32) as usize;
    let (columns, rows) = (of_width(left)..of_width(left + width), of_height(top)..of_height(top + height));
    let stride = picture.size.width as usize * picture.channels;
    for y in rows.start..rows.end.min(picture.size.height as usize) {
        picture.pixels[y * stride..][columns.start * picture.channels..columns.end * picture.channels].fill(0);
    }
    picture
}

fn motion_blur(picture: &Picture, length: f32) -> Picture {
    let (width, channels) = (picture.size.width as usize, picture.channels);
    let radius = ((length * picture.size.height as f32 - 1.0) / 2.0).round().max(1.0) as isize;
    let mean = |row: &[u8], x: usize, channel: usize| {
        let taps = (-radius..=radius).map(|step| x.saturating_add_signed(step).min(width - 1));
        let sum: usize = taps.map(|x| usize::from(row[x * channels + channel])).sum();
        let count = 2 * radius as usize + 1;
        ((sum + count / 2) / count) as u8
    };
    let rows = picture.pixels.chunks_exact((width * channels).max(1));
    let pixels = rows.flat_map(|row| (0..row.len()).map(move |i| mean(row, i / channels, i % channels))).collect();
    Picture { pixels, ..*picture }
}

fn through_jpeg(picture: &Picture, quality: u8) -> Result<Picture> {
    let mut file = Vec::new();
    let colour = if picture.channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality).encode(
        &picture.pixels,
        picture.size.width,
        picture.size.height,
        colour,
    )?;
    let decoded = image::ImageReader::with_format(Cursor::new(file), image::ImageFormat::Jpeg).decode()?;
    let pixels = if picture.channels == 1 { decoded.into_luma8().into_raw() } else { decoded.into_rgb8().into_raw() };
    Ok(Picture { pixels, ..*picture })
}

fn resized(picture: &Picture, height: u32) -> Result<Picture> {
    let width = (u64::from(picture.size.width) * u64::from(height)).div_ceil(u64::from(picture.size.height.max(1))) as u32;
    let size = Size::new(width.max(1), height);
    let (channels, columns) = (picture.channels, size.width as usize);
    let mut pixels = vec![0; columns * height as usize * channels];
    let samples = if channels == 1 { Samples::Luma } else { Samples::Rgb };
    let whole: Rect = picture.size.rect();
    Resampler::new().sample(&picture.view()?, whole, size, samples, |y, rows| {
        for (x, pixel) in pixels[y * columns * channels..][..columns * channels].chunks_exact_mut(channels).enumerate() {
            pixel.iter_mut().zip(rows).for_each(|(out, row)| *out = row[x].round() as u8);
        }
    });
    Ok(Picture { size, channels, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 20 x 20 pixels that gets brighter to the right.
    fn ramp(channels: usize) -> Picture {
        let pixels = (0..400).flat_map(|i| vec![(i % 20 * 10) as u8; channels]).collect();
        Picture { size: Size::new(20, 20), channels, pixels }
    }

    #[test]
    fn every_condition_changes_the_picture_or_the_crop() {
        for channels in [1, 3] {
            let picture = ramp(channels);
            for condition in ALL {
                let changed = condition.apply(&picture).unwrap();
                let size = changed.size;
                assert_eq!(changed.pixels.len(), (size.width * size.height) as usize * channels, "{condition}");
                let crop = condition.crop(size, 5);
                let whole = Crop { center: Point::new(10.0, 10.0), side: 20.0, roll: 0.0 };
                assert!(condition == Condition::Clean || changed != picture || crop != whole, "{condition}");
            }
        }
    }

    #[test]
    fn changed_pixels_match_hand_computed_values() {
        let picture = ramp(1);
        let row = |condition: Condition| condition.apply(&picture).unwrap().pixels[..20].to_vec();
        assert_eq!(row(Condition::Covered("", [0.5, 0.0, 0.25, 1.0]))[9..16], [90, 0, 0, 0, 0, 0, 150]);
        assert_eq!(row(Condition::Brightness(1.4))[19], 255, "190 * 1.4 is above white");
        assert_eq!(row(Condition::Contrast(0.5))[..3], [48, 53, 58], "the mean is 95");
        assert_eq!(row(Condition::MotionBlur(0.1))[..3], [3, 10, 20], "the edge is repeated");
        let half = Condition::Height(10).apply(&picture).unwrap();
        assert_eq!((half.size, half.pixels[5]), (Size::new(10, 10), 105));
    }

    #[test]
    fn jitter_is_bounded_and_reproducible() {
        let size = Size::new(100, 100);
        let crops: Vec<_> = (0..500).map(|number| Condition::Jitter(0.1).crop(size, number)).collect();
        assert!(crops.iter().all(|crop| (crop.center.x - 50.0).abs() <= 10.0 && (crop.side - 100.0).abs() <= 10.0));
        let mean = crops.iter().map(|crop| crop.center.y).sum::<f32>() / 500.0;
        assert!((mean - 50.0).abs() < 1.0 && crops.iter().any(|crop| crop.center.x > 58.0));
        assert_eq!(crops[7], Condition::Jitter(0.1).crop(size, 7));
    }

    #[test]
    fn a_wide_picture_is_covered_around_its_centre() {
        let wide = Picture { size: Size::new(40, 20), channels: 1, pixels: vec![9; 800] };
        let covered = Condition::Covered("", [0.0, 0.0, 1.0, 1.0]).apply(&wide).unwrap();
        assert_eq!((covered.pixels[9], covered.pixels[10], covered.pixels[29], covered.pixels[30]), (9, 0, 0, 9));
    }
}
