// SPDX-License-Identifier: MIT OR Apache-2.0
//! One source as everybody sees it: its pipeline writes here, viewers read.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use gstemotion::geometry::Size;
use gstemotion::record::FaceRecord;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::input::{Input, Kind};
use crate::live::{Calendar, Frame, Live};
use crate::recorder::Recorder;

/// The records of a source, by the names of their downloads.
pub const RECORDS: [&str; 4] = ["faces.ndjson", "faces.csv", "room.ndjson", "room.csv"];

/// A source and all that is known of it.
#[derive(Debug)]
pub struct Source {
    /// Its number, from 1, never given twice.
    pub id: u32,
    /// Its name, as people gave it.
    pub name: String,
    /// Where its video comes from.
    pub input: Input,
    /// Who knows it may send pictures to [`Input::Browser`].
    pub key: String,
    /// The newest picture, with what is drawn on it.
    pub pictures: watch::Sender<Option<Bytes>>,
    /// The newest reading, as JSON.
    pub readings: watch::Sender<Option<Utf8Bytes>>,
    feed: Mutex<Option<gst_app::AppSrc>>,
    live: Mutex<Live>,
    records: [Mutex<Recorder>; 4],
    state: Mutex<State>,
    switches: Mutex<Switches>,
    recording_error: Mutex<Option<String>>,
    commands: Mutex<mpsc::Sender<Command>>,
    changes: watch::Sender<u64>,
    started: Instant,
    /// Of the last frame, in milliseconds after `started`; 0 before the first of a run.
    last_frame_ms: AtomicU64,
    latency_us: AtomicU64,
}

/// What a source is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Play.
    Start,
    /// Let go of camera, file or connection.
    Stop,
    /// Take the switches as they are now.
    Switch,
    /// Stop for good.
    End,
}

/// What a source does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Nothing was seen yet.
    Connecting,
    /// A browser is to send pictures and does not.
    Waiting,
    /// Frames come.
    Playing,
    /// It broke and will be tried again.
    Failed {
        /// Why, for people.
        reason: String,
        /// When, in milliseconds since 1970.
        retry_at: u64,
        /// How often it broke in a row.
        attempts: u32,
    },
    /// Somebody stopped it.
    Stopped,
}

/// What viewers may switch; both reach the elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// Nothing is drawn, told or recorded of single faces.
    #[serde(default)]
    pub aggregate_only: bool,
    /// Faces cannot be recognised in pictures.
    #[serde(default)]
    pub blur: bool,
}

/// A source in the list.
#[derive(Debug, Serialize)]
pub struct Description {
    id: u32,
    name: String,
    kind: Kind,
    #[serde(flatten)]
    state: State,
    switches: Switches,
    recording_error: Option<String>,
}

/// What a source is made of.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Where its video comes from.
    pub input: Input,
    /// The folder of its records.
    pub folder: &'a Path,
    /// Most bytes of one record.
    pub record_bytes: u64,
    /// Where it says that its description changed.
    pub changes: watch::Sender<u64>,
    /// The time of day.
    pub calendar: Calendar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    /// A source that does nothing yet, and what it will be asked to do.
    pub fn new(plan: Plan<'_>) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel();
        let record = |name: &'static str| {
            let (name, extension) = name.split_once('.').unwrap_or((name, "txt"));
            Mutex::new(Recorder::new(plan.folder.to_owned(), name, extension, plan.record_bytes))
        };
        let source = Self {
            id: plan.id,
            name: plan.name,
            input: plan.input,
            key: random_key(),
            pictures: watch::Sender::new(None),
            readings: watch::Sender::new(None),
            feed: Mutex::new(None),
            live: Mutex::new(Live::new(plan.calendar)),
            records: RECORDS.map(record),
            state: Mutex::new(State::Connecting),
            switches: Mutex::default(),
            recording_error: Mutex::default(),
            commands: Mutex::new(commands),
            changes: plan.changes,
            started: Instant::now(),
            last_frame_ms: AtomicU64::new(0),
            latency_us: AtomicU64::new(0),
        };
        (source, receiver)
    }

    /// As the list shows it.
    pub fn description(&self) -> Description {
        Description {
            id: self.id,
            name: self.name.clone(),
            kind: self.input.kind(),
            state: lock(&self.state).clone(),
            switches: self.switches(),
            recording_error: lock(&self.recording_error).clone(),
        }
    }

    /// Asks for something; nothing happens if the source has ended.
    pub fn command(&self, command: Command) {
        let _ = lock(&self.commands).send(command);
    }

    /// The switches as they are.
    pub fn switches(&self) -> Switches {
        *lock(&self.switches)
    }

    /// Sets the switches; they reach the elements at once.
    pub fn switch(&self, switches: Switches) {
        *lock(&self.switches) = switches;
        self.command(Command::Switch);
        self.changed();
    }

    /// Says what the source does now.
    pub fn set_state(&self, state: State) {
        let before = std::mem::replace(&mut *lock(&self.state), state.clone());
        if before != state {
            self.changed();
        }
    }

    /// Where a browser's pictures go; none while there is no pipeline for them.
    pub fn set_feed(&self, feed: Option<gst_app::AppSrc>) {
        *lock(&self.feed) = feed;
    }

    /// Takes a browser's picture.
    pub fn feed(&self, jpeg: Bytes) {
        let feed = lock(&self.feed).clone();
        if let Some(feed) = feed {
            // Refused by a pipeline that is just being stopped.
            let _ = feed.push_buffer(gst::Buffer::from_slice(jpeg));
        }
    }

    /// Another run of the pipeline begins.
    pub fn begin_run(&self) {
        self.last_frame_ms.store(0, Ordering::Relaxed);
        lock(&self.live).forget_persons();
    }

    /// How long ago the last frame of this run was; none before the first.
    pub fn since_last_frame(&self) -> Option<Duration> {
        let last = Some(self.last_frame_ms.load(Ordering::Relaxed)).filter(|&ms| ms > 0)?;
        Some(self.started.elapsed().saturating_sub(Duration::from_millis(last)))
    }

    /// Takes the faces of a frame.
    pub fn observe(&self, size: Size, faces: &[FaceRecord]) {
        let now = Instant::now();
        let ms = u64::try_from((now - self.started).as_millis()).unwrap_or(u64::MAX);
        self.last_frame_ms.store(ms.max(1), Ordering::Relaxed);
        let latency = Duration::from_micros(self.latency_us.load(Ordering::Relaxed));
        let reading = lock(&self.live).observe(&Frame { now, size, latency, faces }, self.switches().aggregate_only);
        if let Some(reading) = reading {
            self.readings.send_replace(Some(reading.into()));
        }
    }

    /// Takes a picture of that age.
    pub fn show(&self, jpeg: Bytes, age: Option<Duration>) {
        if let Some(age) = age {
            self.latency_us.store(u64::try_from(age.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        self.pictures.send_replace(Some(jpeg));
    }

    /// Adds to a record: a header, which all of its files begin with, or lines.
    pub fn record(&self, index: usize, text: &[u8], is_header: bool) {
        let written = {
            let mut recorder = lock(&self.records[index]);
            if is_header { recorder.begin(text) } else { recorder.write(text) }
        };
        let error = written.err().map(|error| error.to_string());
        let mut known = lock(&self.recording_error);
        if *known != error {
            if let Some(error) = &error {
                eprintln!("emotion-dashboard: {}: {} is not recorded: {error}", self.name, RECORDS[index]);
            }
            *known = error;
            drop(known);
            self.changed();
        }
    }

    /// A record by the name of its download, as it is now.
    ///
    /// # Errors
    /// None for a name that there is not; those of the file system.
    pub fn recorded(&self, name: &str) -> Option<io::Result<Box<dyn Read + Send>>> {
        let index = RECORDS.iter().position(|record| *record == name)?;
        Some(lock(&self.records[index]).reader())
    }

    /// The past, looked at while the pipeline waits; so not for long.
    pub fn with_live<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&lock(&self.live))
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Something that nobody guesses.
fn random_key() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
