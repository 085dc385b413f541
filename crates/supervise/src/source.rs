// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a source is read, and where its elements are added and linked to.

use std::sync::Arc;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::decoding::{limit_pixels, link_video_later, video_decoder};
use crate::hardware;
use crate::log::Log;
use crate::progress::Progress;
use crate::recording::Tap;
use crate::sound;
use crate::time_of_day::Clock;

/// What an element of a source returns.
pub(crate) type Result<T> = std::result::Result<T, glib::BoolError>;

/// How to read a source.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Maximum width and height that a device may send. Cameras prefer their largest size, but face detection does not need it.
    pub max_size: (i32, i32),
    /// Length of the jitter buffer for network cameras.
    pub latency: Duration,
    /// Protocols of a network camera's stream, as the property `protocols` of `rtspsrc` spells them. `None` leaves its default.
    pub protocols: Option<&'static str>,
    /// Time after which a connection without data is given up. `None` leaves the default of the source.
    pub timeout: Option<Duration>,
    /// Maximum number of pixels of a frame. `None` does not limit it.
    pub max_pixels: Option<u64>,
    /// Whose clock gives the time of day of frames.
    pub clock: Clock,
    /// Which video of a network camera is read, from 1.
    pub video: usize,
    /// Takes the sound. Without it, none of a network camera is requested.
    pub sound: Option<Arc<Tap>>,
    /// Counts data and damaged frames.
    pub progress: Arc<Progress>,
    /// Says what users should know about the source.
    pub log: Log,
}

/// Where the elements of a source are added and linked to.
pub(crate) struct Source<'a> {
    pub pipeline: &'a gst::Pipeline,
    /// What they are linked to.
    pub entry: &'a gst::Element,
    /// How the source is read.
    pub reading: &'a Reading,
}

impl Source<'_> {
    /// Adds an element.
    pub fn add(&self, element: gst::Element) -> Result<gst::Element> {
        self.pipeline.add(&element).map(|()| element)
    }

    /// Adds a decoder, and links it to `from` and, once there is video, to `to`.
    pub fn decoded(&self, from: &gst::Element, to: &gst::Element) -> Result<gst::Element> {
        let decode = self.decoder(video_decoder()?)?;
        from.link(&decode)?;
        link_video_later(&decode, to);
        sound::take(self, &decode);
        Ok(decode)
    }

    /// Counts the data of `from` for as long as there are no frames.
    pub fn count_data(&self, from: &gst::Element) -> Result<()> {
        let progress = self.reading.progress.clone();
        pad(from, "src")?.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, _| {
            progress.data();
            gst::PadProbeReturn::Ok
        });
        Ok(())
    }

    /// Adds `decode`, which decodes no larger frames than are wanted, and in software where hardware has failed.
    pub fn decoder(&self, decode: gst::Element) -> Result<gst::Element> {
        hardware::watch(&decode, &self.reading.progress, &self.reading.log);
        self.reading.max_pixels.into_iter().for_each(|max| limit_pixels(&decode, max));
        self.add(decode)
    }
}

/// A pad that every element of its kind has.
pub fn pad(element: &gst::Element, name: &str) -> Result<gst::Pad> {
    element.static_pad(name).ok_or_else(|| glib::bool_error!("{} has no pad {name}", element.name()))
}
