// SPDX-License-Identifier: MIT OR Apache-2.0
//! Switches, and the JSON files that keep them over a restart.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What `file` keeps; `None` if it is not there.
///
/// # Errors
/// If it is there and cannot be read: it could hide what nobody else may see.
pub fn read<T: DeserializeOwned>(file: &Path) -> io::Result<Option<T>> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(file, error.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(file, error)),
    }
}

/// Replaces `file`. It is whole after a power failure, too.
///
/// # Errors
/// If it cannot be written.
pub fn write(file: &Path, kept: &impl Serialize) -> io::Result<()> {
    let part = file.with_extension("part");
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let replace = || {
        fs::create_dir_all(folder)?;
        let mut written = File::create(&part)?;
        written.write_all(&serde_json::to_vec_pretty(kept)?)?;
        written.sync_all()?;
        fs::rename(&part, file)?;
        File::open(folder)?.sync_all()
    };
    replace().map_err(|error| failed(file, error))
}

fn failed(file: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

/// `switches` with what `change` sets. The others stay, because somebody else may have set them.
///
/// # Errors
/// If `change` has an unknown switch, or a value of another type.
pub fn changed<T: Serialize + DeserializeOwned>(switches: &T, change: Map<String, Value>) -> serde_json::Result<T> {
    let mut all = serde_json::to_value(switches)?;
    all.as_object_mut().expect("a struct is an object").extend(change);
    serde_json::from_value(all)
}
