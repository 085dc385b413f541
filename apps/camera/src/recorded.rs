// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is recorded: the camera's own video, which `source.rs` taps, or pictures of the analysis, and the records of both.

use std::sync::Arc;

use emotion_supervise::hiding::Hiding;
use emotion_supervise::input::pad;
use emotion_supervise::log::Log;
use emotion_supervise::progress::Progress;
use emotion_supervise::recording::{Frame, Notice, Recorder, RecordingError, Recordings};
use gst::prelude::*;

use crate::graph::{AnalysisError, skip, take};
use crate::options::Options;
use crate::status;

/// Name of the element that writes the records.
pub const EXPORTER: &str = "recorded-export";

/// A recorder that is fed by the pipeline of the analysis, of which `element` finds an element.
///
/// # Errors
/// If an element is missing, or the folder cannot be written.
pub fn recorder(
    files: &Recordings,
    options: &Options,
    element: &impl Fn(&'static str) -> Result<gst::Element, AnalysisError>,
    individuals: &Arc<Hiding>,
    progress: &Arc<Progress>,
) -> Result<Arc<Recorder>, AnalysisError> {
    let recorder = Arc::new(start(files, options.log.clone(), progress.clone())?);
    record(&recorder, element("recorded")?, element("records")?, individuals.clone())?;
    if !options.settings.files.is_drawn() {
        let recorder = recorder.clone();
        skip(&pad(&element("recorded-queue")?, "sink")?, move |_| !recorder.takes_raw());
    }
    Ok(recorder)
}

/// A recorder that tells when it stops, which `progress` counts, and when it goes on.
fn start(files: &Recordings, log: Log, progress: Arc<Progress>) -> Result<Recorder, RecordingError> {
    Recorder::new(files.clone(), move |notice| {
        let text = match notice {
            Notice::Stopped(reason) => {
                progress.recording_failed();
                format!("recordings stop until there is room: {reason}")
            }
            Notice::GoesOn => "recordings go on".into(),
            Notice::NoSound(reason) => format!("recordings go on without sound: {reason}"),
            Notice::NotDeleted(reason) => format!("old recordings cannot be deleted: {reason}"),
        };
        log.say(&text);
        status::tell(&text);
    })
}

/// Passes pictures and records on to the recorder; the latter not while `individuals` are hidden.
fn record(recorder: &Arc<Recorder>, pictures: gst::Element, records: gst::Element, individuals: Arc<Hiding>) -> Result<(), AnalysisError> {
    let gaps = recorder.clone();
    pad(&records, "sink")?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Gap(gap)) = info.event().map(|event| event.view()) {
            gaps.write(None, gap.get().0);
        }
        gst::PadProbeReturn::Ok
    });
    let written = recorder.clone();
    take(records, move |sample| {
        let text = sample.buffer().and_then(|buffer| Some((buffer.pts()?, buffer.map_readable().ok()?)));
        text.into_iter().for_each(|(time, text)| written.write(Some(&text[..]).filter(|_| !individuals.hides(Some(time))), time));
    })?;
    let recorder = recorder.clone();
    take(pictures, move |sample| {
        let frame = sample.caps().zip(sample.buffer_owned());
        let frame = frame.and_then(|(caps, buffer)| Some(Frame { time: buffer.pts()?, caps: caps.to_owned(), buffer }));
        frame.into_iter().for_each(|frame| recorder.push(frame));
    })
}
