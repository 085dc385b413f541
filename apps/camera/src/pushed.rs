// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is sent to servers: the camera's own H.264, which `source.rs` taps, or pictures of the analysis, which one encoder encodes for all.

use std::sync::Arc;

use emotion_supervise::encoding::{NoEncoder, STREAM_ENCODER, encoder, key_request, pace_keyframes};
use emotion_supervise::input::pad;
use emotion_supervise::metrics::{Kind, Page};
use emotion_supervise::push::{Pusher, Sent};
use emotion_supervise::recording::Frame;
use gst::prelude::*;

use crate::graph::{AnalysisError, running_time, scaled, skip, take};
use crate::options::Options;
use crate::status;
use crate::value::FilesVideo;

/// Name of the overlay that hides faces if none are drawn.
pub const HIDDEN: &str = "pushed-hidden";

/// The part of the launch line from the faces to the encoded video, behind a queue that is `newest`.
///
/// # Errors
/// If no encoder is installed.
pub fn branch(options: &Options, newest: &str) -> Result<String, NoEncoder> {
    if options.push.is_empty() {
        return Ok(String::new());
    }
    let queue = format!("{newest} name=pushed-queue");
    let pictures = match options.settings.push_video {
        FilesVideo::Camera => format!("faces. ! {queue} ! {} ! emotionoverlay name={HIDDEN}", scaled(options.settings.size)),
        FilesVideo::Drawn => format!("pictures. ! {queue}"),
    };
    Ok(format!(
        "{pictures} ! videoconvert ! {} ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au \
         ! appsink name=pushed sync=false async=false ",
        encoder()?.stream
    ))
}

/// A pusher that is fed by the pipeline of the analysis, of which `element` finds an element; `None` if nothing is to be sent.
///
/// # Errors
/// If an element is missing.
pub fn pusher(
    options: &Options,
    element: &impl Fn(&'static str) -> Result<gst::Element, AnalysisError>,
) -> Result<Option<Arc<Pusher>>, AnalysisError> {
    if options.push.is_empty() {
        return Ok(None);
    }
    let log = options.log.clone();
    let pusher = Arc::new(Pusher::start(&options.push, move |text| {
        log.say(text);
        status::tell(text);
    })?);
    pace_keyframes(&element(STREAM_ENCODER)?);
    let (pictures, raw) = (element("pushed")?, pusher.clone());
    skip(&pad(&element("pushed-queue")?, "sink")?, move |_| !raw.takes_raw());
    let (encoded, sink) = (pusher.clone(), pad(&pictures, "sink")?);
    take(pictures, move |sample| {
        let frame = sample.caps_owned().zip(sample.buffer_owned()).zip(running_time(sample));
        if let Some(((caps, mut buffer), time)) = frame {
            // Encoders count from another time on.
            buffer.make_mut().set_dts(None);
            encoded.push(&Frame { caps, buffer, time });
        }
        if encoded.wants_key() {
            sink.push_event(key_request());
        }
    })?;
    Ok(Some(pusher))
}

/// Adds the metrics of what cameras with these names send.
pub fn add_metrics(page: &mut Page, cameras: &[(&str, Vec<Sent>)]) {
    if cameras.is_empty() {
        return;
    }
    let numbers: Vec<String> = (1..=cameras.iter().map(|(_, sent)| sent.len()).max().unwrap_or_default()).map(|n| n.to_string()).collect();
    let all = || cameras.iter().flat_map(|(name, sent)| sent.iter().zip(&numbers).map(move |(sent, number)| (name, number, sent)));
    let labels = all().map(|(name, number, sent)| [("name", *name), ("target", number), ("address", &sent.name)]);
    let labels: Vec<_> = labels.collect();
    type Value = fn(&Sent) -> f64;
    let metrics: [(&str, Kind, &str, Value); 3] = [
        ("emotion_push_up", Kind::Gauge, "1 while the server takes video.", |sent| f64::from(sent.is_up)),
        ("emotion_push_failures_total", Kind::Counter, "How often sending failed.", |sent| sent.failures as f64),
        ("emotion_push_frames_total", Kind::Counter, "Frames that were sent.", |sent| sent.frames as f64),
    ];
    for (metric, kind, help, value) in metrics {
        page.add(metric, kind, help, labels.iter().map(|labels| &labels[..]).zip(all().map(|(.., sent)| value(sent))));
    }
}
