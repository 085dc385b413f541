// SPDX-License-Identifier: MIT OR Apache-2.0
//! The log of one worker: one result per line, as checksum, space and JSON.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::findings::{FileFacts, FileKey, SliceResult};

/// A power failure loses the results of at most this much time.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);
/// Digits of the checksum, and the space behind it.
const CHECKSUM_BYTES: usize = 9;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    File(FileKey, FileFacts),
    Slice(FileKey, usize, SliceResult),
}

/// What the journal keeps of a line in memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Noted {
    File(FileKey, FileFacts),
    Slice(FileKey, usize, NotedSlice),
}

/// What the journal keeps of a slice: its faces stay on the disk.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NotedSlice {
    /// Classes of the expression model.
    pub(super) labels: Vec<String>,
    /// Where its last frame ends.
    #[serde(default)]
    pub(super) end_ns: Option<u64>,
}

/// Where a result is.
#[derive(Clone, Copy, Debug)]
pub struct Location {
    /// First byte of its line.
    pub(super) offset: u64,
    /// Number of its log in the journal.
    pub(super) log: u32,
    /// Length of its line.
    pub(super) bytes: u32,
}

impl Location {
    /// The line of so many bytes at `offset` of a log.
    pub(super) fn new(log: usize, offset: u64, bytes: usize) -> io::Result<Self> {
        let small = |number: usize| {
            u32::try_from(number)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("expected less than 4 GiB, found {number}")))
        };
        Ok(Self { offset, log: small(log)?, bytes: small(bytes)? })
    }
}

/// The log of one worker.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    index: usize,
    file: File,
    offset: u64,
    last_sync: Instant,
}

impl Log {
    /// Creates log number `index` of its journal.
    pub(super) fn create(path: &Path, index: usize) -> Result<Self, Error> {
        let file = File::create_new(path).map_err(Error::at(path))?;
        Ok(Self { path: path.to_owned(), index, file, offset: 0, last_sync: Instant::now() })
    }

    pub fn append(&mut self, entry: &Entry) -> Result<Location, Error> {
        let line = line(entry);
        self.file.write_all(&line).and_then(|()| self.sync()).map_err(Error::at(&self.path))?;
        let location = Location::new(self.index, self.offset, line.len()).map_err(Error::at(&self.path))?;
        self.offset += line.len() as u64;
        Ok(location)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.last_sync.elapsed() >= SYNC_INTERVAL {
            self.file.sync_data()?;
            self.last_sync = Instant::now();
        }
        Ok(())
    }
}

fn line(entry: &Entry) -> Vec<u8> {
    let json = serde_json::to_vec(entry).expect("numbers and texts become JSON");
    let mut line = format!("{:08x} ", crc32fast::hash(&json)).into_bytes();
    line.extend(json);
    line.push(b'\n');
    line
}

/// The entry of a line, or what is noted of it; `None` if the line is incomplete.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let json = line.strip_suffix(b"\n")?.get(CHECKSUM_BYTES..)?;
    let checksum = std::str::from_utf8(&line[..CHECKSUM_BYTES - 1]).ok().and_then(|text| u32::from_str_radix(text, 16).ok())?;
    if checksum == crc32fast::hash(json) { serde_json::from_slice(json).ok() } else { None }
}

pub(super) fn read_at(mut file: &File, location: Location) -> io::Result<Entry> {
    file.seek(SeekFrom::Start(location.offset))?;
    let mut line = vec![0; location.bytes as usize];
    file.read_exact(&mut line)?;
    parse(&line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("the line at byte {} has changed", location.offset)))
}

/// The name of log number `index`.
pub(super) fn log_name(index: usize) -> String {
    format!("{index:04}.log")
}

/// The logs in a folder with their numbers, in ascending order.
pub(super) fn logs_of(folder: &Path) -> Result<Vec<(usize, PathBuf)>, Error> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    let number = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".log")?.parse().ok();
    let mut logs: Vec<_> = entries.map_err(Error::at(folder))?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
    logs.sort_unstable();
    Ok(logs)
}
