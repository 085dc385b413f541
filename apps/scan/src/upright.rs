// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pipelines that read a photo or video as upright frames and end in one's own elements.
//!
//! ```text
//! filesrc ! decodebin ! videoconvert ! videoflip ! videoconvert ! REST
//! ```

use std::path::Path;
use std::time::Duration;

use emotion_photo_reader::{Reading, Stream, source};
use emotion_supervise::decoding::{forbid_direct_rendering, link_default_video, name_dnxhr};
use gst::prelude::*;

use crate::error::Error;

/// Why a pipeline has not reached its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unplayed {
    /// An element has failed.
    #[error(transparent)]
    Element(#[from] gst::glib::Error),
    /// The pipeline has made no progress for this time.
    #[error("no progress within {} s", .0.as_secs_f64())]
    Stuck(Duration),
}

/// The pipeline `REST` behind the elements that turn frames upright. It reads nothing yet.
pub(crate) fn pipeline(rest: &str) -> Result<gst::Pipeline, Error> {
    let line = format!("queue name=video ! videoconvert ! videoflip name=flip video-direction=auto ! videoconvert ! {rest}");
    let pipeline = gst::parse::launch(&line)?.downcast::<gst::Pipeline>().expect("a line of several elements is a pipeline");
    forbid_direct_rendering(&pipeline);
    name_dnxhr(&pipeline);
    Ok(pipeline)
}

/// Lets `pipeline` read `input`. What GStreamer decodes is decoded by `decode`, a `decodebin`.
pub(crate) fn read(pipeline: &gst::Pipeline, input: &Path, decode: impl FnOnce() -> Result<gst::Element, Error>) -> Result<(), Error> {
    match Reading::of(input) {
        Ok(Reading::Photo(_)) => {
            let pictures = source::of_file(input);
            pipeline.add(&pictures)?;
            pictures.link(&element(pipeline, "video"))?;
            Ok(())
        }
        // If the file can no longer be read, the pipeline says why.
        Err(_) => read_stream(pipeline, input, &Stream::default(), &decode()?),
        Ok(Reading::Stream(stream)) => read_stream(pipeline, input, &stream, &decode()?),
    }
}

fn read_stream(pipeline: &gst::Pipeline, input: &Path, stream: &Stream, decode: &gst::Element) -> Result<(), Error> {
    if let Some(direction) = stream.tag().and_then(|tags| gst_video::VideoOrientationMethod::from_tag(&tags)) {
        element(pipeline, "flip").set_property("video-direction", direction);
    }
    let file = stream.source(input)?;
    pipeline.add_many([&file, decode])?;
    file.link(decode)?;
    link_default_video(decode, &element(pipeline, "video"));
    Ok(())
}

/// An element of the line by its name.
pub(crate) fn element(pipeline: &gst::Pipeline, name: &str) -> gst::Element {
    pipeline.by_name(name).expect("the line has this name")
}

/// Plays until the end. A pipeline whose position does not change for `limit` is given up.
pub(crate) fn play(pipeline: &gst::Pipeline, limit: Duration) -> Result<(), Unplayed> {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let wait = gst::ClockTime::try_from(limit).unwrap_or(gst::ClockTime::MAX);
    let _ = pipeline.set_state(gst::State::Playing);
    let mut position = None;
    loop {
        let message = bus.timed_pop_filtered(wait, &[gst::MessageType::Eos, gst::MessageType::Error]);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => return Err(error.error().into()),
            Some(_) => return Ok(()),
            None => {
                let now = pipeline.query_position::<gst::ClockTime>();
                if now == position {
                    return Err(Unplayed::Stuck(limit));
                }
                position = now;
            }
        }
    }
}
