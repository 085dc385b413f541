// SPDX-License-Identifier: MIT OR Apache-2.0
//! The elements that read a source, built in code.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::prelude::*;

use crate::decoding::{file_decoder, link_default_video, link_video_later, video_decoder};
use crate::place::Place;
use crate::rtsp;
use crate::sound;
pub use crate::source::Reading;
pub use crate::source::pad;
use crate::source::{Result, Source};
use crate::stamp::Stamp;
use crate::stream;
use crate::time_of_day::TimeOfDay;

/// A file that can be played again once it has ended.
#[derive(Clone, Debug)]
pub struct FileLoop {
    /// The element that plays the file at its own speed.
    pub clock: gst::Element,
    /// Set when the file has ended.
    ended: Arc<AtomicBool>,
}

/// Adds the elements that read `place` to `pipeline`, and links them to `entry` once they have video. A file, also one of a web server, is
/// played at its own speed and turned upright if it has a rotation tag. One of this machine opens no connection. Of several videos, the
/// default one is read. Frames of cameras have their time of day.
///
/// # Errors
/// If an element is missing, or a launch line is wrong.
pub fn add(pipeline: &gst::Pipeline, place: &Place, reading: &Reading, entry: &gst::Element) -> Result<Option<FileLoop>> {
    let source = Source { pipeline, entry, reading };
    if let Place::File(path) = place {
        return source.file(path).map(Some);
    }
    // Times of all pipelines of a program are on one clock.
    pipeline.use_clock(Some(&gst::SystemClock::obtain()));
    let stamp = Stamp::new(TimeOfDay::new(reading.clock), pipeline, reading.log.clone());
    match place {
        Place::File(_) => {}
        Place::Device(path) => source.device("v4l2src", &[("device", &path.to_string_lossy())])?,
        Place::Libcamera(name) if name.is_empty() => source.device("libcamerasrc", &[])?,
        Place::Libcamera(name) => source.device("libcamerasrc", &[("camera-name", name)])?,
        Place::Rtsp(address) => source.camera(address, &stamp)?,
        Place::Stream(address) => stream::add(&source, address)?,
        Place::Launch(line) => {
            // A line may end in caps, which need an element behind them.
            let line =
                gst::parse::bin_from_description(&format!("{line} ! identity"), true).map_err(|error| glib::bool_error!("gst: {error}"))?;
            source.decoded(&source.add(line.upcast())?, entry).map(|_| ())?;
        }
    }
    stamp.frames_of(&pad(entry, "sink")?, &reading.progress);
    Ok(None)
}

impl Source<'_> {
    fn file(&self, path: &Path) -> Result<FileLoop> {
        let file = self.add(gst::ElementFactory::make("filesrc").property("location", path).build()?)?;
        let decode = self.decoder(file_decoder()?)?;
        file.link(&decode)?;
        let (upright, clock) = self.played()?;
        link_default_video(&decode, &upright);
        sound::take(self, &decode);
        Ok(FileLoop { clock, ended: Arc::default() })
    }

    /// Adds the elements that turn a film upright, as its tag says, and play it at its own speed: the first and the last one.
    pub(crate) fn played(&self) -> Result<(gst::Element, gst::Element)> {
        // Phones store the orientation as a tag. `videoflip` does not take all formats of decoders, such as Y42B.
        let convert = self.add(gst::ElementFactory::make("videoconvert").build()?)?;
        let flip = self.add(gst::ElementFactory::make("videoflip").property_from_str("video-direction", "auto").build()?)?;
        let clock = self.add(gst::ElementFactory::make("clocksync").property("sync-to-first", true).build()?)?;
        gst::Element::link_many([&convert, &flip, &clock, self.entry])?;
        Ok((convert, clock))
    }

    /// A camera of this machine, whose element `factory` has these properties.
    fn device(&self, factory: &str, properties: &[(&str, &str)]) -> Result<()> {
        let camera = gst::ElementFactory::make(factory);
        let camera = properties.iter().fold(camera, |camera, (name, value)| camera.property(name, *value));
        let camera = self.add(camera.build()?)?;
        let (width, height) = self.reading.max_size;
        let caps = ["video/x-raw", "image/jpeg"].iter().fold(gst::Caps::new_empty(), |mut caps, name| {
            let size = gst::Structure::builder(*name).field("width", gst::IntRange::new(1, width));
            caps.make_mut().append_structure(size.field("height", gst::IntRange::new(1, height)).build());
            caps
        });
        let filter = self.add(gst::ElementFactory::make("capsfilter").property("caps", caps).build()?)?;
        camera.link(&filter)?;
        self.decoded(&filter, self.entry).map(|_| ())
    }

    fn camera(&self, address: &str, stamp: &Stamp) -> Result<()> {
        let reading = self.reading;
        let is_tcp = reading.protocols == Some("tcp");
        let latency = u32::try_from(reading.latency.as_millis()).unwrap_or(u32::MAX);
        let camera = gst::ElementFactory::make("rtspsrc").property("location", address).property("latency", latency);
        let camera = self.add(camera.property("drop-on-latency", !is_tcp).build()?)?;
        let video = rtsp::select(&camera, reading.video, reading.sound.as_ref().map(|_| &reading.log));
        let (progress, stamp) = (reading.progress.clone(), stamp.clone());
        let arrived = stamp.clone();
        rtsp::watch_data(&camera, &video, move |rtp| {
            progress.data();
            // By UDP, the times of frames are mixed with those of arrival.
            rtp.filter(|_| is_tcp).into_iter().for_each(|(rtp, running)| arrived.packet(rtp, running));
        });
        rtsp::watch_reports(&camera, &video, move |running, unix| stamp.report(running, unix));
        if let Some(protocols) = reading.protocols {
            camera.set_property_from_str("protocols", protocols);
        }
        if is_tcp {
            // The times of the camera, of which the stamp makes ours. By default, they are mixed with those of arrival, and those of
            // bundles are uneven. With `none`, they begin at 0, so a packet that comes after the next one is too late.
            camera.set_property_from_str("buffer-mode", "synced");
            rtsp::keep_bundles(&camera);
        }
        if let Some(timeout) = reading.timeout {
            let microseconds = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
            camera.set_property("tcp-timeout", microseconds);
            // For UDP: after this time rtspsrc falls back to TCP.
            camera.set_property("timeout", microseconds);
        }
        let decode = self.decoder(video_decoder()?)?;
        link_video_later(&camera, &decode);
        link_video_later(&decode, self.entry);
        sound::take(self, &camera);
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
