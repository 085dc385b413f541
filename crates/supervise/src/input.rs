// SPDX-License-Identifier: MIT OR Apache-2.0
//! The elements that read a source, built in code.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::decoding::{file_decoder, limit_pixels, link_default_video, link_video_later, video_decoder};
use crate::place::Place;

type Result<T> = std::result::Result<T, glib::BoolError>;

/// How to read a source.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Maximum width and height that a device may send. Cameras prefer their largest size, but face detection does not need it.
    pub max_size: (i32, i32),
    /// Length of the jitter buffer for network cameras.
    pub latency: Duration,
    /// Protocols of a network camera's stream, as the property `protocols` of `rtspsrc` spells them. `None` leaves its default.
    pub protocols: Option<&'static str>,
    /// Time after which a connection without data is given up. `None` leaves the default of `rtspsrc`.
    pub timeout: Option<Duration>,
    /// Maximum number of pixels of a frame. `None` does not limit it.
    pub max_pixels: Option<u64>,
}

/// A file that can be played again once it has ended.
#[derive(Clone, Debug)]
pub struct FileLoop {
    /// The element that plays the file at its own speed.
    pub clock: gst::Element,
    /// Set when the file has ended.
    ended: Arc<AtomicBool>,
}

/// Adds the elements that read `place` to `pipeline`, and links them to `entry` once they have video. A file is played at its
/// own speed and turned upright if it has a rotation tag, and opens no connection. Of several videos, the default one is read.
///
/// # Errors
/// If an element is missing.
pub fn add(pipeline: &gst::Pipeline, place: &Place, reading: &Reading, entry: &gst::Element) -> Result<Option<FileLoop>> {
    let source = Source { pipeline, entry };
    match place {
        Place::File(path) => source.file(path, reading).map(Some),
        Place::Device(path) => source.device(path, reading).map(|()| None),
        Place::Rtsp(address) => source.camera(address, reading).map(|()| None),
    }
}

/// Where the elements of a source are added and linked to.
struct Source<'a> {
    pipeline: &'a gst::Pipeline,
    entry: &'a gst::Element,
}

impl Source<'_> {
    fn add(&self, element: gst::Element) -> Result<gst::Element> {
        self.pipeline.add(&element).map(|()| element)
    }

    fn decoder(&self, decode: gst::Element, reading: &Reading) -> Result<gst::Element> {
        reading.max_pixels.into_iter().for_each(|max| limit_pixels(&decode, max));
        self.add(decode)
    }

    fn file(&self, path: &Path, reading: &Reading) -> Result<FileLoop> {
        let file = self.add(gst::ElementFactory::make("filesrc").property("location", path).build()?)?;
        let decode = self.decoder(file_decoder()?, reading)?;
        file.link(&decode)?;
        // Phones store the orientation as a tag. `videoflip` does not take all formats of decoders, such as Y42B.
        let convert = self.add(gst::ElementFactory::make("videoconvert").build()?)?;
        let flip = self.add(gst::ElementFactory::make("videoflip").property_from_str("video-direction", "auto").build()?)?;
        let clock = self.add(gst::ElementFactory::make("clocksync").property("sync-to-first", true).build()?)?;
        gst::Element::link_many([&convert, &flip, &clock, self.entry])?;
        link_default_video(&decode, &convert);
        Ok(FileLoop { clock, ended: Arc::default() })
    }

    fn device(&self, path: &Path, reading: &Reading) -> Result<()> {
        let path = path.to_string_lossy();
        let camera = self.add(gst::ElementFactory::make("v4l2src").property("device", path.as_ref()).build()?)?;
        let caps = ["video/x-raw", "image/jpeg"].iter().fold(gst::Caps::new_empty(), |mut caps, name| {
            let size = gst::Structure::builder(*name).field("width", gst::IntRange::new(1, reading.max_size.0));
            caps.make_mut().append_structure(size.field("height", gst::IntRange::new(1, reading.max_size.1)).build());
            caps
        });
        let filter = self.add(gst::ElementFactory::make("capsfilter").property("caps", caps).build()?)?;
        let decode = self.decoder(video_decoder()?, reading)?;
        gst::Element::link_many([&camera, &filter, &decode])?;
        link_video_later(&decode, self.entry);
        Ok(())
    }

    fn camera(&self, address: &str, reading: &Reading) -> Result<()> {
        let latency = u32::try_from(reading.latency.as_millis()).unwrap_or(u32::MAX);
        let camera = gst::ElementFactory::make("rtspsrc").property("location", address).property("latency", latency);
        let camera = self.add(camera.property("drop-on-latency", true).build()?)?;
        // The other streams, such as the sound, are not requested, and the camera does not send them.
        camera.connect("select-stream", false, |arguments| {
            let media = arguments[2].get::<gst::Caps>().ok()?.structure(0)?.get::<String>("media").ok();
            Some(media.is_none_or(|media| media == "video").to_value())
        });
        if let Some(protocols) = reading.protocols {
            camera.set_property_from_str("protocols", protocols);
        }
        if let Some(timeout) = reading.timeout {
            let microseconds = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
            camera.set_property("tcp-timeout", microseconds);
            // For UDP: after this time rtspsrc falls back to TCP.
            camera.set_property("timeout", microseconds);
        }
        let decode = self.decoder(video_decoder()?, reading)?;
        link_video_later(&camera, &decode);
        link_video_later(&decode, self.entry);
        Ok(())
    }
}

impl FileLoop {
    /// Holds back the end of the stream, so that the file can be played again.
    ///
    /// # Errors
    /// If the element has no sink pad.
    pub fn hold_end(&self) -> Result<()> {
        let ended = self.ended.clone();
        self.sink_pad()?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| match info.event().map(|event| event.type_()) {
            Some(gst::EventType::Eos) => {
                ended.store(true, Ordering::Relaxed);
                gst::PadProbeReturn::Handled
            }
            _ => gst::PadProbeReturn::Ok,
        });
        Ok(())
    }

    /// Seeks a file that has ended to its start. Returns false if the seek fails.
    pub fn rewind_if_ended(&self) -> bool {
        if !self.ended.swap(false, Ordering::Relaxed) {
            return true;
        }
        let (start, open_end) = (gst::ClockTime::ZERO, gst::ClockTime::NONE);
        let seek = gst::event::Seek::new(1.0, gst::SeekFlags::FLUSH, gst::SeekType::Set, start, gst::SeekType::None, open_end);
        self.sink_pad().is_ok_and(|pad| pad.push_event(seek))
    }

    fn sink_pad(&self) -> Result<gst::Pad> {
        self.clock.static_pad("sink").ok_or_else(|| glib::bool_error!("clocksync has no sink pad"))
    }
}
