// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands to a running camera by MQTT, at `TOPIC/set`, and the state of its switches, retained, at `TOPIC/state`.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use emotion_publish::mqtt::Mqtt;
use emotion_publish::subscriber::{Report, State};
use emotion_supervise::kept;
use tokio::sync::watch;

use crate::options::Options;
use crate::switches::{CommandError, SET, STATE, Switches, file};

/// A camera that commands switch.
pub trait Switchable: Send + Sync {
    /// What it does.
    fn options(&self) -> &Options;

    /// What is switched.
    ///
    /// # Errors
    /// If the file that keeps it cannot be read.
    fn switches(&self) -> std::io::Result<Switches>;

    /// Switches the analysis, and those after it.
    fn switch(&self, switches: Switches);
}

/// Takes commands on a thread of its own, if there is a file for the switches.
///
/// # Errors
/// If a file of the broker's secrets is wrong, or no thread can be started.
pub fn start(camera: Arc<dyn Switchable>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = camera.options();
    let Some((publish, file)) = options.publish.as_ref().zip(file(options)) else { return Ok(()) };
    let mqtt = Mqtt::without_status(publish.location.clone(), &options.secrets())?;
    let (topics, topic) = ([publish.location.topic(SET)], publish.location.topic(STATE));
    let (state, payload) = watch::channel(camera.switches()?.text());
    let mut control = Control { file, camera, state };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("control".into()).spawn(move || {
        runtime.block_on(mqtt.subscribe(&topics, Some(State { topic, payload }), |report| control.hear(report)));
    })?;
    Ok(())
}

/// What a command changes.
struct Control {
    file: PathBuf,
    camera: Arc<dyn Switchable>,
    state: watch::Sender<String>,
}

impl Control {
    fn hear(&mut self, report: Report<'_>) {
        match report {
            // One that the broker keeps may be older than what was switched since.
            Report::Message { payload, is_retained: false, .. } => {
                if let Err(error) = self.obey(payload) {
                    self.camera.options().log.say(format_args!("a command has no effect: {error}"));
                }
                self.camera.switches().into_iter().for_each(|now| drop(self.state.send_replace(now.text())));
            }
            Report::Disconnected(reason) => self.camera.options().log.say(format_args!("no commands are taken: {reason}")),
            Report::Message { .. } | Report::Connected => {}
        }
    }

    /// Switches, and keeps it. What shows more has to be kept first.
    fn obey(&mut self, command: &[u8]) -> Result<(), CommandError> {
        let now = self.camera.switches()?;
        let switches = now.changed(command)?;
        let kept = kept::write(&self.file, &switches);
        if kept.is_ok() || !switches.shows_more_than(&now) {
            self.camera.switch(switches);
        }
        Ok(kept?)
    }
}
