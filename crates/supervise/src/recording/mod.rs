// SPDX-License-Identifier: MIT OR Apache-2.0
//! Videos and records to pairs of files of equal length: `00000.mp4` and `00000.ndjson` and so on.
//!
//! ```text
//! camera.rs   H.264 or H.265 before its decoder, sound ─┐
//! Recorder    raw frames ───────────────────────────────┴▶ run.rs: appsrc ! encoder or parser ! splitmuxsink
//!             records ─▶ records.rs: the file beside the video
//!                        cutting.rs: where pairs begin; finishing.rs: how videos end
//!                        pairs.rs: numbers, files, syncs; retention.rs: which are deleted
//! ```
//!
//! Each pipeline is one of its own, so that a full disk ends nothing else. When it fails, the recorder says so and tries again until
//! there is room. When the frames change, for example in their colours, the recorder begins another pair: an MP4 file cannot change its
//! codec data. The rate of raw frames is not recorded: frames have their times.

mod camera;
mod cutting;
mod finishing;
mod form;
mod pairs;
mod records;
mod retention;
mod run;
mod sound;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};
use std::{fmt, fs, io};

use gst::glib;
use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;

use crate::encoding::NoEncoder;
pub use camera::{Taker, Tap};
pub(crate) use form::Form;
use records::Note;
pub use retention::Keep;
use retention::Own;
use run::Run;
use sound::Sounds;

/// Pause while the encoder is busy.
const BUSY: Duration = Duration::from_millis(2);
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(10);

/// Where recordings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    /// The folder, which is created if it does not exist.
    pub folder: PathBuf,
    /// Length of each recording.
    pub length: Duration,
    /// Name of the camera, whose own recordings are deleted.
    pub name: String,
    /// How long they are kept.
    pub keep: Keep,
    /// True if they have the sound of the source.
    pub sound: bool,
}

/// Why nothing is recorded.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum RecordingError {
    #[error("{}: {source}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("no thread: {0}")]
    Thread(#[source] io::Error),
    #[error("{0}")]
    Launch(#[from] glib::Error),
    #[error(transparent)]
    Link(#[from] glib::BoolError),
    #[error("the recorder has no {0}")]
    Missing(&'static str),
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

/// What a recorder tells about recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// They stopped, for this reason.
    Stopped(&'a str),
    /// They go on.
    GoesOn,
    /// Old ones cannot be deleted, for this reason.
    NotDeleted(&'a str),
    /// They go on without sound, for this reason.
    NoSound(&'a str),
}

/// A frame, or a piece of sound, to record.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What its bytes are: raw video, H.264 or H.265, or sound.
    pub caps: gst::Caps,
    /// The bytes.
    pub buffer: gst::Buffer,
    /// When it is shown or heard. The record of the frame has the same time.
    pub time: gst::ClockTime,
}

impl Frame {
    fn is_encoded(&self) -> bool {
        form::parser(&self.caps).is_some()
    }

    /// True if a recording can begin with it.
    pub(crate) fn is_key(&self) -> bool {
        !self.is_encoded() || !self.buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)
    }
}

/// Records the frames and records that are pushed.
pub struct Recorder {
    shared: Arc<Shared>,
    retry: Duration,
}

/// What a recorder shares with the thread of each pipeline.
struct Shared {
    recordings: Recordings,
    /// Number of the next pair.
    next: Arc<AtomicU32>,
    own: Arc<Mutex<Own>>,
    records: Sender<Note>,
    state: Mutex<State>,
    /// True from the first frame on the disk until a failure.
    is_up: AtomicBool,
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
    /// True while the source has encoded frames that can be recorded.
    has_encoded: bool,
    /// True while only raw frames are recorded.
    is_raw_only: bool,
    /// True while raw frames hide faces.
    is_hiding: bool,
    /// The time of the first raw frame that may be taken.
    raw_from: gst::ClockTime,
    /// True while raw frames go on until the next key frame of encoded ones.
    awaits_key: bool,
    sounds: Sounds,
}

impl State {
    fn takes_encoded(&self) -> bool {
        self.has_encoded && !self.is_raw_only
    }

    fn takes_raw(&self) -> bool {
        !self.takes_encoded() || self.awaits_key
    }

    /// True if frames up to `frame` have been recorded: encoded ones may come after raw ones of their time.
    fn has(&self, frame: &Frame) -> bool {
        self.run.as_ref().is_some_and(|run| frame.time < run.end)
    }

    fn takes(&self, frame: &Frame) -> bool {
        let is_wanted = match frame.is_encoded() {
            true => self.takes_encoded() && (!self.awaits_key || frame.is_key() && !self.has(frame)),
            false => self.takes_raw() && frame.time >= self.raw_from,
        };
        is_wanted && !self.is_ended
    }
}

impl Recorder {
    /// A recorder whose pipelines begin with their first frame. `observe` is called when recordings stop and when they go on.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn new(recordings: Recordings, observe: impl Fn(Notice<'_>) + Send + Sync + 'static) -> Result<Self, RecordingError> {
        check_folder(&recordings.folder)?;
        let failed = |source| RecordingError::Folder { folder: recordings.folder.clone(), source };
        fs::create_dir_all(&recordings.folder).map_err(failed)?;
        let next = Arc::new(pairs::next_number(&recordings.folder).map_err(failed)?.into());
        let own = Own::read(&recordings.folder, &recordings.name);
        own.mend();
        let own = Arc::new(Mutex::new(own));
        let records = records::start().map_err(RecordingError::Thread)?;
        let (is_up, state) = Default::default();
        let shared = Arc::new(Shared { recordings, next, own, records, state, is_up, observe: Box::new(observe) });
        Ok(Self { shared, retry: RETRY })
    }

    /// Records a frame. Waits while the encoder of raw frames is busy. Encoded frames are recorded from a key frame on.
    pub fn push(&self, frame: Frame) {
        let mut state = self.shared.state.lock();
        while state.takes(&frame) && !frame.is_encoded() && state.run.as_ref().is_some_and(Run::is_busy) {
            MutexGuard::unlocked(&mut state, || std::thread::sleep(BUSY));
        }
        if !state.takes(&frame) {
            return;
        }
        if frame.is_encoded() && std::mem::take(&mut state.awaits_key) {
            self.shared.end_run(&mut state);
        }
        let taken = self.run(&mut state, &frame).and_then(|run| Some((run.entry.clone(), run.take(&frame)?)));
        self.shared.note(Note::Frame(frame.time));
        let Some((entry, items)) = taken else { return };
        if frame.is_encoded() && entry.current_level_bytes() > run::MAX_WAITING {
            let number = state.count;
            return self.shared.fail(&mut state, number, "the disk is too slow", self.retry);
        }
        // With the lock, so that no video ends without a frame that it has taken.
        run::push(&entry, items);
    }

    /// Records sound beside the frames of its time.
    pub fn push_sound(&self, sound: Frame) {
        self.shared.state.lock().sounds.push(sound);
    }

    /// Writes the records of the frame at `time`, or with `None` notes that it has none.
    pub fn write(&self, records: Option<&[u8]>, time: gst::ClockTime) {
        self.shared.note(Note::Lines(time, records.map(<[u8]>::to_vec)));
    }

    /// Notes whether the source has encoded frames that can be recorded. Otherwise, raw frames are.
    pub fn set_encoded(&self, has_encoded: bool) {
        self.change(|state| state.has_encoded = has_encoded);
    }

    /// With `is_raw_only`, records raw frames alone, which go on where encoded ones end; no encoded frame is taken from now on. Without it,
    /// encoded ones are recorded if the source has any, from their next key frame on, and raw ones until then.
    ///
    /// `is_hiding` tells whether raw frames hide faces: no recording that hides them shows any. Those of before `now` that wait when hiding
    /// begins are not taken.
    pub fn set_raw_only(&self, is_raw_only: bool, is_hiding: bool, now: gst::ClockTime) {
        self.change(|state| {
            let encoded_until = state.run.as_ref().filter(|_| !state.takes_raw()).map(|run| run.end);
            if is_hiding != state.is_hiding && encoded_until.is_none() {
                self.shared.end_run(state);
            }
            let begins = is_hiding && !state.is_hiding;
            state.raw_from = encoded_until.or(begins.then_some(now)).unwrap_or(state.raw_from);
            (state.is_raw_only, state.is_hiding) = (is_raw_only, is_hiding);
        });
    }

    /// True while raw frames are recorded.
    pub fn takes_raw(&self) -> bool {
        self.shared.state.lock().takes_raw()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.state.lock();
        let (was_raw, was_recording) = (state.takes_raw(), state.run.is_some());
        change(&mut state);
        let takes_encoded = state.takes_encoded();
        state.awaits_key = takes_encoded && was_raw && was_recording;
        if !takes_encoded && !was_raw {
            self.shared.end_run(&mut state);
        }
    }

    /// Ends the recording and waits until it is written, for at most `limit`. Returns false if that takes longer.
    pub fn finish(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.shared.state.lock();
        state.is_ended = true;
        self.shared.end_run(&mut state);
        self.shared.note(Note::End);
        let ending = std::mem::take(&mut state.ending);
        drop(state);
        let left = || end.saturating_duration_since(Instant::now());
        ending.iter().all(|ended| ended.recv_timeout(left()) == Err(RecvTimeoutError::Disconnected))
    }

    /// True while frames reach the disk.
    pub fn is_up(&self) -> bool {
        self.shared.is_up.load(Ordering::Relaxed)
    }

    /// The run that takes `frame`. `None` before a key frame and while there is no room.
    fn run<'a>(&self, state: &'a mut State, frame: &Frame) -> Option<&'a mut Run> {
        if state.run.as_ref().is_some_and(|run| !run.goes_on_with(frame, &state.sounds)) {
            self.shared.end_run(state);
        }
        if state.run.is_none() {
            let awaits_sound = self.shared.recordings.sound && !frame.is_encoded() && state.sounds.may_come(frame.time);
            if awaits_sound || !frame.is_key() || state.retry_at.is_some_and(|at| at > Instant::now()) {
                return None;
            }
            if state.retry_at.is_some() && !pairs::has_room(&self.shared.recordings.folder) {
                state.retry_at = Some(Instant::now() + self.retry);
                return None;
            }
            self.start(state, frame);
        }
        let State { run, sounds, .. } = state;
        let run = run.as_mut()?;
        run.hear(sounds, frame.time);
        Some(run)
    }

    fn start(&self, state: &mut State, frame: &Frame) {
        state.count += 1;
        let number = state.count;
        match Run::start(&self.shared, number, self.retry, frame, state.sounds.caps_at(frame.time)) {
            Ok((run, ended)) => {
                state.ending.retain(|ending| ending.try_recv() == Err(TryRecvError::Empty));
                state.ending.push(ended);
                state.run = Some(run);
            }
            Err(error) => self.shared.fail(state, number, &error.to_string(), self.retry),
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("recordings", &self.shared.recordings).finish_non_exhaustive()
    }
}

impl Shared {
    /// Tells the thread of the records, which ends after all senders.
    fn note(&self, note: Note) {
        let _ = self.records.send(note);
    }

    /// Ends the video. Records of its frames may still come.
    fn end_run(&self, state: &mut State) {
        if let Some(run) = state.run.take() {
            self.note(Note::From(run.end(), None));
        }
    }

    /// Notes that the pipeline with this number has failed. Reports the reason if recordings did not fail before.
    fn fail(&self, state: &mut State, number: u64, reason: &str, retry: Duration) {
        if state.run.as_ref().is_some_and(|run| run.number == number) {
            self.end_run(state);
        }
        self.is_up.store(false, Ordering::Relaxed);
        if state.retry_at.replace(Instant::now() + retry).is_none() {
            (self.observe)(Notice::Stopped(reason));
        }
    }
}

#[cfg(test)]
mod tests;
