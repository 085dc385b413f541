// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records to pairs of files of equal length: `00000.mp4` and `00000.ndjson` and so on.
//!
//! ```text
//! Recorder ─ frames ─▶ appsrc ! tee   its own pipeline, so that a full disk ends nothing else
//!                        tee. ! encoder ! splitmuxsink     cutting.rs: where the video and the records are cut
//!                        tee. ! emotionexport ! fakesink
//!                      pairs.rs: numbers, files, syncs
//! ```
//!
//! When the pipeline fails, the recorder says so and tries again until there is room. When the frames change, for example in their colours,
//! it begins another pair. Their rate is not recorded: frames have their times, and an MP4 file cannot change its codec data.

mod cutting;
mod pairs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use std::{fmt, fs, io};

use gst::glib;
use gst::prelude::*;
use gst_app::AppSrc;
use parking_lot::Mutex;
use thiserror::Error;

use crate::encoding::{Encoder, NoEncoder, encoder};
use crate::run::reason;
use pairs::Pairs;

/// The element that writes the videos. What it has written of a video can be played after a crash.
const MUXER: &str = "splitmuxsink muxer::fragment-mode=first-moov-then-finalise muxer::fragment-duration=1000 \
                     sink::buffer-mode=unbuffered";
/// A queue for frames that must not be lost.
const ALL: &str = "queue max-size-buffers=4 max-size-bytes=0 max-size-time=0";
/// The rate in the caps of frames, of which their times are independent.
const NOMINAL_RATE: gst::Fraction = gst::Fraction::new_raw(30, 1);
/// Time between two syncs of the open files. A power failure loses what was written in this time.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(10);

/// Where recordings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    /// The folder, which is created if it does not exist.
    pub folder: PathBuf,
    /// Length of each recording.
    pub length: Duration,
}

/// Why nothing is recorded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The folder cannot be created, read or written.
    #[error("{}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// GStreamer cannot build the pipeline.
    #[error("{0}")]
    Launch(#[from] glib::Error),
    /// An element cannot be added or linked.
    #[error(transparent)]
    Link(#[from] glib::BoolError),
    /// An element or a pad is missing.
    #[error("the recorder has no {0}")]
    Missing(&'static str),
    /// No encoder is installed.
    #[error(transparent)]
    Encoder(#[from] NoEncoder),
}

/// Checks that a folder can be written, or created if it does not exist. Leaves everything as it is.
///
/// # Errors
/// If it cannot.
pub fn check_folder(folder: &Path) -> Result<(), RecordingError> {
    pairs::check_writable(folder).map_err(|source| RecordingError::Folder { folder: folder.to_owned(), source })
}

/// What a recorder is told about, when recordings stop and when they go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// They stopped, for this reason.
    Stopped(&'a str),
    /// They go on.
    GoesOn,
}

/// Makes an `emotionexport`, or what is tested in its place.
pub type MakeExporter = Box<dyn Fn() -> Result<gst::Element, glib::BoolError> + Send + Sync>;

/// Records the frames that are pushed.
pub struct Recorder {
    shared: Arc<Shared>,
    encoder: Encoder,
    make_exporter: MakeExporter,
    retry: Duration,
}

/// What a recorder shares with the thread of each pipeline.
struct Shared {
    recordings: Recordings,
    /// Number of the next pair.
    next: Arc<AtomicU32>,
    state: Mutex<State>,
    /// True from the first frame on the disk until a failure.
    is_up: AtomicBool,
    failures: AtomicU64,
    observe: Box<dyn Fn(Notice<'_>) + Send + Sync>,
}

#[derive(Default)]
struct State {
    run: Option<Run>,
    /// When a failure may be tried again; `None` if the last run has not failed.
    retry_at: Option<Instant>,
    /// Number of the last run.
    count: u64,
    is_ended: bool,
    /// Disconnected when a pipeline has been stopped.
    ending: Vec<Receiver<()>>,
}

/// A pipeline that records.
struct Run {
    number: u64,
    entry: AppSrc,
    /// Caps of the frames.
    caps: gst::Caps,
}

impl Recorder {
    /// A recorder whose pipelines begin with their first frame. `observe` is called when recordings stop and when they go on.
    ///
    /// # Errors
    /// If the folder cannot be written, or no encoder is installed.
    pub fn new(
        recordings: Recordings,
        make_exporter: MakeExporter,
        observe: impl Fn(Notice<'_>) + Send + Sync + 'static,
    ) -> Result<Self, RecordingError> {
        check_folder(&recordings.folder)?;
        let failed = |source| RecordingError::Folder { folder: recordings.folder.clone(), source };
        fs::create_dir_all(&recordings.folder).map_err(failed)?;
        let next = Arc::new(pairs::next_number(&recordings.folder).map_err(failed)?.into());
        let (is_up, failures, state) = Default::default();
        let shared = Arc::new(Shared { recordings, next, state, is_up, failures, observe: Box::new(observe) });
        Ok(Self { shared, encoder: encoder()?, make_exporter, retry: RETRY })
    }

    /// Records a frame that arrives at `sink`, an element of a playing pipeline. Waits while the encoder is busy.
    pub fn push(&self, sample: &gst::SampleRef, sink: &gst::Element) {
        let (Some(caps), Some(frame)) = (sample.caps(), sample.buffer_owned()) else { return };
        let mut caps = caps.to_owned();
        caps.make_mut().set("framerate", NOMINAL_RATE);
        if let Some(entry) = self.entry(&caps, frame.pts().unwrap_or_default(), sink) {
            // Fails when the pipeline has failed, which its thread reports.
            let _ = entry.push_buffer(frame);
        }
    }

    /// Ends the recording and waits until it is written, for at most `limit`. Returns false if that takes longer.
    pub fn finish(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.shared.state.lock();
        state.is_ended = true;
        state.run.take().iter().for_each(end_of_stream);
        let ending = std::mem::take(&mut state.ending);
        drop(state);
        let left = || end.saturating_duration_since(Instant::now());
        ending.iter().all(|ended| ended.recv_timeout(left()) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected))
    }

    /// True while frames reach the disk.
    pub fn is_up(&self) -> bool {
        self.shared.is_up.load(Ordering::Relaxed)
    }

    /// How often recordings have stopped.
    pub fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Where frames with `caps` go, the first of which has the time `pts`. `None` while there is no room, and at the end.
    fn entry(&self, caps: &gst::Caps, pts: gst::ClockTime, sink: &gst::Element) -> Option<AppSrc> {
        let mut state = self.shared.state.lock();
        if let Some(run) = &state.run {
            if run.caps == *caps {
                return Some(run.entry.clone());
            }
            end_of_stream(run);
            state.run = None;
        }
        if state.is_ended || state.retry_at.is_some_and(|at| at > Instant::now()) {
            return None;
        }
        if state.retry_at.is_some() && !pairs::has_room(&self.shared.recordings.folder) {
            state.retry_at = Some(Instant::now() + self.retry);
            return None;
        }
        state.count += 1;
        let number = state.count;
        match self.start(number, caps, pts, sink) {
            Ok((run, ended)) => {
                state.ending.retain(|ending| ending.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty));
                state.ending.push(ended);
                let entry = run.entry.clone();
                state.run = Some(run);
                Some(entry)
            }
            Err(error) => {
                self.shared.fail(&mut state, number, &error.to_string(), self.retry);
                None
            }
        }
    }

    /// Starts a pipeline with the running time of `sink`, and a thread that follows it. The videos begin at `pts`.
    fn start(
        &self,
        number: u64,
        caps: &gst::Caps,
        pts: gst::ClockTime,
        sink: &gst::Element,
    ) -> Result<(Run, Receiver<()>), RecordingError> {
        let Recordings { folder, .. } = &self.shared.recordings;
        let pairs = Arc::new(Pairs::new(folder.clone(), self.shared.next.clone()));
        let (pipeline, entry) = self.build(caps, &pairs)?;
        pipeline.use_clock(sink.clock().as_ref());
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(sink.base_time().unwrap_or_default());
        let pad = pipeline.by_name("video").and_then(|queue| queue.static_pad("src")).ok_or(RecordingError::Missing("pad"))?;
        pad.set_offset(-i64::try_from(pts.nseconds()).unwrap_or_default());
        let (ending, ended) = channel();
        let (shared, retry) = (self.shared.clone(), self.retry);
        // An error of an element that does not start is on the bus.
        let _ = pipeline.set_state(gst::State::Playing);
        let follow = move || shared.follow(number, &pipeline, &pairs, retry, ending);
        let followed = std::thread::Builder::new().name("recorder".into()).spawn(follow);
        followed.map_err(|source| RecordingError::Folder { folder: folder.clone(), source })?;
        Ok((Run { number, entry, caps: caps.clone() }, ended))
    }

    fn build(&self, caps: &gst::Caps, pairs: &Arc<Pairs>) -> Result<(gst::Pipeline, AppSrc), RecordingError> {
        let line = format!(
            "appsrc name=frames is-live=true format=time block=true max-buffers=1 max-bytes=0 ! tee name=faces \
             faces. ! {ALL} name=video ! videoconvert ! {} ! {MUXER} name=muxer \
             faces. ! queue name=records ! fakesink name=end sync=false async=false",
            self.encoder.recording
        );
        let pipeline = gst::parse::launch(&line)?.downcast::<gst::Pipeline>().map_err(|_| RecordingError::Missing("pipeline"))?;
        let named = |name: &'static str| pipeline.by_name(name).ok_or(RecordingError::Missing(name));
        let (records, end, exporter) = (named("records")?, named("end")?, (self.make_exporter)()?);
        records.unlink(&end);
        pipeline.add(&exporter)?;
        gst::Element::link_many([&records, &exporter, &end])?;
        cutting::attach(pairs, self.shared.recordings.length, &named("faces")?, &named("muxer")?, &exporter)?;
        let entry = named("frames")?.downcast::<AppSrc>().map_err(|_| RecordingError::Missing("appsrc"))?;
        entry.set_caps(Some(caps));
        Ok((pipeline, entry))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("recordings", &self.shared.recordings).finish_non_exhaustive()
    }
}

fn end_of_stream(run: &Run) {
    // Fails if the pipeline has been stopped.
    let _ = run.entry.end_of_stream();
}

impl Shared {
    /// Follows a pipeline to its end, syncs its files and stops it. `ending` is dropped last.
    fn follow(&self, number: u64, pipeline: &gst::Pipeline, pairs: &Pairs, retry: Duration, ending: Sender<()>) {
        let failed = self.follow_bus(pipeline, pairs).err();
        if let Some(reason) = &failed {
            self.fail(&mut self.state.lock(), number, reason, retry);
        }
        let _ = pipeline.set_state(gst::State::Null);
        pairs.finish(failed.is_some());
        drop(ending);
    }

    /// Returns at the end of the stream.
    ///
    /// # Errors
    /// The reason if an element or a sync fails.
    fn follow_bus(&self, pipeline: &gst::Pipeline, pairs: &Pairs) -> Result<(), String> {
        let bus = pipeline.bus().ok_or("a pipeline without a bus")?;
        let types = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Element];
        let mut next_sync = Instant::now() + SYNC_INTERVAL;
        loop {
            let wait = next_sync.saturating_duration_since(Instant::now());
            let message = bus.timed_pop_filtered(gst::ClockTime::try_from(wait).unwrap_or_default(), &types);
            match message.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => return Err(reason(error)),
                Some(gst::MessageView::Eos(_)) => return pairs.sync().map(drop).map_err(|error| error.to_string()),
                Some(gst::MessageView::Element(element)) => pairs.note(element.structure()),
                _ => {}
            }
            if Instant::now() >= next_sync {
                let has_video = pairs.sync().map_err(|error| error.to_string())?;
                if has_video && !self.is_up.swap(true, Ordering::Relaxed) && self.state.lock().retry_at.take().is_some() {
                    (self.observe)(Notice::GoesOn);
                }
                next_sync = Instant::now() + SYNC_INTERVAL;
            }
        }
    }

    /// Notes that the pipeline with this number has failed. Reports the reason if recordings did not fail before.
    fn fail(&self, state: &mut State, number: u64, reason: &str, retry: Duration) {
        if state.run.as_ref().is_some_and(|run| run.number == number) {
            state.run = None;
        }
        self.is_up.store(false, Ordering::Relaxed);
        if state.retry_at.replace(Instant::now() + retry).is_none() {
            self.failures.fetch_add(1, Ordering::Relaxed);
            (self.observe)(Notice::Stopped(reason));
        }
    }
}

#[cfg(test)]
mod tests;
