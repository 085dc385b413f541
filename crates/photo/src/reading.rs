// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether this crate or GStreamer reads a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use gst::glib;
use gst::prelude::*;
use image::metadata::Orientation;

use crate::error::Error;
use crate::format::{Format, Recognised};
use crate::photo::{Photo, recognise};
use crate::{jpeg, limits, orientation, tiff};

/// Bytes of a JPEG file in which its frame header is. Photos have previews and colour profiles before it.
const MAX_JPEG_HEADER_BYTES: u64 = 1 << 20;

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
        Self { format: None, size: None, orientation: Orientation::NoTransforms, refused: None }
    }
}

impl Stream {
    fn of(format: Format, path: &Path, size: Option<(u32, u32)>) -> Self {
        Self { format: Some(format), size, orientation: orientation::of_file(path), refused: None }
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
        let (Some(Format::Tiff), Some((width, height))) = (self.format, self.size) else { return file.build() };
        // No parser of GStreamer cuts TIFF into pictures or finds their size.
        let bytes = std::fs::metadata(path).map_or(u64::MAX, |found| found.len());
        let file = file.property("blocksize", u32::try_from(bytes).unwrap_or(u32::MAX)).build()?;
        let caps = gst::Caps::builder("image/tiff").field("width", width as i32).field("height", height as i32);
        let caps = caps.field("framerate", gst::Fraction::new(0, 1)).build();
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
            Ok(Reading::Stream(Stream { refused: Some(error), ..Stream::of(format, path, Some(size)) }))
        }
        Err(error) => Err(error),
    }
}

/// GStreamer says what is wrong with a file that has no frame header.
fn of_jpeg(path: &Path) -> Result<Reading, Error> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_JPEG_HEADER_BYTES).read_to_end(&mut bytes)?;
    let header = jpeg::frame_header(&bytes);
    let size = header.map(|header| (header.width.into(), header.height.into()));
    size.map_or(Ok(()), |(width, height)| limits::check(width, height))?;
    if header.is_some_and(|header| !header.is_ordinary()) {
        return of_photo(Format::Jpeg, path);
    }
    Ok(Reading::Stream(Stream::of(Format::Jpeg, path, size)))
}
