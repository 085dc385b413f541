// SPDX-License-Identifier: MIT OR Apache-2.0
//! All sources and their supervisor threads.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use emotion_core::export::Utc;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::graph::Constant;
use super::hiding::{Hidden, Hiding};
use super::input::Input;
use super::source::{Command, Description, Plan, Source};
use super::switches::Switches;
use super::{retention, supervisor, upload};
use crate::calendar::Calendar;

/// The folder for files of viewers, in that for records.
const UPLOADS: &str = "uploads";
/// Maximum length of a source's name in the name of its folder. File systems allow 255 bytes in total.
const MAX_NAME_BYTES: usize = 100;
/// How long sources may take to stop when the program ends.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// What applies to all sources.
#[derive(Debug)]
pub struct Settings {
    /// Folder for records and for files of viewers.
    pub data: PathBuf,
    /// Maximum size of one record.
    pub record_bytes: u64,
    /// Maximum number of sources.
    pub max_sources: usize,
    /// What a new source hides, at least.
    pub hidden: Hidden,
    /// The switch `geometry` of a new source.
    pub geometry: bool,
    /// Settings of elements.
    pub constant: Constant,
}

/// The reason for which a source was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error("there are already {running} sources, the maximum; remove one first")]
    Full { running: usize },
    #[error("there are {running} sources and {ending} that are still stopping, the maximum; try again in a moment")]
    Stopping { running: usize, ending: usize },
    /// What the source hides is not known.
    #[error(transparent)]
    Hidden(io::Error),
    #[error("cannot start a thread for the source: {0}")]
    Thread(#[from] io::Error),
}

/// The sources of this process.
pub struct Registry {
    settings: Settings,
    calendar: Calendar,
    hiding: Hiding,
    /// Incremented when the list of sources changes.
    pub changes: watch::Sender<u64>,
    sources: Mutex<Sources>,
}

#[derive(Default)]
struct Sources {
    last_id: u32,
    running: BTreeMap<u32, (Arc<Source>, JoinHandle<()>)>,
    /// Threads of removed sources, which may still be stopping their pipelines.
    ending: Vec<JoinHandle<()>>,
}

impl Sources {
    /// Checks that there is room for one more.
    fn check_room(&mut self, max: usize) -> Result<(), AddError> {
        self.ending.retain(|thread| !thread.is_finished());
        let (running, ending) = (self.running.len(), self.ending.len());
        match ending {
            _ if running + ending < max => Ok(()),
            0 => Err(AddError::Full { running }),
            _ => Err(AddError::Stopping { running, ending }),
        }
    }
}

impl Registry {
    /// A registry without sources. Files of viewers that an earlier process left are deleted.
    pub fn new(settings: Settings, calendar: Calendar) -> Self {
        upload::remove_leftovers(&settings.data.join(UPLOADS));
        let hiding = Hiding::new(&settings.data, settings.hidden);
        Self { settings, calendar, hiding, changes: watch::Sender::new(0), sources: Mutex::default() }
    }

    /// The current time in milliseconds since 1970, by the clock of all sources.
    pub fn now_ms(&self) -> u64 {
        self.calendar.now_ms()
    }

    /// The folder for files of viewers.
    pub fn uploads(&self) -> PathBuf {
        self.settings.data.join(UPLOADS)
    }

    /// Adds a source and starts it. Of the records of earlier sources, the newest stay: as many as there may be sources.
    ///
    /// # Errors
    /// If the maximum number of sources is reached, what the source hides cannot be read, or no thread can be started.
    pub fn add(&self, input: Input, name: String) -> Result<Arc<Source>, AddError> {
        retention::remove_oldest(&self.settings.data, self.settings.max_sources);
        let mut sources = self.sources.lock();
        sources.check_room(self.settings.max_sources)?;
        sources.last_id += 1;
        let id = sources.last_id;
        let folder = self.folder(id, &name);
        let Hidden { aggregate_only, blur } = self.hiding.of(&input).map_err(AddError::Hidden)?;
        let switches = Switches { aggregate_only, blur, geometry: self.settings.geometry, ..Switches::default() };
        let (record_bytes, changes, calendar) = (self.settings.record_bytes, self.changes.clone(), self.calendar.clone());
        let plan = Plan { id, name, input, switches, folder: &folder, record_bytes, changes, calendar };
        let (source, commands) = Source::new(plan);
        let source = Arc::new(source);
        let supervised = supervisor::spawn(source.clone(), commands, self.settings.constant.clone(), self.calendar.clone())?;
        sources.running.insert(id, (source.clone(), supervised));
        drop(sources);
        self.changed();
        Ok(source)
    }

    /// The source with this id.
    pub fn get(&self, id: u32) -> Option<Arc<Source>> {
        self.sources.lock().running.get(&id).map(|(source, _)| source.clone())
    }

    /// Keeps what `source` hides over a restart.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn keep_hidden(&self, source: &Source) -> io::Result<()> {
        if source.has_upload() { Ok(()) } else { self.hiding.keep(&source.input, || source.switches().hidden()) }
    }

    /// Ends a source. Returns false if there is no source with this id.
    pub fn remove(&self, id: u32) -> bool {
        let mut sources = self.sources.lock();
        let Some((source, thread)) = sources.running.remove(&id) else { return false };
        source.command(Command::End);
        sources.ending.push(thread);
        drop(sources);
        self.changed();
        true
    }

    /// Descriptions of all sources.
    pub fn list(&self) -> Vec<Description> {
        self.sources.lock().running.values().map(|(source, _)| source.description()).collect()
    }

    /// All sources.
    pub fn all(&self) -> Vec<Arc<Source>> {
        self.sources.lock().running.values().map(|(source, _)| source.clone()).collect()
    }

    /// Ends all sources and waits for them, at most [`STOP_TIMEOUT`].
    pub fn remove_all(&self) {
        let Sources { running, mut ending, .. } = std::mem::take(&mut *self.sources.lock());
        running.values().for_each(|(source, _)| source.command(Command::End));
        ending.extend(running.into_values().map(|(_, thread)| thread));
        let end = Instant::now() + STOP_TIMEOUT;
        for supervised in ending {
            while !supervised.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The folder for a source's records. Its name has the start time and the source's name.
    fn folder(&self, id: u32, name: &str) -> PathBuf {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let utc = Utc(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)).to_string();
        let time: String = utc.chars().take(19).filter(|c| *c != ':').collect();
        let plain: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let plain = &plain[..plain.floor_char_boundary(MAX_NAME_BYTES)];
        self.settings.data.join(format!("{time}-{id}-{plain}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_source_with_a_long_name_has_a_folder() {
        let data = std::env::temp_dir().join(format!("emotion-dashboard-long-{}", std::process::id()));
        let (hidden, constant) = (Hidden::default(), Constant::default());
        let settings = Settings { data: data.clone(), record_bytes: 1 << 20, max_sources: 1, hidden, geometry: false, constant };
        let folder = Registry::new(settings, Calendar::new()).folder(u32::MAX, &"𝔸".repeat(60));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(folder.to_string_lossy().ends_with("-4294967295-𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸"));
        std::fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn a_removed_source_counts_until_it_has_stopped() {
        let mut sources = Sources::default();
        assert!(matches!(sources.check_room(0), Err(AddError::Full { running: 0 })));
        let (stop, stopped) = mpsc::channel::<()>();
        sources.ending.push(std::thread::spawn(move || {
            let _ = stopped.recv();
        }));
        assert!(sources.check_room(2).is_ok());
        assert!(matches!(sources.check_room(1), Err(AddError::Stopping { running: 0, ending: 1 })));
        drop(stop);
        while !sources.ending.iter().all(JoinHandle::is_finished) {
            std::thread::yield_now();
        }
        assert!(sources.check_room(1).is_ok() && sources.ending.is_empty());
    }
}
