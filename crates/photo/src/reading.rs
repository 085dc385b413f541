// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether this crate or GStreamer reads a file.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use gst::glib;
use gst::prelude::*;
use image::metadata::Orientation;

use crate::error::Error;
use crate::format::{Format, Recognised};
use crate::photo::{Photo, recognise};
use crate::{jpeg, limits, orientation, tiff};

/// Extensions of videos that are JPEG pictures one after another. Of other files, the first picture is the photo.
const JPEG_VIDEO_EXTENSIONS: [&str; 2] = ["mjpg", "mjpeg"];
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// What reads a file.
#[derive(Debug)]
pub enum Reading {
    /// This crate.
    Photo(Photo),
    /// GStreamer: videos, ordinary JPEGs, and formats that this crate does not know.
    Stream(Stream),
}

/// How GStreamer reads a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The format, if the file is a photo in a format that this crate knows.
    pub format: Option<Format>,
    /// Width and height of the stored picture, if they are known.
    pub size: Option<(u32, u32)>,
    /// Number of bytes of the photo, if the decoder must see them in one piece, and nothing that follows.
    pub bytes: Option<u64>,
    /// How the decoded picture is turned upright, besides the tags that GStreamer finds.
    pub orientation: Orientation,
    /// Why this crate does not decode a photo, which is the error if GStreamer does not either.
    pub refused: Option<Error>,
}

impl Reading {
    /// Decides what reads a file.
    ///
    /// # Errors
    /// If the file cannot be read, or is a photo that is damaged, too large, or of a kind that has to be converted first.
    pub fn of(path: &Path) -> Result<Self, Error> {
        match recognise(path)? {
            Recognised::Unread(kind) => Err(Error::Unread(kind)),
            Recognised::Other => Ok(Self::Stream(Stream::default())),
            Recognised::Photo(Format::Jpeg) => of_jpeg(path),
            Recognised::Photo(format) => of_photo(format, path),
        }
    }
}

impl Default for Stream {
    /// A file of which only GStreamer knows what it is.
    fn default() -> Self {
        Self { format: None, size: None, bytes: None, orientation: Orientation::NoTransforms, refused: None }
    }
}

impl Stream {
    fn of(format: Format, path: &Path, size: Option<(u32, u32)>) -> Self {
        Self { format: Some(format), size, orientation: orientation::of_file(path), ..Self::default() }
    }

    /// The tag by which `videoflip` turns the picture upright; `None` if this is left to the tags that GStreamer finds.
    pub fn tag(&self) -> Option<gst::TagList> {
        (self.orientation != Orientation::NoTransforms).then(|| orientation::tag(self.orientation))
    }

    /// The element that reads the file `path`, for a `decodebin`.
    ///
    /// # Errors
    /// If an element is missing.
    pub fn source(&self, path: &Path) -> Result<gst::Element, glib::BoolError> {
        let file = gst::ElementFactory::make("filesrc").property("location", path);
        let Some(((format, bytes), (width, height))) = self.format.zip(self.bytes).zip(self.size) else { return file.build() };
        let file = file.property("blocksize", u32::try_from(bytes).unwrap_or(u32::MAX)).property("num-buffers", 1).build()?;
        // No parser of GStreamer cuts TIFF into pictures or finds their size.
        let caps = gst::Caps::builder(if format == Format::Tiff { "image/tiff" } else { "image/jpeg" });
        let caps = caps.field("width", width as i32).field("height", height as i32).field("framerate", gst::Fraction::new(0, 1)).build();
        let caps = gst::ElementFactory::make("capsfilter").property("caps", caps).build()?;
        // Without it, decodebin would read the file itself and find other caps.
        let queue = gst::ElementFactory::make("queue").property("max-size-bytes", 0_u32).build()?;
        let told = gst::Bin::new();
        told.add_many([&file, &caps, &queue])?;
        gst::Element::link_many([&file, &caps, &queue])?;
        let exit = queue.static_pad("src").ok_or_else(|| glib::bool_error!("a queue has no source pad"))?;
        told.add_pad(&gst::GhostPad::with_target(&exit)?)?;
        Ok(told.upcast())
    }
}

fn of_photo(format: Format, path: &Path) -> Result<Reading, Error> {
    match Photo::open_as(format, path) {
        Ok(photo) => Ok(Reading::Photo(photo)),
        // FFmpeg's decoder knows kinds of TIFF with a palette or with JPEG data.
        Err(error @ Error::Unsupported { format: Format::Tiff, .. }) => {
            let first = File::open(path).ok().and_then(tiff::directory).filter(|first| !first.is_float);
            let size = first.map(|first| (first.width, first.height));
            let Some(size) = size.filter(|(width, height)| *width > 0 && *height > 0) else { return Err(error) };
            limits::check(size.0, size.1)?;
            let bytes = Some(std::fs::metadata(path)?.len());
            Ok(Reading::Stream(Stream { refused: Some(error), bytes, ..Stream::of(format, path, Some(size)) }))
        }
        Err(error) => Err(error),
    }
}

/// GStreamer says what is wrong with a file that has no frame header, or no end.
fn of_jpeg(path: &Path) -> Result<Reading, Error> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let header = jpeg::frame_header(&mut file);
    let size = header.map(|header| (header.width.into(), header.height.into()));
    size.map_or(Ok(()), |(width, height)| limits::check(width, height))?;
    if header.is_some_and(|header| !header.is_ordinary()) {
        return of_photo(Format::Jpeg, path);
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_photo = header.is_some() && !JPEG_VIDEO_EXTENSIONS.contains(&extension.as_str());
    let end = if is_photo { jpeg::length(&mut file).ok() } else { None };
    let file_bytes = file.get_ref().metadata()?.len();
    Ok(Reading::Stream(Stream { bytes: end.filter(|end| *end < file_bytes), ..Stream::of(Format::Jpeg, path, size) }))
}
