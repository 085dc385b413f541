// SPDX-License-Identifier: MIT OR Apache-2.0
//! A video or picture whose faces are read as JPEG pictures.

use std::path::{Path, PathBuf};

use emotion_supervise::decoding::{link_default_video, video_decoder};
use gst::prelude::*;

use crate::crop::Borders;
use crate::error::Error;

/// Width of a picture in pixels.
const PICTURE_WIDTH: u32 = 240;
const OPEN_TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(60);
const FRAME_TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(10);
/// Turns decoded frames upright.
const UPRIGHT: &str = "videoconvert name=upright ! videoflip video-direction=auto ! videoconvert";
/// Cuts a face out of a frame.
const CUT: &str = "videocrop name=crop ! videoscale add-borders=false ! capsfilter name=size ! jpegenc quality=85 ! \
    appsink name=out sync=false";

/// An open file.
#[derive(Debug)]
pub(crate) struct Video {
    pub(crate) path: PathBuf,
    /// 0 for a picture.
    pub(crate) length_ns: u64,
    size: (i32, i32),
    opened: Opened,
}

/// A pipeline that shows the frame at its position.
#[derive(Debug)]
struct Opened {
    pipeline: gst::Pipeline,
    crop: gst::Element,
    out: gst_app::AppSink,
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Only a failing element refuses to stop, and nothing more is asked of it.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Video {
    /// Opens a file.
    ///
    /// # Errors
    /// If there is no such file, GStreamer cannot read it, or it is a video that cannot be searched.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if !path.is_file() {
            return Err(Error::NoVideo { path: path.to_owned() });
        }
        let opened = Opened::new(path, Borders::default())?;
        let size = opened.frame_size().ok_or_else(|| unreadable(path, "it has no pictures"))?;
        let length_ns = match opened.pipeline.query_duration::<gst::ClockTime>() {
            _ if opened.is_picture() => 0,
            Some(length) if !length.is_zero() => length.nseconds(),
            _ => return Err(Error::NotSeekable { path: path.to_owned() }),
        };
        Ok(Self { path: path.to_owned(), length_ns, size, opened })
    }

    /// The face in `rect_norm` of the frame at `time_ns`; none after the end. A picture has one frame for all times.
    ///
    /// # Errors
    /// If GStreamer cannot read the frame.
    pub(crate) fn jpeg(&mut self, time_ns: u64, rect_norm: [f32; 4]) -> Result<Option<Vec<u8>>, Error> {
        let borders = Borders::around(rect_norm, self.size);
        if self.length_ns == 0 {
            // A picture cannot be sought.
            self.opened = Opened::new(&self.path, borders)?;
        } else {
            self.opened.cut(borders);
            let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
            if self.opened.pipeline.seek_simple(flags, gst::ClockTime::from_nseconds(time_ns)).is_err() {
                return Ok(None);
            }
            self.opened.wait(&self.path)?;
        }
        let sample = self.opened.out.try_pull_preroll(FRAME_TIMEOUT);
        let buffer = sample.as_ref().and_then(|sample| sample.buffer());
        Ok(buffer.and_then(|buffer| buffer.map_readable().ok()).map(|map| map.to_vec()))
    }
}

impl Opened {
    fn new(path: &Path, borders: Borders) -> Result<Self, Error> {
        let pipeline = pipeline(path, CUT)?;
        let element = |name: &str| pipeline.by_name(name).expect("an element of the line");
        let shape = gst::Fraction::new(1, 1);
        let caps = gst::Caps::builder("video/x-raw").field("width", PICTURE_WIDTH as i32).field("pixel-aspect-ratio", shape).build();
        element("size").set_property("caps", caps);
        let out = element("out").downcast::<gst_app::AppSink>().expect("an appsink");
        let opened = Self { crop: element("crop"), out, pipeline };
        opened.cut(borders);
        // The reason of a failure is on the bus.
        let _ = opened.pipeline.set_state(gst::State::Paused);
        opened.wait(path)?;
        Ok(opened)
    }

    fn cut(&self, borders: Borders) {
        let Borders { left, right, top, bottom } = borders;
        for (side, pixels) in [("left", left), ("right", right), ("top", top), ("bottom", bottom)] {
            self.crop.set_property(side, pixels);
        }
    }

    /// Waits until the file is open, or a seek has finished.
    fn wait(&self, path: &Path) -> Result<(), Error> {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let types = [gst::MessageType::Error, gst::MessageType::AsyncDone];
        let Some(message) = bus.timed_pop_filtered(OPEN_TIMEOUT, &types) else {
            return Err(unreadable(path, &format!("no answer within {} s", OPEN_TIMEOUT.seconds())));
        };
        match message.view() {
            gst::MessageView::Error(error) => Err(unreadable(path, error.error().message())),
            _ => Ok(()),
        }
    }

    /// Width and height of the frames, upright.
    fn frame_size(&self) -> Option<(i32, i32)> {
        let caps = self.crop.static_pad("sink")?.current_caps()?;
        let frame = caps.structure(0)?;
        Some((frame.get("width").ok()?, frame.get("height").ok()?))
    }

    fn is_picture(&self) -> bool {
        let caps = self.pipeline.by_name("typefind").map(|typefind| typefind.property::<Option<gst::Caps>>("caps"));
        caps.flatten().and_then(|caps| caps.structure(0).map(|format| format.name().starts_with("image/"))).unwrap_or(false)
    }
}

/// A pipeline that decodes the default video of a file, or a picture, to upright frames for the elements `rest`.
///
/// # Errors
/// If an element is missing.
pub(crate) fn pipeline(path: &Path, rest: &str) -> Result<gst::Pipeline, Error> {
    let missing = |error: gst::glib::Error| unreadable(path, error.message());
    gst::init().map_err(missing)?;
    let pipeline = gst::parse::launch(&format!("{UPRIGHT} ! {rest}")).map_err(missing)?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a line of several elements");
    let upright = pipeline.by_name("upright").expect("an element of the line");
    let decoded = || {
        let file = gst::ElementFactory::make("filesrc").property("location", path).build()?;
        let decode = video_decoder()?;
        pipeline.add_many([&file, &decode])?;
        link_default_video(&decode, &upright);
        file.link(&decode)
    };
    decoded().map_err(|error: gst::glib::BoolError| unreadable(path, &error.message))?;
    Ok(pipeline)
}

fn unreadable(path: &Path, reason: &str) -> Error {
    Error::Video { path: path.to_owned(), reason: reason.to_owned() }
}
