// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames of a file, one after another, upright and in a format of the elements.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use emotion_core::image::FrameView;
use emotion_supervise::decoding::file_decoder;
use gst::prelude::*;
use gstemotion::elements::frame;

use super::failure::Failure;
use crate::upright::{self, Unplayed};

/// Time between two looks for an error.
const STEP: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// A frame of a file.
pub(super) struct Shown<'a> {
    pub number: usize,
    /// Time in the file.
    pub time_ns: u64,
    pub sample: &'a gst::Sample,
    pub view: FrameView<'a>,
}

/// What a file has besides the pictures of one video.
#[derive(Clone, Debug, Default)]
pub(super) struct Others {
    /// Media types of its streams, with that of the video.
    pub streams: Vec<String>,
    /// Names of its tags.
    pub tags: BTreeSet<String>,
}

/// Calls `see` with each frame of `input`, and returns what else the file has. A file is given up after `limit` without a frame.
pub(super) fn each_frame(input: &Path, limit: Duration, mut see: impl FnMut(&Shown) -> Result<(), Failure>) -> Result<Others, Failure> {
    let pipeline = upright::pipeline("appsink name=out sync=false max-buffers=4")?;
    let sink = upright::element(&pipeline, "out").downcast::<gst_app::AppSink>().expect("the line has an appsink");
    sink.set_caps(Some(&frame::caps()));
    let mut decoder = None;
    upright::read(&pipeline, input, || Ok(decoder.insert(file_decoder()?).clone()))?;
    let _ = pipeline.set_state(gst::State::Playing);
    let mut messages = Messages { bus: pipeline.bus().expect("a pipeline has a bus"), tags: BTreeSet::new() };
    let seen = see_all(&mut messages, &sink, limit, &mut see);
    let _ = messages.error();
    let others = Others { streams: decoder.as_ref().map(streams).unwrap_or_default(), tags: messages.tags };
    let _ = pipeline.set_state(gst::State::Null);
    seen.map(|()| others)
}

/// What a pipeline has posted.
struct Messages {
    bus: gst::Bus,
    tags: BTreeSet<String>,
}

impl Messages {
    /// The next error.
    fn error(&mut self) -> Option<Failure> {
        while let Some(message) = self.bus.pop() {
            match message.view() {
                gst::MessageView::Tag(tag) => self.tags.extend(tag.tags().iter().map(|(name, _)| name.to_string())),
                gst::MessageView::Error(error) => return Some(Unplayed::from(error.error()).into()),
                _ => {}
            }
        }
        None
    }
}

/// The media types of what `decode` has found.
fn streams(decode: &gst::Element) -> Vec<String> {
    let name = |pad: gst::Pad| Some(pad.current_caps()?.structure(0)?.name().to_string());
    decode.src_pads().into_iter().filter_map(name).collect()
}

fn see_all(
    messages: &mut Messages,
    sink: &gst_app::AppSink,
    limit: Duration,
    see: &mut impl FnMut(&Shown) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let wait = gst::ClockTime::try_from(limit).unwrap_or(gst::ClockTime::MAX);
    let steps = wait.mseconds() / STEP.mseconds();
    let mut number = 0;
    loop {
        // An error does not wake an appsink.
        let sample = (0..=steps).find_map(|_| match sink.try_pull_sample(STEP) {
            Some(sample) => Some(Ok(Some(sample))),
            None if sink.is_eos() => Some(messages.error().map_or(Ok(None), Err)),
            None => messages.error().map(Err),
        });
        let Some(sample) = sample.unwrap_or(Err(Unplayed::Stuck(limit).into()))? else { return Ok(()) };
        see_one(number, &sample, see)?;
        number += 1;
    }
}

fn see_one(number: usize, sample: &gst::Sample, see: &mut impl FnMut(&Shown) -> Result<(), Failure>) -> Result<(), Failure> {
    let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else { return Err(Failure::NoPicture) };
    let info = gst_video::VideoInfo::from_caps(caps).map_err(|_| Failure::NoPicture)?;
    let time = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>()?.to_stream_time(buffer.pts()));
    let time_ns = time.or(buffer.pts()).map_or(0, gst::ClockTime::nseconds);
    let mapped = frame::map(buffer, &info)?;
    see(&Shown { number, time_ns, sample, view: frame::view(&mapped)? })
}
