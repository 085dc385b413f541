// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the video that is recorded, if it is not the one that is analysed: a camera's large profile, which is not decoded.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use emotion_supervise::backoff::{Backoff, PAUSES};
use emotion_supervise::decoding::{Encoded, RECORDABLE, leave_encoded};
use emotion_supervise::input::{self, Reading};
use emotion_supervise::place::Place;
use emotion_supervise::progress::Progress;
use emotion_supervise::recording::{Recorder, Tap};
use emotion_supervise::run::{self, End};
use emotion_supervise::samples;
use gst::glib;
use gst::prelude::*;
use gst_app::AppSink;

use crate::analysis::Analysis;
use crate::graph::running_time;
use crate::options::Options;
use crate::source::reading;

/// Records `place` until `stop` has a message or is closed.
pub fn run(options: &Options, place: &Place, analysis: &Arc<Analysis>, recorder: &Arc<Recorder>, stop: &Receiver<()>) {
    recorder.set_encoded(true);
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    loop {
        let first = Arc::new(OnceLock::new());
        let end = once(options, place, analysis, recorder, &first, stop).unwrap_or_else(|error| End::Failed(error.message.to_string()));
        let reason = match end {
            End::Told(()) => return,
            End::Finished => "the camera ended its stream".into(),
            End::Failed(reason) => place.without_password(&reason),
        };
        let pause = backoff.pause(first.get().map_or(Duration::ZERO, Instant::elapsed));
        options.log.say(format_args!("the recorded video: {reason}; reconnecting in {:.2} s", pause.as_secs_f32()));
        if stop.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Opens and records the video once.
fn once(
    options: &Options,
    place: &Place,
    analysis: &Arc<Analysis>,
    recorder: &Arc<Recorder>,
    first: &Arc<OnceLock<Instant>>,
    stop: &Receiver<()>,
) -> Result<End<()>, glib::BoolError> {
    let (pipeline, progress) = (gst::Pipeline::new(), Arc::new(Progress::new()));
    let sink = AppSink::builder().caps(&RECORDABLE.parse()?).sync(false).async_(false).build();
    pipeline.add(&sink)?;
    leave_encoded(&pipeline);
    let has_sound = options.settings.files.sound;
    let tap = Arc::new(Tap::new(vec![recorder.clone()], has_sound, analysis.faces.clone()));
    let (analysis, beats) = (analysis.clone(), progress.clone());
    let (first, log, sound) = (first.clone(), options.log.clone(), has_sound.then(|| tap.clone()));
    samples::take(&sink, move |sink, sample| {
        if first.set(Instant::now()).is_ok() {
            log.say("receiving the recorded video");
        }
        beats.beat();
        let picture = || {
            let time = running_time(&sample)?;
            Some((sample.caps_owned()?, sample.buffer_owned()?, time, analysis.time_of(time, sink.base_time()?)?))
        };
        if let Some((caps, buffer, time, recorded)) = picture() {
            tap.take_at(Encoded { caps, buffer, time, stream: glib::GString::new() }, recorded);
        }
        Ok(gst::FlowSuccess::Ok)
    });
    input::add(&pipeline, place, &Reading { video: 1, sound, ..reading(options, &progress) }, sink.upcast_ref())?;
    let end =
        run::play(&pipeline, &progress, Some(options.stall), |_| (stop.try_recv() != Err(TryRecvError::Empty)).then_some(End::Told(())));
    run::stop(&pipeline, &options.log);
    Ok(end)
}
