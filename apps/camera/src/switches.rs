// SPDX-License-Identifier: MIT OR Apache-2.0
//! The switches of a running camera, and the file that keeps them, so that a restart shows no more than before.

use std::path::PathBuf;

use emotion_core::choices::BlurFaces;
use emotion_supervise::chain::MAX_INTERVAL;
use emotion_supervise::kept;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::options::Options;
use crate::settings::Settings;

/// The last parts of the topics.
pub const SET: &str = "set";
pub const STATE: &str = "state";

/// What can be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// Looks for faces. Without it, the camera's own video is still recorded.
    pub analysis: bool,
    /// Hides faces in the served, recorded and sent picture.
    pub blur: bool,
    /// Publishes, serves, draws and records no individual faces.
    pub totals_only: bool,
    /// Frames from one search for faces to the next, 1..=[`MAX_INTERVAL`].
    pub interval: u32,
}

/// Why a command has no effect.
#[derive(Debug, Error)]
pub enum CommandError {
    #[error(transparent)]
    Unknown(#[from] serde_json::Error),
    #[error("expected an interval of 1 to {MAX_INTERVAL} frames")]
    Interval,
    #[error(transparent)]
    NotKept(#[from] std::io::Error),
}

impl Switches {
    /// Those that the settings have.
    pub fn configured(settings: &Settings) -> Self {
        Self { analysis: true, blur: settings.blur != BlurFaces::None, totals_only: false, interval: 1 }
    }

    /// Those of the last run, with what the settings hide.
    ///
    /// # Errors
    /// If the file that keeps them cannot be read: it could hide faces.
    pub fn read(options: &Options) -> std::io::Result<Self> {
        let configured = Self::configured(&options.settings);
        let kept = file(options).map_or(Ok(None), |file| kept::read::<Self>(&file))?.unwrap_or(configured);
        Ok(Self { blur: kept.blur || configured.blur, ..kept })
    }

    /// These switches with what a command sets.
    ///
    /// # Errors
    /// If it sets something else, or a wrong value.
    pub fn changed(&self, command: &[u8]) -> Result<Self, CommandError> {
        let switches: Self = kept::changed(self, serde_json::from_slice(command)?)?;
        if (1..=MAX_INTERVAL).contains(&switches.interval) { Ok(switches) } else { Err(CommandError::Interval) }
    }

    /// True if these hide less than `other`.
    pub fn shows_more_than(&self, other: &Self) -> bool {
        (other.blur && !self.blur) || (other.totals_only && !self.totals_only)
    }

    /// Their state, in JSON.
    pub fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// The file that keeps them.
pub fn file(options: &Options) -> Option<PathBuf> {
    options.publish.as_ref()?.switches_file.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Switches = Switches { analysis: true, blur: false, totals_only: false, interval: 1 };

    #[test]
    fn a_command_sets_what_it_names() {
        let changed = |command: &str| OPEN.changed(command.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(changed(r#"{"blur": true}"#), Ok(Switches { blur: true, ..OPEN }));
        assert_eq!(changed(r#"{"analysis": false, "interval": 5}"#), Ok(Switches { analysis: false, interval: 5, ..OPEN }));
        for (wrong, part) in [
            ("on", "expected value"),
            (r#"{"blurr": true}"#, "unknown field `blurr`"),
            (r#"{"blur": "yes"}"#, "expected a boolean"),
            (r#"{"interval": 0}"#, "expected an interval of 1 to 300"),
        ] {
            assert!(changed(wrong).unwrap_err().contains(part), "{wrong}: {:?}", changed(wrong));
        }
    }

    #[test]
    fn what_shows_more_is_told_from_what_hides() {
        let hidden = Switches { blur: true, totals_only: true, ..OPEN };
        assert!(OPEN.shows_more_than(&hidden) && !hidden.shows_more_than(&OPEN));
        assert!(Switches { blur: false, ..hidden }.shows_more_than(&hidden));
        assert!(!Switches { analysis: false, interval: 9, ..OPEN }.shows_more_than(&OPEN));
    }
}
