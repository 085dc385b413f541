// SPDX-License-Identifier: MIT OR Apache-2.0
//! HEIC and AVIF, by libheif. The library turns and crops pictures as the container says. The Exif orientation repeats that, so
//! it counts only where the container says nothing, as in files of heif-enc 1.15.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage, RgbaImage};
use libheif_rs::{ColorSpace, HeifContext, HeifError, HeifErrorCode, HeifErrorSubCode, ImageHandle, RgbChroma};

use crate::error::Error;
use crate::format::Format;
use crate::limits;

/// The main picture of a HEIF file, opened but not decoded.
pub struct Heif {
    format: Format,
    orientation: Orientation,
    // In the order in which they are dropped: each uses the next.
    handle: ImageHandle,
    _context: HeifContext,
    _bytes: Vec<u8>,
}

impl std::fmt::Debug for Heif {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heif").field("format", &self.format).field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Heif {
    /// Reads the header of a file with these contents.
    ///
    /// # Errors
    /// If it is damaged, or its main picture has too many pixels.
    pub fn open(format: Format, bytes: Vec<u8>) -> Result<Self, Error> {
        let failed = |error| of_library(format, &error);
        // The library keeps a pointer to the bytes, which a move of the vector does not change.
        let context = HeifContext::read_from_bytes(&bytes).map_err(failed)?;
        let handle = context.primary_image_handle().map_err(failed)?;
        limits::check(handle.width(), handle.height())?;
        let orientation = if turns(&bytes) { Orientation::NoTransforms } else { exif_orientation(&handle) };
        Ok(Self { format, orientation, handle, _context: context, _bytes: bytes })
    }

    /// How the picture of the library is turned upright.
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Width and height of the library's picture.
    pub fn size(&self) -> (u32, u32) {
        (self.handle.width(), self.handle.height())
    }

    /// Bits of a sample.
    pub fn bits(&self) -> u8 {
        self.handle.luma_bits_per_pixel()
    }

    /// Decodes the picture, turned as the container says.
    ///
    /// # Errors
    /// If the library has no decoder for it, or it is damaged.
    pub fn decode(&self) -> Result<DynamicImage, Error> {
        let has_alpha = self.handle.has_alpha_channel();
        // These are 8 bits each, also if the file has more.
        let (chroma, channels) = if has_alpha { (RgbChroma::Rgba, 4) } else { (RgbChroma::Rgb, 3) };
        let image = self.handle.decode(ColorSpace::Rgb(chroma), None).map_err(|error| of_library(self.format, &error))?;
        let no_plane = || Error::Damaged { format: self.format, reason: "libheif returned no pixels".into() };
        let plane = image.planes().interleaved.ok_or_else(no_plane)?;
        let row_bytes = plane.width as usize * channels;
        let mut pixels = Vec::with_capacity(row_bytes * plane.height as usize);
        for row in plane.data.chunks(plane.stride.max(1)).take(plane.height as usize) {
            // A row at a time is much faster than a byte at a time.
            pixels.extend_from_slice(row.get(..row_bytes).ok_or_else(no_plane)?);
        }
        let image = if has_alpha {
            RgbaImage::from_raw(plane.width, plane.height, pixels).map(DynamicImage::from)
        } else {
            RgbImage::from_raw(plane.width, plane.height, pixels).map(DynamicImage::from)
        };
        image.ok_or_else(no_plane)
    }
}

/// True if the container says how its picture is turned: its properties, in the box `meta`, have a rotation or a mirroring
/// (ISO/IEC 23008-12, sections 6.5.10 and 6.5.12).
fn turns(bytes: &[u8]) -> bool {
    let properties = bytes.windows(4).position(|name| name == b"ipco").unwrap_or(bytes.len());
    let length = properties.checked_sub(4).and_then(|at| bytes.get(at..at + 4)?.try_into().ok()).map_or(0, u32::from_be_bytes);
    let box_end = properties.saturating_add(length as usize).min(bytes.len());
    bytes[properties..box_end].windows(4).any(|name| name == b"irot" || name == b"imir")
}

fn exif_orientation(handle: &ImageHandle) -> Orientation {
    let mut ids = [0];
    let found = handle.metadata_block_ids(&mut ids, b"Exif");
    let exif = (found > 0).then(|| handle.metadata(ids[0]).ok()).flatten();
    // The entries begin so many bytes after this number.
    let entries = exif.as_deref().and_then(|exif| {
        let (start, rest) = exif.split_first_chunk::<4>()?;
        rest.get(u32::from_be_bytes(*start) as usize..)
    });
    entries.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

fn of_library(format: Format, error: &HeifError) -> Error {
    // Debian 13 has a package for each decoder.
    let package = if format == Format::Avif { "libheif-plugin-dav1d" } else { "libheif-plugin-libde265" };
    let reason = error.message.trim().to_owned();
    match (error.code, error.sub_code) {
        (HeifErrorCode::UnsupportedFeature, HeifErrorSubCode::UnsupportedCodec) | (HeifErrorCode::PluginLoadingError, _) => {
            Error::NoDecoder { format, package }
        }
        (HeifErrorCode::UnsupportedFeature | HeifErrorCode::UnsupportedFileType, _) => Error::Unsupported { format, reason },
        _ => Error::Damaged { format, reason },
    }
}
