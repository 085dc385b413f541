// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the parts of the analysis's pipeline share: pads, samples, and why it fails.

use emotion_supervise::chain::ChainError;
use emotion_supervise::encoding::NoEncoder;
use emotion_supervise::push::PushError;
use emotion_supervise::recording::RecordingError;
use emotion_supervise::samples;
use emotion_supervise::setting::Fault;
use gst::prelude::*;
use gst_app::AppSink;
use thiserror::Error;

use crate::value::Size;

/// Why the analysis cannot begin or end.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// GStreamer cannot build the pipeline, for example because an element is missing.
    #[error("{0}")]
    Launch(#[from] gst::glib::Error),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Link(#[from] gst::glib::BoolError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("--push: {0}")]
    Push(#[from] PushError),
    #[error(transparent)]
    Encoder(#[from] NoEncoder),
    /// An element has another type.
    #[error("the pipeline has no {0}")]
    Missing(&'static str),
    /// `emotionpublish` does not take a setting.
    #[error("publish.{property}: {fault}")]
    Property { property: &'static str, fault: Fault },
    /// An element failed, for this reason.
    #[error("{0}")]
    Failed(String),
    #[error("the pipeline did not start")]
    Start,
    #[error("not everything was written within {0} s")]
    Unfinished(u64),
}

/// Scales a picture down to this size at most, with its proportions.
pub fn scaled(size: Size) -> String {
    format!(
        "videoconvert ! videoscale ! video/x-raw,format=I420,width=[16,{},2],height=[16,{},2],pixel-aspect-ratio=1/1",
        size.width, size.height
    )
}

/// The running time of a frame in the pipeline that it comes from.
pub fn running_time(sample: &gst::SampleRef) -> Option<gst::ClockTime> {
    sample.segment()?.downcast_ref::<gst::ClockTime>()?.to_running_time(sample.buffer()?.pts())
}

/// When an element began, in times of its clock; `None` unless it plays. One that is starting has 0, and times from then on would be far
/// ahead.
pub fn began(element: &impl IsA<gst::Element>) -> Option<gst::ClockTime> {
    if element.current_state() == gst::State::Playing { element.base_time() } else { None }
}

/// Calls `take` with each sample of an appsink.
pub fn take(sink: gst::Element, take: impl Fn(&gst::SampleRef) + Send + 'static) -> Result<(), AnalysisError> {
    let sink = sink.downcast::<AppSink>().map_err(|_| AnalysisError::Missing("appsink"))?;
    samples::take(&sink, move |_, sample| {
        take(&sample);
        Ok(gst::FlowSuccess::Ok)
    });
    Ok(())
}

/// Skips what nobody takes, of which `is_skipped` gets the time.
pub fn skip(queue: &gst::Pad, is_skipped: impl Fn(Option<gst::ClockTime>) -> bool + Send + Sync + 'static) {
    // Not `Drop`: the bindings have already taken the buffer out, and GStreamer would free it a second time.
    queue.add_probe(gst::PadProbeType::BUFFER, move |_, info| match is_skipped(info.buffer().and_then(|buffer| buffer.pts())) {
        true => gst::PadProbeReturn::Handled,
        false => gst::PadProbeReturn::Ok,
    });
}
