// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder that only one process uses at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use same_file::Handle;

use crate::error::Error;
use crate::platform;

/// Name of the locked file.
const NAME: &str = "lock";

/// A folder that is locked for this process, until the value is dropped.
#[derive(Debug)]
pub(crate) struct LockedFolder {
    path: PathBuf,
    /// `None` once the folder is removed.
    lock: Mutex<Option<File>>,
}

impl LockedFolder {
    /// Creates the folder, unless it exists, and locks it.
    ///
    /// # Errors
    /// If another process holds the lock, or the folder cannot be written.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        loop {
            fs::create_dir_all(path).map_err(Error::at(path))?;
            let file = path.join(NAME);
            let lock = match OpenOptions::new().write(true).create(true).truncate(false).open(&file) {
                // Another process has just removed the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                lock => lock.map_err(Error::at(&file))?,
            };
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::Busy(path.to_owned())),
                Err(TryLockError::Error(error)) => return Err(Error::at(&file)(error)),
            }
            let folder = Self { path: path.to_owned(), lock: Mutex::new(Some(lock)) };
            if folder.has_lock_at(&file) {
                return Ok(folder);
            }
        }
    }

    /// True if the locked file is still the one at `file`. Another process may have removed it in the meantime.
    fn has_lock_at(&self, file: &Path) -> bool {
        let held = self.lock.lock().as_ref().map(|lock| lock.try_clone().and_then(Handle::from_file));
        matches!((held, Handle::from_path(file)), (Some(Ok(held)), Ok(found)) if held == found)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder with its contents: `first`, if it exists, before everything else, and the lock last.
    pub(crate) fn remove(&self, first: Option<&str>) -> io::Result<()> {
        first.map_or(Ok(()), |first| remove_any(&self.path.join(first)))?;
        platform::sync_folder(&self.path)?;
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() != NAME {
                remove_any(&entry.path())?;
            }
        }
        fs::remove_file(self.path.join(NAME))?;
        // Windows may keep the name of a file in the folder until the file is closed.
        drop(self.lock.lock().take());
        match fs::remove_dir(&self.path) {
            // Without the lock, another process may already work there.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => removed,
        }
    }
}

/// Removes a file or a folder, if it exists.
fn remove_any(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(test: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("emotion-scan-lock-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_folder_is_locked_until_it_is_dropped_or_removed() {
        let path = folder("held");
        let held = LockedFolder::open(&path).unwrap();
        assert!(matches!(LockedFolder::open(&path), Err(Error::Busy(_))));
        drop(held);
        let again = LockedFolder::open(&path).unwrap();
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/c"), "").unwrap();
        again.remove(Some("none")).unwrap();
        assert!(!path.exists());
        LockedFolder::open(&path).unwrap().remove(None).unwrap();
    }

    #[cfg(unix)] // Windows may keep the name of a file until it is closed, and refuses to lock it again
    #[test]
    fn a_lock_that_was_removed_is_none() {
        let path = folder("removed");
        let held = LockedFolder::open(&path).unwrap();
        fs::remove_file(path.join(NAME)).unwrap();
        assert!(!held.has_lock_at(&path.join(NAME)));
        let other = LockedFolder::open(&path).unwrap();
        assert!(!held.has_lock_at(&path.join(NAME)) && other.has_lock_at(&path.join(NAME)));
        other.remove(None).unwrap();
    }
}
