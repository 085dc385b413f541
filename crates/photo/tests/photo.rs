// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files to pictures. tests/scan/photos.rs of emotion-scan has files of other programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use emotion_photo_reader::limits::{MAX_PIXELS, TooManyPixels};
use emotion_photo_reader::{Error, Format, Orientation, Photo, Picture, Reading};
use image::codecs::gif::GifEncoder;
use image::{Delay, DynamicImage, Frame, GrayImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// A file in the temporary folder that is removed at the end.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, contents: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("emotion-photo-{}-{name}", std::process::id()));
        fs::write(&path, contents).unwrap();
        Self(path)
    }

    fn image(name: &str, format: ImageFormat, image: impl Into<DynamicImage>) -> Self {
        let file = Self::new(name, b"");
        image.into().save_with_format(&file.0, format).unwrap();
        file
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn open(path: &Path) -> Photo {
    Photo::open(path).unwrap().expect("a photo")
}

fn gif(name: &str, delays_ms: &[u32]) -> TemporaryFile {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for (number, delay) in delays_ms.iter().enumerate() {
        let image = RgbaImage::from_pixel(4, 3, Rgba([number as u8 * 100, 0, 0, 255]));
        encoder.encode_frame(Frame::from_parts(image, 0, 0, Delay::from_numer_denom_ms(*delay, 1))).unwrap();
    }
    drop(encoder);
    TemporaryFile::new(name, &bytes)
}

#[test]
fn a_photo_has_one_picture_and_no_time() {
    let image = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8 * 50, y as u8 * 50, 7]));
    for (name, format, expected) in
        [("a.png", ImageFormat::Png, Format::Png), ("a.tif", ImageFormat::Tiff, Format::Tiff), ("a.tga", ImageFormat::Tga, Format::Tga)]
    {
        let file = TemporaryFile::image(name, format, image.clone());
        let mut photo = open(&file.0);
        let facts = photo.facts().clone();
        assert_eq!((facts.format, facts.size, facts.bits, facts.length()), (expected, (3, 2), 8, None));
        let timed = photo.next_picture().unwrap().unwrap();
        assert_eq!((timed.start, timed.duration), (Duration::ZERO, None));
        assert_eq!(timed.picture, Picture { width: 3, height: 2, channels: 3, pixels: image.clone().into_raw() });
        assert_eq!(photo.next_picture(), Ok(None));
    }
}

#[test]
fn an_animation_has_the_times_of_its_file_and_a_single_picture_is_a_photo() {
    let animation = gif("b.gif", &[200, 500, 0]);
    let mut photo = open(&animation.0);
    assert_eq!(photo.facts().length(), Some(Duration::from_millis(800)));
    let times: Vec<_> = std::iter::from_fn(|| photo.next_picture().unwrap()).map(|timed| (timed.start, timed.duration)).collect();
    let expected =
        [(0, 200), (200, 500), (700, 100)].map(|(start, shown)| (Duration::from_millis(start), Some(Duration::from_millis(shown))));
    assert_eq!(times, expected);
    assert_eq!(open(&gif("c.gif", &[200]).0).facts().length(), None);
}

#[test]
fn damaged_files_are_errors_that_name_the_format() {
    let file = TemporaryFile::image("whole.png", ImageFormat::Png, GrayImage::new(200, 100));
    let whole = fs::read(&file.0).unwrap();
    for end in 8..whole.len() - 20 {
        let cut = TemporaryFile::new("cut.png", &whole[..end]);
        let read = Photo::open(&cut.0).and_then(|photo| photo.expect("a photo").next_picture());
        assert!(matches!(read, Err(Error::Damaged { format: Format::Png, .. })), "cut at {end}: {read:?}");
    }
}

#[test]
fn gstreamer_decodes_ordinary_jpegs_and_this_crate_other_photos() {
    let jpeg = TemporaryFile::image("a.jpg", ImageFormat::Jpeg, RgbImage::new(16, 8));
    let Ok(Reading::Stream(stream)) = Reading::of(&jpeg.0) else { panic!("a photo for GStreamer") };
    assert_eq!((stream.format, stream.size, stream.orientation), (Some(Format::Jpeg), Some((16, 8)), Orientation::NoTransforms));
    let bmp = TemporaryFile::image("a.bmp", ImageFormat::Bmp, RgbImage::new(16, 8));
    assert!(matches!(Reading::of(&bmp.0), Ok(Reading::Photo(_))));
    let text = TemporaryFile::new("a.txt", b"text");
    assert!(matches!(Reading::of(&text.0), Ok(Reading::Stream(stream)) if stream.format.is_none()));
    assert!(Photo::open(&text.0).unwrap().is_none());
    assert!(matches!(Reading::of(Path::new("/nowhere.png")), Err(Error::Io { kind: std::io::ErrorKind::NotFound, .. })));
}

#[test]
fn what_follows_a_jpeg_picture_is_not_part_of_it() {
    let jpeg = TemporaryFile::image("first.jpg", ImageFormat::Jpeg, RgbImage::new(16, 8));
    let first = fs::read(&jpeg.0).unwrap();
    let bytes = |name: &str, behind: &[u8]| {
        let file = TemporaryFile::new(name, &[&first, behind].concat());
        let Ok(Reading::Stream(stream)) = Reading::of(&file.0) else { panic!("a photo for GStreamer") };
        stream.bytes
    };
    assert_eq!(bytes("a.jpg", b""), None);
    assert_eq!(bytes("b.jpg", &first), Some(first.len() as u64), "another picture");
    assert_eq!(bytes("c.jpg", b"\0\0\0\x18ftypmp42"), Some(first.len() as u64), "a film");
    assert_eq!(bytes("d.mjpeg", &first), None, "all pictures of a video");
}

#[test]
fn the_size_of_a_jpeg_is_checked_before_gstreamer_decodes_it() {
    // The frame header, at once or behind a colour profile of more than a megabyte.
    let header = [0xff, 0xc0, 0, 11, 8, 0xff, 0xff, 0xff, 0xff, 1, 1, 0x11, 0];
    let part = [&[0xff, 0xe2, 0xff, 0xff][..], &[0; 65_533]].concat();
    for profile in [Vec::new(), part.repeat(20)] {
        let file = TemporaryFile::new("large.jpg", &[&[0xff, 0xd8][..], &profile, &header].concat());
        assert_eq!(
            Reading::of(&file.0).unwrap_err(),
            Error::TooManyPixels(TooManyPixels { max: MAX_PIXELS, width: 65_535, height: 65_535 })
        );
    }
}

#[cfg(not(feature = "heif"))]
#[test]
fn without_libheif_the_error_names_the_feature() {
    let file = TemporaryFile::new("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    let error = Photo::open(&file.0).unwrap_err();
    assert_eq!(error, Error::BuiltWithout(Format::Heic));
    assert!(error.to_string().contains("--features heif"), "{error}");
}

#[cfg(feature = "heif")]
#[test]
fn a_damaged_heic_is_an_error() {
    let file = TemporaryFile::new("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x10meta");
    let error = Photo::open(&file.0).unwrap_err();
    assert!(matches!(error, Error::Damaged { format: Format::Heic, .. }), "{error:?}");
}
