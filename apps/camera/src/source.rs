// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the source, again and again if it vanishes, while the analysis and its outlets stay up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use emotion_supervise::backoff::Backoff;
use emotion_supervise::decoding::encoded_time;
use emotion_supervise::input::{self, FileLoop, Reading};
use emotion_supervise::place::Place;
use emotion_supervise::progress::Progress;
use emotion_supervise::recording::Tap;
use emotion_supervise::run::{self, End};
use gst::glib;
use gst::prelude::*;
use gst_app::{AppSink, AppSinkCallbacks};

use crate::analysis::Analysis;
use crate::options::{Options, milliseconds};
use crate::value::{Transport, Turn};

/// Shortest and longest pause before the next attempt.
pub const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How often the analysis is told that there are no frames.
const GAP: Duration = Duration::from_millis(500);

/// What arrived since the source was opened.
#[derive(Default)]
struct Arrived {
    frames: AtomicU64,
    /// When the first frame did.
    first: OnceLock<Instant>,
}

/// Reads the source until `stop` has a message or is closed, or a file that is not repeated ends.
pub fn run(options: &Options, analysis: &Arc<Analysis>, progress: &Arc<Progress>, stop: &Receiver<()>) {
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    loop {
        progress.begin_run();
        let arrived = Arc::new(Arrived::default());
        let end = once(options, analysis, progress, &arrived, stop);
        let end = end.unwrap_or_else(|error| End::Failed(error.message.to_string()));
        let reason = match end {
            End::Told(()) => return progress.stop(),
            End::Finished if matches!(options.source, Place::File(_)) => return progress.stop(),
            End::Finished => "the camera ended its stream".into(),
            End::Failed(reason) => options.source.without_password(&reason),
        };
        progress.end_run();
        let frames = arrived.frames.load(Ordering::Relaxed);
        let pause = backoff.pause(arrived.first.get().map_or(Duration::ZERO, Instant::elapsed));
        eprintln!("emotion-camera: {reason} after {frames} frames; reconnecting in {:.2} s", pause.as_secs_f32());
        if wait(pause, analysis, stop) {
            return progress.stop();
        }
    }
}

/// Waits for `pause`. True if the program is told to stop.
fn wait(pause: Duration, analysis: &Analysis, stop: &Receiver<()>) -> bool {
    let end = Instant::now() + pause;
    loop {
        let began = Instant::now();
        match stop.recv_timeout(GAP.min(end.saturating_duration_since(began))) {
            Err(RecvTimeoutError::Timeout) => analysis.gap(began.elapsed()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return true,
        }
        if Instant::now() >= end {
            return false;
        }
    }
}

/// Opens and reads the source once.
fn once(
    options: &Options,
    analysis: &Arc<Analysis>,
    progress: &Arc<Progress>,
    arrived: &Arc<Arrived>,
    stop: &Receiver<()>,
) -> Result<End<()>, glib::BoolError> {
    let pipeline = gst::Pipeline::new();
    let caps = gst::Caps::new_empty_simple("video/x-raw");
    let sink = AppSink::builder().caps(&caps).sync(false).async_(false).max_buffers(1).drop(true).build();
    pipeline.add(&sink)?;
    let recorder = analysis.recorder.clone().filter(|_| options.record_source.is_none());
    let tap = recorder.map(|recorder| Tap::of_decoders(&pipeline, recorder));
    let (analysis, beats, arrived) = (analysis.clone(), progress.clone(), arrived.clone());
    let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if arrived.frames.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = arrived.first.set(Instant::now());
            eprintln!("emotion-camera: receiving the camera's stream");
        }
        beats.beat();
        if let Some(tap) = &tap {
            tap.choose(sink.static_pad("sink").and_then(|pad| pad.stream_id()).as_deref());
        }
        let picture = sample.buffer().and_then(encoded_time);
        let time = analysis.push(&sample, &beats);
        tap.iter().zip(picture).for_each(|(tap, picture)| tap.decoded(picture, time));
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
    let entry = turned(&pipeline, options.settings.turn, sink.upcast())?;
    let file_loop = input::add(&pipeline, &options.source, &reading(options), &entry)?.filter(|_| options.settings.loops);
    file_loop.as_ref().map_or(Ok(()), FileLoop::hold_end)?;
    let end = run::play(&pipeline, progress, Some(options.stall), |_| {
        if !matches!(stop.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)) {
            return Some(End::Told(()));
        }
        let rewound = file_loop.as_ref().is_none_or(FileLoop::rewind_if_ended);
        (!rewound).then(|| End::Failed("the file cannot be rewound".into()))
    });
    let _ = pipeline.set_state(gst::State::Null);
    Ok(end)
}

/// What a picture enters that is to be turned on its way to `sink`.
fn turned(pipeline: &gst::Pipeline, turn: Option<Turn>, sink: gst::Element) -> Result<gst::Element, glib::BoolError> {
    let Some(turn) = turn else { return Ok(sink) };
    // `videoflip` does not take all formats of decoders, such as Y42B.
    let convert = gst::ElementFactory::make("videoconvert").build()?;
    let flip = gst::ElementFactory::make("videoflip").property_from_str("video-direction", turn.direction()).build()?;
    pipeline.add_many([&convert, &flip])?;
    gst::Element::link_many([&convert, &flip, &sink])?;
    Ok(convert)
}

/// How to read a source.
pub fn reading(options: &Options) -> Reading {
    let side = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
    Reading {
        max_size: (side(options.settings.size.width), side(options.settings.size.height)),
        latency: milliseconds(options.settings.latency),
        protocols: Some(match options.settings.protocol {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }),
        timeout: Some(options.stall),
        max_pixels: None,
    }
}
