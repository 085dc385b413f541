// SPDX-License-Identifier: MIT OR Apache-2.0
//! A photo or animation to its pictures, each decoded when it is asked for.

use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageError, ImageReader};

use crate::error::Error;
use crate::format::{self, Format, Recognised};
#[cfg(feature = "heif")]
use crate::heif::Heif;
use crate::picture::Picture;
use crate::{limits, orientation, tiff, timing};

/// What a photo is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its format.
    pub format: Format,
    /// Width and height of the upright picture, in pixels.
    pub size: (u32, u32),
    /// How the stored picture is turned upright. The decoder of HEIF files has done that already, except where only Exif says it.
    pub orientation: Orientation,
    /// Bits of a sample in the file.
    pub bits: u8,
    /// How long each picture of an animation is shown; empty for a photo.
    pub durations: Vec<Duration>,
}

impl Facts {
    /// Length of an animation; `None` for a photo.
    pub fn length(&self) -> Option<Duration> {
        (!self.durations.is_empty()).then(|| self.durations.iter().sum())
    }
}

/// A picture with its place in an animation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// The picture.
    pub picture: Picture,
    /// When it appears; 0 in a photo.
    pub start: Duration,
    /// How long it is shown; `None` for a photo.
    pub duration: Option<Duration>,
}

impl Timed {
    /// A photo, which has no place in time.
    pub fn photo(picture: Picture) -> Self {
        Self { picture, start: Duration::ZERO, duration: None }
    }
}

/// A photo or an animation, opened but not decoded.
pub struct Photo {
    facts: Facts,
    pictures: Pictures,
    /// Number of pictures so far, and the time of the next one.
    next: (usize, Duration),
}

/// What the pictures come from. A photo has none after its picture.
enum Pictures {
    Still(Box<dyn ImageDecoder>),
    Animation(Box<dyn Iterator<Item = Result<image::Frame, ImageError>>>),
    #[cfg(feature = "heif")]
    Heif(Heif),
    Ended,
}

impl std::fmt::Debug for Photo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Photo").field("facts", &self.facts).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Photo {
    /// Opens a photo in any format that this crate decodes; `None` if the file is something else.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, has too many pixels, or is of a kind that has to be converted first.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        match recognise(path)? {
            Recognised::Photo(format) => Self::open_as(format, path).map(Some),
            Recognised::Unread(kind) => Err(Error::Unread(kind)),
            Recognised::Other => Ok(None),
        }
    }

    /// Opens a file that has been recognised as `format`.
    ///
    /// # Errors
    /// Those of [`Photo::open`].
    pub fn open_as(format: Format, path: &Path) -> Result<Self, Error> {
        guarded(format, || match format.of_image() {
            Some(decoders) => open_image(format, decoders, path),
            None => open_heif(format, fs::read(path)?),
        })
    }

    /// What it is.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The next picture; `None` after the last one.
    ///
    /// # Errors
    /// If it is damaged, or there is no decoder for it.
    pub fn next_picture(&mut self) -> Result<Option<Timed>, Error> {
        let (format, size, orientation) = (self.facts.format, self.facts.size, self.facts.orientation);
        let failed = |error| Error::of_decoder(format, error, size);
        let image = guarded(format, || match std::mem::replace(&mut self.pictures, Pictures::Ended) {
            Pictures::Still(decoder) => DynamicImage::from_decoder(decoder).map(Some).map_err(failed),
            #[cfg(feature = "heif")]
            Pictures::Heif(heif) => heif.decode().map(Some),
            Pictures::Animation(mut frames) => {
                let frame = frames.next().transpose().map_err(failed)?;
                self.pictures = Pictures::Animation(frames);
                Ok(frame.map(|frame| frame.into_buffer().into()))
            }
            Pictures::Ended => Ok(None),
        })?;
        Ok(image.map(|image| self.timed(Picture::upright(image, orientation))))
    }

    fn timed(&mut self, picture: Picture) -> Timed {
        let (number, start) = self.next;
        let is_animation = !self.facts.durations.is_empty();
        let duration = is_animation.then(|| self.facts.durations.get(number).copied().unwrap_or(timing::USUAL));
        self.next = (number + 1, start + duration.unwrap_or_default());
        Timed { picture, start, duration }
    }
}

/// Tells what a file is.
///
/// # Errors
/// If it cannot be read.
pub fn recognise(path: &Path) -> Result<Recognised, Error> {
    let mut header = Vec::new();
    let mut file = File::open(path)?;
    file.by_ref().take(format::HEADER_BYTES as u64).read_to_end(&mut header)?;
    let recognised = format::recognise(&header, path);
    let is_preview = recognised == Recognised::Photo(Format::Tiff) && tiff::directory(file).is_some_and(|first| first.is_preview);
    Ok(if is_preview { Recognised::Unread(format::RAW) } else { recognised })
}

/// Turns a panic of a decoder into an error: a single damaged file must not end a scan of many.
fn guarded<T>(format: Format, decode: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let panicked = |_| Err(Error::Damaged { format, reason: "its decoder has failed".into() });
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(panicked)
}

fn open_image(format: Format, decoders: image::ImageFormat, path: &Path) -> Result<Photo, Error> {
    let failed = |error| Error::of_decoder(format, error, (0, 0));
    let mut reader = ImageReader::with_format(BufReader::new(File::open(path)?), decoders);
    // Checked below, with the size in the message.
    reader.no_limits();
    let mut decoder: Box<dyn ImageDecoder> = Box::new(reader.into_decoder().map_err(failed)?);
    let (width, height) = decoder.dimensions();
    limits::check(width, height)?;
    let is_too_large = decoder.total_bytes() > limits::MAX_BYTES || decoder.set_limits(limits::of_decoders()).is_err();
    (!is_too_large).then_some(()).ok_or(Error::TooManyBytes { width, height })?;
    // A photo with damaged metadata can still be looked at. ImageMagick writes the metadata of a PNG behind the pixels, where the decoder does
    // not look.
    let found = decoder.orientation().ok().filter(|found| *found != Orientation::NoTransforms);
    let orientation = found.unwrap_or_else(|| orientation::of_file(path));
    let color = decoder.original_color_type();
    let bits = u8::try_from(color.bits_per_pixel() / u16::from(color.channel_count()).max(1)).unwrap_or(u8::MAX);
    let size = upright((width, height), orientation);
    let mut photo = Photo {
        facts: Facts { format, size, orientation, bits, durations: Vec::new() },
        pictures: Pictures::Still(decoder),
        next: (0, Duration::ZERO),
    };
    if let Some((durations, frames)) = animation(format, path)? {
        (photo.facts.durations, photo.pictures) = (durations, Pictures::Animation(frames));
    }
    Ok(photo)
}

#[cfg(feature = "heif")]
fn open_heif(format: Format, bytes: Vec<u8>) -> Result<Photo, Error> {
    let heif = Heif::open(format, bytes)?;
    let facts = Facts {
        format,
        size: upright(heif.size(), heif.orientation()),
        orientation: heif.orientation(),
        bits: heif.bits(),
        durations: Vec::new(),
    };
    Ok(Photo { facts, pictures: Pictures::Heif(heif), next: (0, Duration::ZERO) })
}

#[cfg(not(feature = "heif"))]
fn open_heif(format: Format, _bytes: Vec<u8>) -> Result<Photo, Error> {
    Err(Error::BuiltWithout(format))
}

type Frames = Box<dyn Iterator<Item = Result<image::Frame, ImageError>>>;

/// The pictures of an animation with how long each is shown; `None` if the file has a single picture.
fn animation(format: Format, path: &Path) -> Result<Option<(Vec<Duration>, Frames)>, Error> {
    if !may_be_animated(format, path)? {
        return Ok(None);
    }
    let bytes = fs::read(path)?;
    let durations = timing::durations(format, &bytes);
    if durations.len() < 2 || !is_supported(format, &bytes) {
        return Ok(None);
    }
    let bytes = Cursor::new(bytes);
    let frames = match format {
        Format::Gif => limited(GifDecoder::new(bytes)).map(AnimationDecoder::into_frames),
        Format::WebP => limited(WebPDecoder::new(bytes)).map(AnimationDecoder::into_frames),
        _ => limited(PngDecoder::new(bytes)).and_then(|decoder| Ok(decoder.apng()?.into_frames())),
    };
    let frames: Frames = Box::new(frames.map_err(|error| Error::of_decoder(format, error, (0, 0)))?);
    Ok(Some((durations, frames)))
}

/// The decoder of animated PNG knows 8 bits only. Of other files, the first picture is a photo.
fn is_supported(format: Format, bytes: &[u8]) -> bool {
    let color = || PngDecoder::new(Cursor::new(bytes)).map(|decoder| decoder.color_type());
    format != Format::Png || color().is_ok_and(|color| color.bytes_per_pixel() == color.channel_count())
}

fn limited<D: ImageDecoder>(decoder: Result<D, ImageError>) -> Result<D, ImageError> {
    let mut decoder = decoder?;
    decoder.set_limits(limits::of_decoders())?;
    Ok(decoder)
}

/// True if the file has to be read further to know whether it is an animation. Large PNG files without one are not.
fn may_be_animated(format: Format, path: &Path) -> Result<bool, Error> {
    let mut file = BufReader::new(File::open(path)?);
    file.rewind()?;
    Ok(match format {
        Format::Gif => true,
        Format::WebP => WebPDecoder::new(file).is_ok_and(|decoder| decoder.has_animation()),
        Format::Png => PngDecoder::new(file).is_ok_and(|decoder| decoder.is_apng().unwrap_or(false)),
        _ => false,
    })
}

/// The size of a picture after it was turned.
fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let lies = matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    if lies { (height, width) } else { (width, height) }
}
