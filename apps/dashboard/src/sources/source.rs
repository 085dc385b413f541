// SPDX-License-Identifier: MIT OR Apache-2.0
//! The shared state of one source: its pipeline writes it, viewers read it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;
use emotion_supervise::progress::Progress;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::{broadcast, watch};

use crate::calendar::Calendar;
pub use crate::sources::description::{Description, State};
use crate::sources::input::Input;
use crate::sources::live::{Frame, Live};
use crate::sources::recorder::Recorder;
use crate::sources::switches::{SwitchError, Switches};
use crate::sources::upload::Upload;

/// The names of the records that can be downloaded.
pub const RECORDS: [&str; 4] = ["faces.ndjson", "faces.csv", "room.ndjson", "room.csv"];

/// Records of faces that wait for a program that follows a source slowly; it misses older ones.
const LINES_AHEAD: usize = 256;

/// A source of video and its state.
#[derive(Debug)]
pub struct Source {
    /// Its id, from 1, never reused.
    pub id: u32,
    /// Its name on the page.
    pub name: String,
    /// Where its video comes from.
    pub input: Input,
    /// Secret that allows a browser to send pictures to [`Input::Browser`].
    pub key: String,
    /// Counts of its frames and faces.
    pub progress: Arc<Progress>,
    /// The newest annotated picture, as JPEG.
    pub pictures: watch::Sender<Option<Bytes>>,
    /// The newest reading, as JSON.
    pub readings: watch::Sender<Option<Utf8Bytes>>,
    /// The records of individual faces, as JSON.
    pub lines: broadcast::Sender<String>,
    /// The record of the last whole second, as JSON.
    pub summary: Mutex<Option<String>>,
    feed: Mutex<Option<gst_app::AppSrc>>,
    live: Mutex<Live>,
    records: [Mutex<Recorder>; 4],
    state: Mutex<State>,
    calendar: Calendar,
    /// Since when it has failed without playing in between.
    failing_since: Mutex<Option<Instant>>,
    switches: Mutex<Switches>,
    /// The file that is played, if a viewer has sent it.
    upload: Mutex<Option<Upload>>,
    recording_error: Mutex<Option<String>>,
    commands: mpsc::Sender<Command>,
    changes: watch::Sender<u64>,
}

/// Commands for a source's supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start the pipeline.
    Start,
    /// Stop the pipeline and release the camera, file or connection.
    Stop,
    /// Apply the current switches.
    Switch,
    /// Take the face of this id for one at rest.
    Calibrate(u32),
    /// Forget how it looks at rest.
    ResetBaseline(u32),
    /// Stop and end the thread.
    End,
}

/// What [`Source::new`] needs.
#[derive(Debug)]
pub struct Plan<'a> {
    pub id: u32,
    pub name: String,
    /// Where its video comes from.
    pub input: Input,
    /// Its switches at first.
    pub switches: Switches,
    /// The folder for its records.
    pub folder: &'a Path,
    /// Maximum size of one record.
    pub record_bytes: u64,
    /// Incremented when its description changes.
    pub changes: watch::Sender<u64>,
    /// The clock of all sources.
    pub calendar: Calendar,
}

impl Source {
    /// A source that is not running yet, and the receiver of its commands.
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
            progress: Arc::default(),
            pictures: watch::Sender::new(None),
            readings: watch::Sender::new(None),
            lines: broadcast::Sender::new(LINES_AHEAD),
            summary: Mutex::default(),
            feed: Mutex::new(None),
            live: Mutex::new(Live::new(plan.calendar.clone())),
            records: RECORDS.map(record),
            state: Mutex::new(State::Connecting),
            calendar: plan.calendar,
            failing_since: Mutex::default(),
            switches: Mutex::new(plan.switches),
            upload: Mutex::default(),
            recording_error: Mutex::default(),
            commands,
            changes: plan.changes,
        };
        (source, receiver)
    }

    /// The source as the list shows it.
    pub fn description(&self) -> Description {
        Description {
            id: self.id,
            name: self.name.clone(),
            kind: self.input.kind(),
            state: self.state.lock().clone(),
            switches: self.switches(),
            recording_error: self.recording_error.lock().clone(),
        }
    }

    /// Keeps a viewer's file as long as the source.
    pub fn keep(&self, upload: Upload) {
        *self.upload.lock() = Some(upload);
    }

    /// True if it plays a viewer's file, which is deleted with it.
    pub fn has_upload(&self) -> bool {
        self.upload.lock().is_some()
    }

    /// Sends a command. Nothing happens if the source has ended.
    pub fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// The current switches.
    pub fn switches(&self) -> Switches {
        *self.switches.lock()
    }

    /// Sets the switches that `change` has, and applies them to the elements. What they hide is no longer kept for viewers, whether
    /// or not another frame arrives.
    ///
    /// # Errors
    /// If `change` has an unknown switch, or a value that is out of range.
    pub fn switch(&self, change: Map<String, Value>) -> Result<(), SwitchError> {
        let mut current = self.switches.lock();
        let switches = current.changed(change)?;
        if !current.hide_as_much_as(&switches) {
            self.pictures.send_replace(None);
            self.readings.send_replace(None);
        }
        *current = switches;
        drop(current);
        self.command(Command::Switch);
        self.changed();
        Ok(())
    }

    /// Since when it has failed without playing in between, in milliseconds since 1970; `None` if it has not failed.
    pub fn failing_since_ms(&self) -> Option<u64> {
        self.failing_since.lock().map(|moment| self.calendar.ms(moment))
    }

    /// Changes the state.
    pub fn set_state(&self, state: State) {
        match &state {
            State::Failed { .. } => {
                self.failing_since.lock().get_or_insert_with(Instant::now);
            }
            State::Playing | State::Stopped => *self.failing_since.lock() = None,
            State::Connecting | State::Waiting => {}
        }
        let before = std::mem::replace(&mut *self.state.lock(), state.clone());
        if before != state {
            self.changed();
        }
    }

    /// Sets where a browser's pictures go; `None` while no pipeline runs.
    pub fn set_feed(&self, feed: Option<gst_app::AppSrc>) {
        *self.feed.lock() = feed;
    }

    /// Sends a browser's picture into the pipeline.
    pub fn feed(&self, jpeg: Bytes) {
        let feed = self.feed.lock().clone();
        if let Some(feed) = feed {
            // Fails if the pipeline is being stopped.
            let _ = feed.push_buffer(gst::Buffer::from_slice(jpeg));
        }
    }

    /// Resets what belongs to one run of the pipeline.
    pub fn begin_run(&self) {
        self.progress.begin_run();
        self.live.lock().forget_tracks();
    }

    /// Updates the state with the faces of a frame, which has the timestamp `pts_ns`.
    pub fn observe(&self, pts_ns: Option<u64>, size: Size, faces: &[FaceRecord]) {
        let now = Instant::now();
        self.progress.beat();
        let latency = self.progress.counts().latency;
        let made = self.switches();
        if let Some(reading) = self.live.lock().observe(&Frame { now, pts_ns, size, latency, faces }, made.aggregate_only) {
            self.publish(&self.readings, reading.into(), &made);
        }
    }

    /// Publishes a picture that was drawn under the switches `made`. `age` is the time since its frame was captured.
    pub fn show(&self, jpeg: Bytes, age: Option<Duration>, made: &Switches) {
        if let Some(age) = age {
            self.progress.set_latency(age);
        }
        self.publish(&self.pictures, jpeg, made);
    }

    /// Publishes `value`, unless a switch has hidden it since it was made.
    fn publish<T>(&self, newest: &watch::Sender<Option<T>>, value: T, made: &Switches) {
        let switches = self.switches.lock();
        if made.hide_as_much_as(&switches) {
            newest.send_replace(Some(value));
        }
    }

    /// True if the switches do not hide what is in the record `name`.
    pub fn allows(&self, name: &str) -> bool {
        !(name.starts_with("faces") && self.switches().aggregate_only)
    }

    /// Adds lines to a record, or sets the header that its files start with.
    pub fn record(&self, index: usize, text: &[u8], is_header: bool) {
        // A frame may have passed the valve before it was closed.
        if !is_header && !self.allows(RECORDS[index]) {
            return;
        }
        self.tell(index, text);
        let written = {
            let mut recorder = self.records[index].lock();
            if is_header { recorder.begin(text) } else { recorder.write(text) }
        };
        let error = written.err().map(|error| error.to_string());
        let mut known = self.recording_error.lock();
        if *known != error {
            if let Some(error) = &error {
                eprintln!("emotion-dashboard: {}: {} is not recorded: {error}", self.name, RECORDS[index]);
            }
            *known = error;
            drop(known);
            self.changed();
        }
    }

    /// Passes the lines of a record on to programs that follow the source.
    fn tell(&self, index: usize, text: &[u8]) {
        let lines = || text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()).filter(|line| !line.is_empty());
        match RECORDS[index] {
            // Fails if nobody follows it.
            "faces.ndjson" => lines().for_each(|line| drop(self.lines.send(line.to_owned()))),
            "room.ndjson" => lines().for_each(|line| *self.summary.lock() = Some(line.to_owned())),
            _ => {}
        }
    }

    /// The current content of a record; `None` if no record has this name.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn recorded(&self, name: &str) -> Option<io::Result<Box<dyn Read + Send>>> {
        let index = RECORDS.iter().position(|record| *record == name)?;
        Some(self.records[index].lock().reader())
    }

    /// Calls `look` with the live state. The pipeline waits meanwhile, so `look` must be quick.
    pub fn with_live<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&self.live.lock())
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// 128 random bits, in hexadecimal.
pub fn random_key() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use emotion_core::geometry::Rect;
    use emotion_supervise::chain::{Baseline, Prior};
    use emotion_supervise::place::Place;

    use super::*;

    /// A source that has no pipeline and whose records are in a folder that its test names.
    fn source(folder: &Path) -> Source {
        let input = Input::Place(Place::File("clip.avi".into()));
        let plan = Plan {
            id: 1,
            name: "clip".into(),
            input,
            switches: Switches::default(),
            folder,
            record_bytes: 1 << 20,
            changes: watch::Sender::new(0),
            calendar: Calendar::new(),
        };
        Source::new(plan).0
    }

    fn observe(source: &Source) {
        let face = FaceRecord {
            id: 1,
            rect_norm: Rect::new(0.25, 0.25, 0.5, 0.5),
            detection: None,
            emotion: None,
            geometry: None,
            confirmed: true,
        };
        source.observe(None, Size { width: 640, height: 480 }, &[face]);
    }

    /// Sets all switches.
    fn switch(source: &Source, switches: Switches) {
        let Ok(Value::Object(all)) = serde_json::to_value(switches) else { panic!("an object") };
        source.switch(all).unwrap();
    }

    const OPEN: Switches = Switches {
        aggregate_only: false,
        blur: false,
        geometry: false,
        prior: Prior::Natural,
        baseline: Baseline::None,
        threshold: None,
        interval: 1,
    };
    const BLUR: Switches = Switches { blur: true, ..OPEN };
    const TOTALS: Switches = Switches { aggregate_only: true, ..OPEN };

    #[test]
    fn what_a_switch_hides_is_not_kept_for_viewers() {
        for hidden in [BLUR, TOTALS] {
            let source = source(Path::new("/nowhere"));
            source.show(Bytes::from_static(b"open"), None, &OPEN);
            observe(&source);
            assert!(source.pictures.borrow().is_some() && source.readings.borrow().is_some());
            switch(&source, hidden);
            assert!(source.pictures.borrow().is_none() && source.readings.borrow().is_none(), "{hidden:?}");
            source.show(Bytes::from_static(b"late"), None, &OPEN);
            assert!(source.pictures.borrow().is_none(), "drawn before the switch: {hidden:?}");
            source.show(Bytes::from_static(b"hidden"), None, &hidden);
            assert!(source.pictures.borrow().is_some());
        }
    }

    #[test]
    fn a_viewer_who_changes_one_switch_leaves_those_of_others() {
        let source = source(Path::new("/nowhere"));
        let change = |change: Value| source.switch(change.as_object().unwrap().clone());
        change(serde_json::json!({"blur": true, "threshold": 0.5})).unwrap();
        change(serde_json::json!({"interval": 5})).unwrap();
        change(serde_json::json!({"threshold": null})).unwrap();
        assert!(change(serde_json::json!({"blur": false, "interval": 0})).is_err(), "nothing is set");
        assert_eq!(source.switches(), Switches { interval: 5, ..BLUR });
    }

    #[test]
    fn a_switch_that_hides_no_more_keeps_the_picture() {
        let source = source(Path::new("/nowhere"));
        switch(&source, BLUR);
        source.show(Bytes::from_static(b"blurred"), None, &BLUR);
        for switches in [Switches { interval: 5, ..BLUR }, OPEN] {
            switch(&source, switches);
            assert!(source.pictures.borrow().is_some(), "{switches:?}");
        }
    }

    #[test]
    fn individual_faces_are_not_recorded_while_they_are_hidden() {
        let folder = std::env::temp_dir().join(format!("emotion-dashboard-hidden-{}", std::process::id()));
        let source = source(&folder);
        let text = |name: &str| {
            let mut text = String::new();
            source.recorded(name).unwrap().unwrap().read_to_string(&mut text).unwrap();
            text
        };
        let mut followed = source.lines.subscribe();
        switch(&source, TOTALS);
        RECORDS.iter().enumerate().for_each(|(index, _)| source.record(index, b"hidden\n", false));
        assert_eq!((text("faces.ndjson"), text("faces.csv"), text("room.csv").as_str()), (String::new(), String::new(), "hidden\n"));
        switch(&source, OPEN);
        source.record(0, b"open\n", false);
        assert_eq!((text("faces.ndjson").as_str(), followed.try_recv()), ("open\n", Ok("open".to_owned())));
        assert_eq!(source.summary.lock().as_deref(), Some("hidden"), "totals are not hidden");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
