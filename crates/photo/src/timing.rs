// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long each picture of an animation is shown. Only the structure of the file is read; nothing is decoded.

use std::time::Duration;

use crate::format::Format;

/// Delays up to this one mean that the picture is shown for [`USUAL`], as in browsers.
const TOO_SHORT: Duration = Duration::from_millis(10);
/// How long a picture without a usable delay is shown.
pub const USUAL: Duration = Duration::from_millis(100);

/// How long each picture of an animation is shown; one or none if the file has a single picture.
pub fn durations(format: Format, bytes: &[u8]) -> Vec<Duration> {
    let found = match format {
        Format::Gif => gif(bytes),
        Format::WebP => webp(bytes),
        Format::Png => png(bytes),
        _ => Vec::new(),
    };
    found.into_iter().map(|shown| if shown <= TOO_SHORT { USUAL } else { shown }).collect()
}

/// The delay in the graphic control extension before each image (GIF 89a, sections 20 and 23).
fn gif(bytes: &[u8]) -> Vec<Duration> {
    let mut found = Vec::new();
    let mut delay = Duration::ZERO;
    let mut walk = Walk { bytes, at: 13 + color_table(bytes.get(10)) };
    while let Some(block) = walk.byte() {
        match block {
            0x21 if walk.byte() == Some(0xf9) => {
                delay = walk.little_endian(2, 2).map_or(delay, |hundredths| Duration::from_millis(10 * hundredths))
            }
            0x21 => {}
            0x2c => {
                // The image's place and size, its colours, and the size of its codes.
                walk.at += 9 + color_table(bytes.get(walk.at + 8)) + 1;
                found.push(std::mem::take(&mut delay));
            }
            _ => break,
        }
        while let Some(length @ 1..) = walk.byte() {
            walk.at += usize::from(length);
        }
    }
    found
}

/// Bytes of the table of colours that a field of flags announces.
fn color_table(flags: Option<&u8>) -> usize {
    flags.filter(|flags| *flags & 0x80 != 0).map_or(0, |flags| 3 << ((flags & 7) + 1))
}

/// The duration in each `ANMF` chunk (RFC 9649, section 2.7.1.1).
fn webp(bytes: &[u8]) -> Vec<Duration> {
    let mut found = Vec::new();
    let mut walk = Walk { bytes, at: 12 };
    while let (Some(name), Some(length)) = (bytes.get(walk.at..walk.at + 4), walk.little_endian(4, 4)) {
        if name == b"ANMF" {
            found.extend(walk.little_endian(8 + 12, 3).map(Duration::from_millis));
        }
        // Chunks have an even length.
        walk.at = walk.at.saturating_add(8).saturating_add((length as usize).next_multiple_of(2));
    }
    found
}

/// The delay in each `fcTL` chunk (PNG, third edition, section 11.3.6.2).
fn png(bytes: &[u8]) -> Vec<Duration> {
    let mut found = Vec::new();
    let mut at = 8_usize;
    while let Some(&[a, b, c, d, ref name @ ..]) = bytes.get(at..at + 8) {
        if name == b"fcTL" {
            found.extend(bytes.get(at + 28..at + 32).map(|delay| fraction([delay[0], delay[1]], [delay[2], delay[3]])));
        }
        at = at.saturating_add(12).saturating_add(u32::from_be_bytes([a, b, c, d]) as usize);
    }
    found
}

/// A fraction of a second; the denominator 0 means hundredths.
fn fraction(numerator: [u8; 2], denominator: [u8; 2]) -> Duration {
    let (numerator, denominator) = (u16::from_be_bytes(numerator), u16::from_be_bytes(denominator));
    Duration::from_secs(numerator.into()) / u32::from(if denominator == 0 { 100 } else { denominator })
}

/// A place in the bytes of a file.
#[derive(Debug)]
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// A number of `length` bytes, `after` bytes from here.
    fn little_endian(&self, after: usize, length: usize) -> Option<u64> {
        let start = self.at.checked_add(after)?;
        let bytes = self.bytes.get(start..start.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(format: Format, bytes: &[u8]) -> Vec<u128> {
        durations(format, bytes).iter().map(Duration::as_millis).collect()
    }

    /// An image of a GIF file, shown for this number of hundredths.
    fn image(hundredths: u8) -> Vec<u8> {
        let control = [0x21, 0xf9, 4, 0, hundredths, 0, 0, 0];
        [&control[..], &[0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]].concat()
    }

    #[test]
    fn gif_has_a_delay_before_each_image() {
        let start = [&b"GIF89a\x01\0\x01\0\x80\0\0"[..], &[0; 6], b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"].concat();
        let file = |images: &[Vec<u8>]| [start.clone(), images.concat(), vec![0x3b]].concat();
        assert_eq!(milliseconds(Format::Gif, &file(&[image(20), image(1), image(0)])), [200, 100, 100]);
        assert_eq!(milliseconds(Format::Gif, &file(&[image(0)])), [100], "a single picture");
        let whole = file(&[image(20), image(20)]);
        (0..whole.len()).for_each(|end| assert!(durations(Format::Gif, &whole[..end]).len() <= 2, "cut at {end}"));
    }

    #[test]
    fn webp_has_a_duration_in_each_chunk_of_a_frame() {
        let frame = |ms: u8| [&b"ANMF\x11\0\0\0"[..], &[0; 12], &[ms, 1, 0, 0, 7, 0]].concat();
        let file = [&b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0"[..], &[0; 10], &frame(0), &frame(44)].concat();
        assert_eq!(milliseconds(Format::WebP, &file), [256, 300]);
    }

    #[test]
    fn png_has_a_fraction_of_a_second_in_each_frame_control() {
        let control = |delay: [u8; 4]| [&b"\0\0\0\x1afcTL"[..], &[0; 20], &delay, &[0; 2], b"CRC."].concat();
        let file = [&b"\x89PNG\r\n\x1a\n\0\0\0\x01tEXtx...."[..], &control([0, 1, 0, 5]), &control([0, 30, 0, 0])].concat();
        assert_eq!(milliseconds(Format::Png, &file), [200, 300]);
    }
}
