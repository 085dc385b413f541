// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs a pipeline until it ends, fails or stalls.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::log::Log;
use crate::progress::Progress;

/// How often the caller is asked and the time since the last frame is checked.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Time without a picture after which a source that sends data is opened again. Cameras have a keyframe each second, or with "smart"
/// codecs each 20 s and more.
const PICTURELESS: Duration = Duration::from_secs(60);
/// How long to wait for the reason why a pipeline does not start.
const START_REASON: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// Time in which elements stop.
const STOP: Duration = Duration::from_secs(10);

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End<C> {
    /// The caller ended it.
    Told(C),
    /// The stream ended.
    Finished,
    /// It failed, for a reason to show to the user.
    Failed(String),
}

/// Plays `pipeline` until an error, the end of the stream, or `stall` without a frame and without data in `progress`: a camera that one
/// joins long before its next keyframe sends data, but there is no picture yet. Without `stall`, it waits without end. Asks `tick` ten
/// times a second whether to end the run, with the time since the last frame. Leaves the pipeline playing.
pub fn play<C>(
    pipeline: &gst::Pipeline,
    progress: &Progress,
    stall: Option<Duration>,
    mut tick: impl FnMut(Option<Duration>) -> Option<End<C>>,
) -> End<C> {
    let Some(bus) = pipeline.bus() else { return End::Failed("the pipeline has no bus".into()) };
    // An element that cannot start posts the reason on the bus.
    let started = pipeline.set_state(gst::State::Playing);
    let began = Instant::now();
    let types = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Latency, gst::MessageType::Progress];
    let mut step: Option<String> = None;
    loop {
        let wait = if started.is_err() { START_REASON } else { TICK };
        match bus.timed_pop_filtered(wait, &types).as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => return failed(progress, error.src(), reason(error)),
            Some(gst::MessageView::Eos(_)) => return End::Finished,
            Some(gst::MessageView::Latency(_)) => {
                let _ = pipeline.recalculate_latency();
            }
            // Not by `text()`, which leaks copies of the text and of the code, at least up to version 0.25 of the bindings.
            Some(gst::MessageView::Progress(message)) => step = message.structure().and_then(|fields| fields.get("text").ok()),
            _ if started.is_err() => return End::Failed("the pipeline did not start".into()),
            _ => {}
        }
        let silence = progress.since_last_frame();
        if let Some(end) = tick(silence) {
            return end;
        }
        let pictureless = silence.unwrap_or_else(|| began.elapsed());
        if let Some(reason) = stall.and_then(|stall| stalled(pictureless, progress.since_last_data(), stall, step.as_deref())) {
            return failed(progress, None, reason);
        }
    }
}

/// The end of a run that failed in `element`, if it is known.
fn failed<C>(progress: &Progress, element: Option<&gst::Object>, reason: String) -> End<C> {
    let decoder = progress.hardware.fail(element, progress.since_last_frame().is_some());
    End::Failed(decoder.map_or(reason.clone(), |decoder| format!("{reason}; {decoder} is not used any more")))
}

/// Stops `pipeline`. If its elements wait for each other, as those of `rtspsrc` can for ever when a session ends right after its
/// beginning, they are left behind, and `log` says so.
pub fn stop(pipeline: &gst::Pipeline, log: &Log) {
    if !stops_within(STOP, pipeline, thread::Builder::new()) {
        log.say("the elements of the source do not stop, and are left behind");
    }
}

fn stops_within(limit: Duration, pipeline: &gst::Pipeline, thread: thread::Builder) -> bool {
    let ((stopped, end), stopping) = (channel(), pipeline.clone());
    let stop = move || {
        let _ = stopping.set_state(gst::State::Null);
        // The pipeline may hold what takes its last pictures, which its owner is to drop.
        drop(stopping);
        let _ = stopped.send(());
    };
    match thread.name("stop".into()).spawn(stop) {
        Ok(_) => end.recv_timeout(limit).is_ok(),
        // Without memory for a thread, however long it takes: nobody may drop a pipeline that plays.
        Err(_) => pipeline.set_state(gst::State::Null).is_ok(),
    }
}

/// Why a source that has had no picture and no data for these times is opened again. A source that has never had any says its last `step`,
/// as `rtspsrc` does: what a camera does not answer, or that it sends nothing after all answers.
fn stalled(pictureless: Duration, silence: Option<Duration>, stall: Duration, step: Option<&str>) -> Option<String> {
    match silence {
        Some(silence) if silence > stall && pictureless > stall => Some(format!("no data for {} s", stall.as_secs_f32())),
        Some(_) if pictureless > PICTURELESS.max(stall) => Some(format!("no picture for {} s, though data arrives", pictureless.as_secs())),
        None if pictureless > stall => {
            let step = step.map_or(String::new(), |step| format!(" after \"{step}\""));
            Some(format!("no frame for {} s{step}", stall.as_secs_f32()))
        }
        _ => None,
    }
}

/// GStreamer's message for users, with the last line of the details for developers, which often has the cause.
pub fn reason(error: &gst::message::Error) -> String {
    let text = error.error().to_string();
    let debug = error.debug().unwrap_or_default();
    let detail = debug.lines().skip(1).last().unwrap_or_default().trim_end_matches(" (Generic error)");
    let reason = if detail.is_empty() || text.contains(detail) { text } else { format!("{text} {detail}") };
    reason.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(line: &str) -> gst::Pipeline {
        gst::init().unwrap();
        gst::parse::launch(line).unwrap().downcast().unwrap()
    }

    fn run(line: &str, stall: Option<Duration>, tick: impl FnMut(Option<Duration>) -> Option<End<()>>) -> End<()> {
        let pipeline = pipeline(line);
        let end = play(&pipeline, &Progress::new(), stall, tick);
        pipeline.set_state(gst::State::Null).unwrap();
        end
    }

    #[test]
    fn the_end_of_the_stream_and_errors_end_a_run() {
        assert_eq!(run("videotestsrc num-buffers=1 ! fakesink", None, |_| None), End::Finished);
        let End::Failed(reason) = run("filesrc location=/nowhere/clip.mp4 ! fakesink", None, |_| None) else { panic!("it plays") };
        assert!(reason.contains("/nowhere/clip.mp4"), "{reason}");
    }

    #[test]
    fn a_pipeline_that_does_not_stop_is_left_behind() {
        let pipeline = pipeline("fakesrc ! fakesink name=end");
        let ((held, is_held), (release, released)) = (channel(), channel::<()>());
        let released = std::sync::Mutex::new(released);
        let pad = pipeline.by_name("end").unwrap().static_pad("sink").unwrap();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let _ = held.send(());
            let _ = released.lock().unwrap().recv();
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        is_held.recv().unwrap();
        assert!(!stops_within(Duration::from_millis(100), &pipeline, thread::Builder::new()), "its thread is held");
        drop(release);
        assert!(stops_within(STOP, &pipeline, thread::Builder::new()));
    }

    #[test]
    fn what_a_pipeline_holds_is_released_by_who_stops_it() {
        for round in 0..500 {
            let pipeline = pipeline("fakesrc ! fakesink");
            let left = pipeline.downgrade();
            assert!(stops_within(STOP, &pipeline, thread::Builder::new()));
            drop(pipeline);
            assert!(left.upgrade().is_none(), "held after stop {round}");
        }
    }

    #[test]
    fn a_pipeline_stops_without_memory_for_a_thread() {
        let pipeline = pipeline("fakesrc ! fakesink");
        pipeline.set_state(gst::State::Playing).unwrap();
        let petabyte = 1 << 50;
        assert!(thread::Builder::new().stack_size(petabyte).spawn(|| {}).is_err(), "this is a large machine");
        assert!(stops_within(STOP, &pipeline, thread::Builder::new().stack_size(petabyte)));
        assert_eq!(pipeline.current_state(), gst::State::Null);
    }

    #[test]
    fn a_run_without_frames_stalls() {
        let stalled = run("fakesrc is-live=true ! fakesink", Some(Duration::from_millis(300)), |_| None);
        assert_eq!(stalled, End::Failed("no frame for 0.3 s".into()));
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn the_steps_of_a_source_are_freed() {
        let (pipeline, text, mut left) = (pipeline("fakesrc is-live=true ! fakesink"), "a".repeat(100_000), 4000);
        let before = crate::memory::tests::memory();
        play::<()>(&pipeline, &Progress::new(), None, |_| {
            let message = gst::message::Progress::builder(gst::ProgressType::Continue, "open", &text).src(&pipeline).build();
            pipeline.post_message(message).unwrap();
            left -= 1;
            (left == 0).then_some(End::Finished)
        });
        // Other tests take up to 100 MiB at the same time.
        let after = crate::memory::tests::memory();
        assert!(after < before + 200, "{before} MiB before 381 MiB of texts, {after} after");
        pipeline.set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn a_stall_names_the_last_step_of_the_source() {
        let pipeline = pipeline("fakesrc is-live=true ! fakesink");
        for step in ["Opening Stream", "Sending PLAY request"] {
            let message = gst::message::Progress::builder(gst::ProgressType::Continue, "open", step).src(&pipeline).build();
            pipeline.post_message(message).unwrap();
        }
        let stalled = play::<()>(&pipeline, &Progress::new(), Some(Duration::from_millis(300)), |_| None);
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(stalled, End::Failed("no frame for 0.3 s after \"Sending PLAY request\"".into()));
    }

    #[test]
    fn data_without_a_picture_is_no_stall() {
        let seconds = |seconds| Duration::from_secs(seconds);
        let after = |pictureless, silence: Option<u64>| stalled(seconds(pictureless), silence.map(seconds), seconds(5), None);
        assert_eq!((after(4, None), after(6, None)), (None, Some("no frame for 5 s".into())));
        assert_eq!((after(20, Some(0)), after(20, Some(5)), after(0, Some(9))), (None, None, None));
        assert_eq!(after(20, Some(6)), Some("no data for 5 s".into()));
        assert_eq!(after(61, Some(0)), Some("no picture for 61 s, though data arrives".into()));
    }

    #[test]
    fn the_caller_can_end_a_run() {
        assert_eq!(run("fakesrc is-live=true ! fakesink", None, |_| Some(End::Told(()))), End::Told(()));
    }
}
