// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells the formats of photos by their first bytes, and by the file's extension where a format has no signature.

use std::fmt;
use std::path::Path;

/// Bytes at the start of a file by which it is recognised.
pub const HEADER_BYTES: usize = 4096;

/// A format of photos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG, also animated.
    Png,
    /// GIF, also animated.
    Gif,
    /// WebP, also animated.
    WebP,
    /// TIFF.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// Truevision TGA.
    Tga,
    /// Portable bitmap, greymap and pixmap.
    Pnm,
    /// Windows icon.
    Ico,
    /// QOI.
    Qoi,
    /// Farbfeld.
    Farbfeld,
    /// DirectDraw surface.
    Dds,
    /// HEIF with H.265, the format of iPhones.
    Heic,
    /// HEIF with AV1.
    Avif,
}

/// A photo of a kind that no decoder here reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What it is.
    pub found: &'static str,
    /// A program that converts it.
    pub tool: &'static str,
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// A photo in this format.
    Photo(Format),
    /// A photo that has to be converted first.
    Unread(Unread),
    /// Neither.
    Other,
}

/// Raw data of a camera.
pub(crate) const RAW: Unread = Unread { found: "the raw data of a camera's sensor", tool: "darktable-cli" };
const JPEG_XL: Unread = Unread { found: "JPEG XL", tool: "djxl" };

const fn for_imagemagick(found: &'static str) -> Unread {
    Unread { found, tool: "ImageMagick" }
}

/// Signatures of photos that have to be converted first. GStreamer has decoders for some, and does not find the size of their
/// pictures.
const UNREAD: [(&[u8], Unread); 13] = [
    (b"\xff\x0a", JPEG_XL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"8BPS\0\x01", for_imagemagick("a Photoshop document")),
    (b"#?RADIANCE\n", for_imagemagick("a Radiance HDR photo")),
    (b"#?RGBE\n", for_imagemagick("a Radiance HDR photo")),
    (b"PF\n", for_imagemagick("a portable float map")),
    (b"Pf\n", for_imagemagick("a portable float map")),
    (b"SDPX", for_imagemagick("a DPX film scan")),
    (b"XPDS", for_imagemagick("a DPX film scan")),
    (b"SIMPLE  = ", for_imagemagick("a FITS file")),
    (b"\x01\xda\0\x01\0", for_imagemagick("an SGI picture")),
    (b"\x01\xda\x01\x01\0", for_imagemagick("an SGI picture")),
    (b"\x59\xa6\x6a\x95", for_imagemagick("a Sun raster file")),
];

/// Extensions of files with raw data of cameras. Some of these files begin like TIFF and would yield their small preview.
const RAW_EXTENSIONS: [&str; 15] =
    ["3fr", "arw", "cr2", "cr3", "dng", "erf", "iiq", "kdc", "nef", "nrw", "orf", "pef", "raf", "rw2", "srw"];
/// Signatures of formats, as many bytes as are unambiguous.
const SIGNATURES: [(&[u8], Format); 11] = [
    (b"\xff\xd8\xff", Format::Jpeg),
    (b"\x89PNG\r\n\x1a\n", Format::Png),
    (b"GIF87a", Format::Gif),
    (b"GIF89a", Format::Gif),
    (b"II*\0", Format::Tiff),
    (b"MM\0*", Format::Tiff),
    // With 64-bit places.
    (b"II+\0", Format::Tiff),
    (b"MM\0+", Format::Tiff),
    (b"qoif", Format::Qoi),
    (b"farbfeld", Format::Farbfeld),
    (b"DDS |\0\0\0", Format::Dds),
];
/// Formats whose signature is too short, or that have none.
const EXTENSIONS: [(&[&str], &[u8], Format); 3] = [
    (&["tga", "icb", "vda", "vst"], b"", Format::Tga),
    (&["pbm", "pgm", "ppm", "pnm", "pam"], b"P", Format::Pnm),
    (&["ico", "cur"], b"\0\0", Format::Ico),
];
/// Sizes of the second header of Windows bitmaps.
const BMP_HEADERS: [u32; 7] = [12, 40, 52, 56, 64, 108, 124];
/// Main brands of HEIF files. The last four are for sequences, which also have a main picture.
const HEIF_BRANDS: [&[u8; 4]; 12] =
    [b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif", b"miaf", b"avis", b"hevc", b"hevx", b"msf1"];

impl Format {
    /// Its name, as in tables and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
            Self::Tga => "TGA",
            Self::Pnm => "PNM",
            Self::Ico => "ICO",
            Self::Qoi => "QOI",
            Self::Farbfeld => "Farbfeld",
            Self::Dds => "DDS",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
        }
    }

    /// The format for decoders of the crate `image`; `None` for the formats of libheif.
    pub(crate) fn of_image(self) -> Option<image::ImageFormat> {
        Some(match self {
            Self::Jpeg => image::ImageFormat::Jpeg,
            Self::Png => image::ImageFormat::Png,
            Self::Gif => image::ImageFormat::Gif,
            Self::WebP => image::ImageFormat::WebP,
            Self::Tiff => image::ImageFormat::Tiff,
            Self::Bmp => image::ImageFormat::Bmp,
            Self::Tga => image::ImageFormat::Tga,
            Self::Pnm => image::ImageFormat::Pnm,
            Self::Ico => image::ImageFormat::Ico,
            Self::Qoi => image::ImageFormat::Qoi,
            Self::Farbfeld => image::ImageFormat::Farbfeld,
            Self::Dds => image::ImageFormat::Dds,
            Self::Heic | Self::Avif => return None,
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Tells what a file is by its first bytes, up to [`HEADER_BYTES`] of them, and by its name.
pub fn recognise(header: &[u8], path: &Path) -> Recognised {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let by_signature = SIGNATURES.iter().find(|(signature, _)| header.starts_with(signature)).map(|(_, format)| *format);
    let format = by_signature.or_else(|| webp(header)).or_else(|| bmp(header)).or_else(|| heif(header));
    match format {
        Some(Format::Jpeg) => Recognised::Photo(Format::Jpeg),
        _ if RAW_EXTENSIONS.contains(&extension.as_str()) => Recognised::Unread(RAW),
        Some(format) => Recognised::Photo(format),
        None => unread(header).or_else(|| by_extension(header, &extension)).unwrap_or(Recognised::Other),
    }
}

fn webp(header: &[u8]) -> Option<Format> {
    (header.starts_with(b"RIFF") && header.get(8..12) == Some(b"WEBP")).then_some(Format::WebP)
}

/// Two letters begin many texts, so the size of the second header has to fit as well.
fn bmp(header: &[u8]) -> Option<Format> {
    let second: [u8; 4] = header.get(14..18)?.try_into().ok()?;
    (header.starts_with(b"BM") && BMP_HEADERS.contains(&u32::from_le_bytes(second))).then_some(Format::Bmp)
}

/// The first box of a HEIF file lists brands (ISO/IEC 14496-12, section 4.3).
fn heif(header: &[u8]) -> Option<Format> {
    let length = u32::from_be_bytes(header.get(..4)?.try_into().ok()?) as usize;
    (header.get(4..8)? == b"ftyp").then_some(())?;
    let brands = header.get(8..length.min(header.len()))?;
    let has = |known: &[u8; 4]| brands.chunks_exact(4).any(|brand| brand == known);
    let is_photo = HEIF_BRANDS.iter().any(|known| brands.starts_with(*known));
    is_photo.then(|| if has(b"avif") || has(b"avis") { Format::Avif } else { Format::Heic })
}

fn unread(header: &[u8]) -> Option<Recognised> {
    let is_pcx = matches!(header, [0x0a, 0 | 2..=5, 1, 1 | 2 | 4 | 8, ..]);
    let pcx = is_pcx.then_some(for_imagemagick("a PCX picture"));
    pcx.or_else(|| UNREAD.iter().find(|(signature, _)| header.starts_with(signature)).map(|(_, kind)| *kind)).map(Recognised::Unread)
}

fn by_extension(header: &[u8], extension: &str) -> Option<Recognised> {
    let fits = |(names, start, _): &&(&[&str], &[u8], Format)| names.contains(&extension) && header.starts_with(start);
    EXTENSIONS.iter().find(fits).map(|(_, _, format)| Recognised::Photo(*format))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &[u8], name: &str) -> Recognised {
        recognise(header, Path::new(name))
    }

    #[test]
    fn contents_count_more_than_names() {
        assert_eq!(of(b"\xff\xd8\xff\xe0", "a.png"), Recognised::Photo(Format::Jpeg));
        assert_eq!(of(b"RIFF\0\0\0\0WEBPVP8 ", "a"), Recognised::Photo(Format::WebP));
        assert_eq!(of(b"RIFF\0\0\0\0AVI LIST", "a.webp"), Recognised::Other);
        assert_eq!(of(b"II*\0\x08\0\0\0", "a.tif"), Recognised::Photo(Format::Tiff));
    }

    #[test]
    fn texts_are_not_photos() {
        for (text, name) in [("BMW builds cars and motorcycles.", "a.txt"), ("P1 is the first", "a.txt"), ("", "a.jpg"), ("GIF", "a.gif")] {
            assert_eq!(of(text.as_bytes(), name), Recognised::Other, "{text}");
        }
        assert_eq!(of(b"P5\n2 2\n255\n", "a.pgm"), Recognised::Photo(Format::Pnm));
    }

    #[test]
    fn brands_tell_heic_avif_and_videos_apart() {
        let header = |brands: &str| [&(8 + brands.len() as u32).to_be_bytes()[..], b"ftyp", brands.as_bytes()].concat();
        for (brands, expected) in [
            ("heic\0\0\0\0mif1heic", Recognised::Photo(Format::Heic)),
            ("mif1\0\0\0\0mif1heic", Recognised::Photo(Format::Heic)),
            ("avif\0\0\0\0avifmif1", Recognised::Photo(Format::Avif)),
            ("mif1\0\0\0\0mif1avif", Recognised::Photo(Format::Avif)),
            ("isom\0\0\0\0isommp42", Recognised::Other),
            ("qt  \0\0\0\0qt  ", Recognised::Other),
            ("avis\0\0\0\0avismsf1", Recognised::Photo(Format::Avif)),
        ] {
            assert_eq!(of(&header(brands), "a.heic"), expected, "{brands}");
        }
    }

    #[test]
    fn photos_that_have_to_be_converted_are_named() {
        assert_eq!(of(b"\xff\x0a\0\0", "a.jxl"), Recognised::Unread(JPEG_XL));
        assert_eq!(of(b"II*\0\x10\0\0\0CR\x02\0", "a.CR2"), Recognised::Unread(RAW));
        assert_eq!(of(b"FUJIFILMCCD-RAW", "a.raf"), Recognised::Unread(RAW));
    }
}
