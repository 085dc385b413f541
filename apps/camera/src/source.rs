// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the source, again and again if it vanishes, while the analysis and its outlets stay up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use emotion_supervise::backoff::{Backoff, PAUSES};
use emotion_supervise::decoding::{encoded_time, leave_out_unreferenced};
use emotion_supervise::input::{self, FileLoop, Reading};
use emotion_supervise::place::Place;
use emotion_supervise::progress::Progress;
use emotion_supervise::recording::{Taker, Tap};
use emotion_supervise::run::{self, End};
use emotion_supervise::samples;
use gst::glib;
use gst::prelude::*;
use gst_app::AppSink;

use crate::analysis::Analysis;
use crate::options::{Options, milliseconds};
use crate::pace::Pace;
use crate::value::{SkipFrame, Transport, Turn};

/// Time without a picture, while data arrives, after which the program says so.
const KEYFRAME: Duration = Duration::from_secs(2);
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
            End::Finished if options.source.is_file() => return progress.stop(),
            End::Finished => "the camera ended its stream".into(),
            End::Failed(reason) => options.source.without_password(&reason),
        };
        progress.end_run();
        let frames = arrived.frames.load(Ordering::Relaxed);
        let hint = if frames == 0 { hint(options) } else { String::new() };
        let pause = backoff.pause(arrived.first.get().map_or(Duration::ZERO, Instant::elapsed));
        options.log.say(format_args!("{reason}{hint} after {frames} frames; reconnecting in {:.2} s", pause.as_secs_f32()));
        if wait(pause, analysis, stop) {
            return progress.stop();
        }
    }
}

/// What may be wrong with the options if a network camera sends nothing.
fn hint(options: &Options) -> String {
    let (video, protocol) = (options.settings.stream.get(), options.settings.protocol);
    match &options.source {
        Place::Rtsp(_) if video > 1 => format!(" (with --stream {video}: has it so many videos?)"),
        Place::Rtsp(_) if protocol == Transport::Tcp => " (try --protocol udp)".into(),
        _ => String::new(),
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

/// Checks that the source can be built, without opening it: that elements are installed, and a launch line is right.
///
/// # Errors
/// If it cannot.
pub fn check(options: &Options) -> Result<(), glib::BoolError> {
    let (pipeline, end) = (gst::Pipeline::new(), gst::ElementFactory::make("fakesink").build()?);
    pipeline.add(&end)?;
    input::add(&pipeline, &options.source, &reading(options, &Arc::default()), &end).map(|_| ())
}

/// How to read a source, which tells `progress` of its data.
pub fn reading(options: &Options, progress: &Arc<Progress>) -> Reading {
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
        clock: options.settings.clock,
        video: usize::from(options.settings.stream.get()),
        sound: None,
        progress: progress.clone(),
        log: options.log.clone(),
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
    // A frame that somebody else holds cannot get its time without a copy.
    let sink = AppSink::builder().caps(&caps).sync(false).async_(false).enable_last_sample(false).build();
    pipeline.add(&sink)?;
    let recorder = analysis.recorder.clone().filter(|_| options.record_source.is_none()).map(|recorder| recorder as Arc<dyn Taker>);
    let has_sound = recorder.is_some() && options.settings.files.sound;
    let pusher = analysis.pusher.clone().map(|pusher| pusher as Arc<dyn Taker>);
    let takers: Vec<_> = recorder.into_iter().chain(pusher).collect();
    let tap = (!takers.is_empty()).then(|| Tap::of_decoders(&pipeline, takers, has_sound, analysis.faces.clone()));
    if options.settings.skip_frame == SkipFrame::Noref {
        let progress = progress.clone();
        leave_out_unreferenced(&pipeline, move || progress.undecoded());
    }
    let sound = tap.clone().filter(|_| has_sound);
    let (analysis, beats, arrived, log) = (analysis.clone(), progress.clone(), arrived.clone(), options.log.clone());
    // A file that is played again begins at 0 again.
    let (mut pace, has_times) = (Pace::new(options.settings.fps), !options.source.is_file());
    samples::take(&sink, move |sink, sample| {
        if arrived.frames.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = arrived.first.set(Instant::now());
            log.say("receiving the camera's stream");
        }
        beats.beat();
        if let Some(tap) = &tap {
            tap.choose(sink.static_pad("sink").and_then(|pad| pad.stream_id()).as_deref());
        }
        let picture = sample.buffer().and_then(encoded_time);
        let (is_taken, base) = (pace.takes(sample.buffer().and_then(|buffer| buffer.pts())), sink.base_time().filter(|_| has_times));
        let time = if is_taken { analysis.push(sample, base, &beats) } else { analysis.place(&sample, base) };
        tap.iter().zip(picture).for_each(|(tap, picture)| tap.decoded(picture, time));
        Ok(gst::FlowSuccess::Ok)
    });
    let entry = turned(&pipeline, options.settings.turn, sink.upcast())?;
    let file_loop = input::add(&pipeline, &options.source, &Reading { sound, ..reading(options, progress) }, &entry)?;
    let file_loop = file_loop.filter(|_| options.settings.loops);
    file_loop.as_ref().map_or(Ok(()), FileLoop::hold_end)?;
    let (began, waiting) = (Instant::now(), AtomicBool::new(false));
    let end = run::play(&pipeline, progress, Some(options.stall), |picture| {
        let waits = picture.is_none() && began.elapsed() > KEYFRAME && progress.since_last_data().is_some();
        if waits && !waiting.swap(true, Ordering::Relaxed) {
            options.log.say("data arrives; waiting for a keyframe");
        }
        if !matches!(stop.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)) {
            return Some(End::Told(()));
        }
        let rewound = file_loop.as_ref().is_none_or(FileLoop::rewind_if_ended);
        (!rewound).then(|| End::Failed("the file cannot be rewound".into()))
    });
    run::stop(&pipeline, &options.log);
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
