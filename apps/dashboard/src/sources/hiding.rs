// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is hidden of the faces in front of each camera. It is kept in a file, so that neither a restart nor a source that is removed and
//! added again shows more than before.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use emotion_supervise::kept;
use emotion_supervise::place::Place;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::input::Input;

/// The file, in the folder for records.
const FILE: &str = "hidden.json";

/// What is hidden of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// Individual faces.
    pub aggregate_only: bool,
    /// What makes a face recognisable.
    pub blur: bool,
}

/// What is hidden, by the address of a source.
#[derive(Debug)]
pub struct Hiding {
    file: PathBuf,
    /// Hidden of each source that begins.
    always: Hidden,
    /// One thread at a time writes the file.
    writing: Mutex<()>,
}

impl Hiding {
    /// What the file in `folder` has. A source that begins hides what `always` does, too.
    pub fn new(folder: &Path, always: Hidden) -> Self {
        Self { file: folder.join(FILE), always, writing: Mutex::default() }
    }

    /// What a source of `input` hides when it begins.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn of(&self, input: &Input) -> io::Result<Hidden> {
        let kept = address(input).map_or(Ok(None), |address| Ok::<_, io::Error>(self.read()?.get(&address).copied()))?;
        let kept = kept.unwrap_or_default();
        Ok(Hidden { aggregate_only: kept.aggregate_only || self.always.aggregate_only, blur: kept.blur || self.always.blur })
    }

    /// Keeps what a source of `input` hides: the result of `now`, which is called when no other thread writes.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep(&self, input: &Input, now: impl FnOnce() -> Hidden) -> io::Result<()> {
        let Some(address) = address(input) else { return Ok(()) };
        let _writing = self.writing.lock();
        let mut all = self.read()?;
        let hidden = now();
        let before = if hidden == Hidden::default() { all.remove(&address) } else { all.insert(address, hidden) };
        if before.unwrap_or_default() == hidden { Ok(()) } else { kept::write(&self.file, &all) }
    }

    fn read(&self) -> io::Result<BTreeMap<String, Hidden>> {
        Ok(kept::read(&self.file)?.unwrap_or_default())
    }
}

/// What tells a source from others after a restart: its address without a password. A browser and the file of a viewer have none.
fn address(input: &Input) -> Option<String> {
    match input {
        Input::Place(Place::Rtsp(address) | Place::Stream(address)) => Some(input.without_password(address)),
        Input::Place(Place::Libcamera(name)) => Some(format!("libcamera:{name}")),
        Input::Place(Place::Launch(line)) => Some(input.without_password(&format!("gst:{line}"))),
        Input::Place(Place::File(path) | Place::Device(path)) => Some(path.to_string_lossy().into_owned()),
        Input::Browser => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const BLUR: Hidden = Hidden { aggregate_only: false, blur: true };
    const TOTALS: Hidden = Hidden { aggregate_only: true, blur: false };
    const OPEN: Hidden = Hidden { aggregate_only: false, blur: false };

    #[test]
    fn what_is_hidden_is_kept_without_the_password_of_a_camera() {
        let folder = std::env::temp_dir().join(format!("emotion-dashboard-hiding-{}", std::process::id()));
        let camera = |login: &str| Input::Place(Place::Rtsp(format!("rtsp://{login}camera/1")));
        let (door, device) = (camera("user:s3cret@"), Input::Place(Place::Device("/dev/video0".into())));
        let hiding = Hiding::new(&folder, OPEN);
        hiding.keep(&door, || BLUR).unwrap();
        hiding.keep(&device, || TOTALS).unwrap();
        hiding.keep(&Input::Browser, || BLUR).unwrap();
        let again = |always| Hiding::new(&folder, always);
        assert_eq!(
            [&door, &camera("other:pw@"), &device, &Input::Browser].map(|input| again(OPEN).of(input).unwrap()),
            [BLUR, BLUR, TOTALS, OPEN]
        );
        assert_eq!(again(BLUR).of(&device).unwrap(), Hidden { aggregate_only: true, blur: true }, "what the configuration hides, too");
        assert!(!fs::read_to_string(folder.join(FILE)).unwrap().contains("s3cret"));
        hiding.keep(&door, || OPEN).unwrap();
        assert_eq!(again(OPEN).of(&door).unwrap(), OPEN);
        // A file that cannot be read could have hidden the source.
        fs::write(folder.join(FILE), "{").unwrap();
        assert!(again(OPEN).of(&door).unwrap_err().to_string().contains(FILE));
        fs::remove_dir_all(folder).unwrap();
    }
}
