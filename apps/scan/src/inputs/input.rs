// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file to examine, wherever it is. There may be millions of them, so each takes little memory.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::address::Address;
use super::unavailable::Unavailable;
use crate::findings::FileKey;

/// A file to examine.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// What it is called in the tables, and its version.
    pub key: FileKey,
    /// The whole URL of a remote file, if its name is without a secret.
    pub url: Option<Box<str>>,
    /// Why it cannot be examined, if that is already known.
    pub error: Option<Box<Unavailable>>,
}

impl Input {
    /// A local file with this metadata.
    pub fn local(path: &Path, found: &Metadata) -> Self {
        let (size, modified_ns) = version(found);
        Self::of(FileKey::local(path, size, modified_ns))
    }

    /// A local path that cannot be examined.
    pub fn unavailable(path: &Path, error: Unavailable) -> Self {
        Self { error: Some(error.into()), ..Self::of(FileKey::local(path, 0, 0)) }
    }

    /// The file of this key, whose name is its path or its URL.
    pub fn of(key: FileKey) -> Self {
        Self { key, url: None, error: None }
    }

    /// Where it is; the whole URL of a remote file.
    pub fn path(&self) -> PathBuf {
        self.url.as_deref().map_or_else(|| self.key.path(), PathBuf::from)
    }

    /// True if it has to be downloaded.
    pub fn is_remote(&self) -> bool {
        self.url.is_some() || self.key.bytes.is_none() && Address::parse(self.key.name.as_ref()).is_some()
    }

    /// Its path below a folder that has results of all files.
    pub fn path_of_results(&self) -> PathBuf {
        if self.is_remote() { PathBuf::from(self.key.name.split_once("://").map_or("", |(_, rest)| rest)) } else { self.path() }
    }

    /// True if a local file was changed since it was listed. A remote one is examined as it was when it was downloaded.
    pub fn is_changed(&self) -> bool {
        !self.is_remote() && fs::metadata(self.path()).map_or(true, |found| version(&found) != (self.key.size, self.key.modified_ns))
    }
}

/// Size and time of the last change, in nanoseconds since 1970; 0 if the file system has no such time.
fn version(found: &Metadata) -> (u64, i64) {
    let nanoseconds = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let modified_ns = found.modified().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
        Ok(after) => nanoseconds(after),
        Err(before) => -nanoseconds(before.duration()),
    });
    (found.len(), modified_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_changed_when_its_size_or_time_differs() {
        let path = std::env::temp_dir().join(format!("emotion-scan-changed-{}.jpg", std::process::id()));
        fs::write(&path, "short").unwrap();
        let input = Input::local(&path, &fs::metadata(&path).unwrap());
        assert!(!input.is_changed());
        fs::write(&path, "longer than before").unwrap();
        assert!(input.is_changed());
        fs::remove_file(&path).unwrap();
        assert!(input.is_changed());
    }
}
