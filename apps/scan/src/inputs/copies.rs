// SPDX-License-Identifier: MIT OR Apache-2.0
//! Copies of remote files on this machine, each for as long as its slices are being examined.
//!
//! A worker begins a file only if no slice of another file is waiting. So there are at most as many copies as workers.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::address::Address;
use super::input::Input;
use super::remote::Client;
use super::unavailable::{Failure, Unavailable};
use crate::error::Error;

/// The copy of a file, or why it does not exist. Empty until the first use.
type Copy = Arc<Mutex<Option<Result<PathBuf, Unavailable>>>>;

/// A file whose tasks are not all done.
#[derive(Debug, Default)]
struct Use {
    tasks: usize,
    copy: Copy,
}

/// The copies of a scan, in a folder that is removed at the end.
#[derive(Debug)]
pub struct Copies {
    folder: PathBuf,
    /// `None` if all files are local.
    client: Option<Client>,
    uses: Mutex<HashMap<usize, Use>>,
}

impl Copies {
    /// Copies in `folder`, without those that a killed scan left there. A server that sends nothing for `limit` is given up.
    pub fn new(folder: PathBuf, inputs: &[Input], limit: Duration) -> Result<Self, Error> {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::at(&folder))?;
        }
        let client = inputs.iter().any(Input::is_remote).then(|| Client::new(limit)).transpose()?;
        if client.is_some() {
            fs::create_dir(&folder).map_err(Error::at(&folder))?;
        }
        Ok(Self { folder, client, uses: Mutex::default() })
    }

    /// Announces tasks that use file number `file`. Its copy is kept until all of them have ended.
    pub fn begin(&self, file: usize, tasks: usize) {
        if self.client.is_some() {
            self.uses.lock().entry(file).or_default().tasks += tasks;
        }
    }

    /// Ends a task.
    pub fn end(&self, file: usize) {
        let mut uses = self.uses.lock();
        let Some(used) = uses.get_mut(&file) else { return };
        used.tasks = used.tasks.saturating_sub(1);
        if used.tasks > 0 {
            return;
        }
        let copy = uses.remove(&file).and_then(|used| used.copy.lock().take());
        if let Some(Ok(path)) = copy {
            // If this fails, the removal of the folder removes it.
            let _ = fs::remove_file(path);
        }
    }

    /// Where file number `file` is on this machine. The first call downloads it, and other calls wait for that. The inner error
    /// concerns the file.
    pub fn path(&self, file: usize, input: &Input) -> Result<Result<PathBuf, Unavailable>, Error> {
        let (Some(client), Some(address)) = (&self.client, Address::parse(&input.path())) else { return Ok(Ok(input.path())) };
        let copy = self.uses.lock().entry(file).or_default().copy.clone();
        let mut copy = copy.lock();
        if let Some(known) = &*copy {
            return Ok(known.clone());
        }
        // GStreamer also recognises some formats by their extension.
        let path = self.folder.join(file.to_string()).with_extension(address.extension());
        let result = match client.download(input, &path) {
            Ok(()) => Ok(path),
            Err(Failure::Disk(error)) => return Err(Error::at(&path)(error)),
            Err(Failure::Unavailable(error)) => {
                let _ = fs::remove_file(&path);
                Err(error)
            }
        };
        Ok(copy.insert(result).clone())
    }

    /// Calls `use_file` with the path of a file on this machine, or with its error.
    pub fn with<T>(
        &self,
        file: usize,
        input: &Input,
        use_file: impl FnOnce(Result<&Path, Unavailable>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.begin(file, 1);
        let path = self.path(file, input)?;
        let result = use_file(path.as_deref().map_err(Clone::clone));
        self.end(file);
        result
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
