// SPDX-License-Identifier: MIT OR Apache-2.0
//! A queue of messages in files, which outlives the process.
//!
//! # Constraints
//!
//! A message is handed to the operating system before [`Spool::append`] returns, so it survives a crash of the process. It is
//! on the disk once the files of [`Spool::unsynced`] are synced, which a publisher does every five seconds on its own thread:
//! neither the stream nor the connection waits for the disk. A power failure loses what was appended since, and never an older
//! message. It may also forget the last acknowledgements, so those messages are sent twice. One process uses a spool at a
//! time: it holds an exclusive lock on `position`. The size on disk never exceeds the maximum; a message that does not fit is
//! refused, because what was accepted is kept.
//!
//! # Format
//!
//! ```text
//! FOLDER/position                       number of the first message that is not acknowledged, 20 digits
//! FOLDER/00000000000000000000.records   segment: the messages from number 0 on, one on each line
//! FOLDER/00000000000000000212.records
//!     1c291ca3 212 events {"message_id":"…",…}
//! ```
//!
//! A record is a line: the CRC-32 of the rest as eight hexadecimal digits, the number of the message, its schema, and its
//! object, separated by spaces. Records are only appended, with increasing numbers. A full spool has about 16 segments, and a
//! segment whose messages are all acknowledged is deleted.
//!
//! # Recovery
//!
//! [`Spool::open`] reads all segments. What is behind the last intact record of a segment was torn by a power failure or a
//! full disk; it is cut off, and new messages begin a new segment. A damaged record in the middle is skipped. The number of
//! the next intact record tells how many messages are lost, so damage never shifts the others: each keeps its number, and is
//! neither sent without need nor left out. `position` is written in place. If a power failure has emptied it, all messages on
//! disk are sent again, and receivers drop them by their `message_id`.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::message::Message;
use crate::platform;
use crate::spool_files;

/// Number of segments that a full spool consists of.
const SEGMENTS: u64 = 16;
/// Maximum size of a segment.
const MAX_SEGMENT: u64 = 16 << 20;
const POSITION: &str = "position";

/// Messages on disk, from the oldest that is not acknowledged.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    segments: VecDeque<Segment>,
    /// Open for appending: the last segment.
    last: Option<File>,
    /// What was written since the files were last synced.
    unsynced: Vec<File>,
    is_last_synced: bool,
    position_file: File,
    /// The first message that is not acknowledged.
    position: u64,
    /// The next message to read.
    cursor: u64,
    /// Open for reading, with the number of its segment.
    reader: Option<(u64, BufReader<File>)>,
    /// The number of the next message to append.
    end: u64,
    /// Bytes that recovery has cut off.
    cut: u64,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    bytes: u64,
}

/// Why a message was not appended.
#[derive(Debug)]
pub enum Refusal {
    /// The spool has reached its maximum size.
    Full,
    /// It could not be written, as on a full disk.
    Failed(io::Error),
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// Number of messages before it that are damaged.
    pub lost: u64,
    /// The message, or `None` if the rest of the spool is damaged.
    pub message: Option<Message>,
}

impl Spool {
    /// Opens the spool in `folder`, which is created if it does not exist, with a maximum size in bytes. Messages of an
    /// earlier process that the broker has not acknowledged are read again.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or a file cannot be read or written, [`Error::SpoolInUse`] if another publisher uses it,
    /// [`Error::Position`] if the file `position` contains something else than a number.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Self> {
        let (position_file, position) = lock_position(folder)?;
        let mut spool = Self {
            folder: folder.to_owned(),
            max_bytes,
            segments: VecDeque::new(),
            last: None,
            unsynced: Vec::new(),
            is_last_synced: true,
            position_file,
            position,
            cursor: position,
            reader: None,
            end: position,
            cut: 0,
        };
        spool.recover().map_err(Error::io(folder))?;
        Ok(spool)
    }

    /// Number of messages that are not acknowledged.
    pub fn len(&self) -> u64 {
        self.end - self.position
    }

    /// True if every message is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of messages that have not been read since the spool was opened.
    pub fn unread(&self) -> u64 {
        self.end - self.cursor
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The sequence number of the next message.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Damaged bytes that were cut off when the spool was opened.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Appends a message, whose sequence number is [`Self::end`]. On an error nothing is appended.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn append(&mut self, message: &Message) -> std::result::Result<(), Refusal> {
        debug_assert_eq!(message.sequence, self.end);
        let record = message.to_record();
        if self.bytes() + record.len() as u64 > self.max_bytes {
            return Err(Refusal::Full);
        }
        self.write(&record).map_err(Refusal::Failed)?;
        self.end += 1;
        Ok(())
    }

    /// Files that have to be synced for the messages so far to survive a power failure.
    ///
    /// # Errors
    /// If the system has no more file descriptors. The files are returned the next time.
    pub fn unsynced(&mut self) -> io::Result<Vec<File>> {
        if let Some(last) = self.last.as_ref().filter(|_| !self.is_last_synced) {
            self.unsynced.push(last.try_clone()?);
            self.is_last_synced = true;
        }
        Ok(std::mem::take(&mut self.unsynced))
    }

    /// Skips the message that has just been appended: its reader keeps it in memory.
    pub fn skip(&mut self) {
        debug_assert_eq!(self.unread(), 1);
        self.cursor = self.end;
        self.reader = None;
    }

    /// Reads the next message. Returns `None` at the end.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn read(&mut self) -> io::Result<Option<Read>> {
        while self.unread() > 0 {
            let (sequence, message) = match self.next_line()? {
                Some(line) => match Message::from_record(&line).filter(|message| (self.cursor..self.end).contains(&message.sequence)) {
                    Some(message) => (message.sequence, Some(message)),
                    None => continue,
                },
                None => (self.end, None),
            };
            let lost = sequence - self.cursor;
            self.cursor = (sequence + 1).min(self.end);
            return Ok(Some(Read { lost, message }));
        }
        Ok(None)
    }

    /// Notes that every message before `sequence` is acknowledged.
    ///
    /// # Errors
    /// If `position` cannot be written or a segment cannot be deleted. The messages are then sent again after a restart.
    pub fn acknowledge(&mut self, sequence: u64) -> io::Result<()> {
        self.position = sequence.clamp(self.position, self.cursor);
        self.write_position()?;
        while self.segments.get(1).is_some_and(|next| next.first <= self.position) {
            self.remove_first()?;
        }
        if self.is_empty() && self.bytes() >= self.segment_bytes() {
            (self.last, self.reader, self.is_last_synced) = (None, None, true);
            self.remove_first()?;
        }
        Ok(())
    }

    fn write_position(&mut self) -> io::Result<()> {
        self.position_file.seek(SeekFrom::Start(0))?;
        // One write, so that a crash leaves the earlier number or this one.
        self.position_file.write_all(format!("{:020}\n", self.position).as_bytes())
    }

    fn remove_first(&mut self) -> io::Result<()> {
        if let Some(segment) = self.segments.pop_front() {
            // Windows may keep the name of a file until it is closed.
            self.reader.take_if(|(first, _)| *first == segment.first);
            fs::remove_file(spool_files::path(&self.folder, segment.first))?;
        }
        Ok(())
    }

    /// Finds the segments and the number of the next message.
    fn recover(&mut self) -> io::Result<()> {
        for first in spool_files::segments(&self.folder)? {
            let segment = spool_files::repair(&spool_files::path(&self.folder, first))?;
            self.cut += segment.cut;
            self.segments.push_back(Segment { first, bytes: segment.bytes });
            self.end = self.end.max(first).max(segment.last.map_or(0, |last| last + 1));
        }
        self.position = self.position.max(self.segments.front().map_or(self.position, |segment| segment.first));
        self.cursor = self.position;
        self.acknowledge(self.position)
    }

    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let is_full = self.segments.back().is_none_or(|segment| segment.bytes >= self.segment_bytes());
        if self.last.is_none() || is_full {
            self.start_segment()?;
        }
        let (Some(file), Some(segment)) = (&mut self.last, self.segments.back_mut()) else { return Ok(()) };
        self.is_last_synced = false;
        match file.write_all(record) {
            Ok(()) => {
                segment.bytes += record.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Part of the record may have been written. If it cannot be removed, the next message starts a new file.
                if spool_files::shorten(&spool_files::path(&self.folder, segment.first), segment.bytes).is_err() {
                    self.last = None;
                }
                Err(error)
            }
        }
    }

    fn start_segment(&mut self) -> io::Result<()> {
        let path = spool_files::path(&self.folder, self.end);
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        // A segment that has no whole record yet is used again, without what a failed write has left.
        if file.metadata()?.len() > 0 {
            spool_files::shorten(&path, 0)?;
        }
        if self.segments.back().is_none_or(|segment| segment.first != self.end) {
            self.segments.push_back(Segment { first: self.end, bytes: 0 });
        }
        let is_open = std::mem::replace(&mut self.is_last_synced, true);
        self.unsynced.extend(self.last.take().filter(|_| !is_open));
        self.unsynced.extend(platform::folder_to_sync(&self.folder)?);
        self.last = Some(file);
        Ok(())
    }

    fn segment_bytes(&self) -> u64 {
        (self.max_bytes / SEGMENTS).min(MAX_SEGMENT)
    }

    /// The next whole line, damaged or not, from the segment of the cursor on, or `None` at the end of the last segment.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.reader.is_none() {
            let segment = self.segments.iter().rev().find(|segment| segment.first <= self.cursor).or(self.segments.front());
            self.reader = segment.map(|segment| spool_files::reader(&self.folder, segment.first)).transpose()?;
        }
        while let Some((first, reader)) = &mut self.reader {
            reader.read_until(b'\n', &mut line)?;
            if line.pop_if(|end| *end == b'\n').is_some() {
                return Ok(Some(line));
            }
            line.clear();
            let next = self.segments.iter().find(|segment| segment.first > *first);
            let Some(next) = next else { return Ok(None) };
            self.reader = Some(spool_files::reader(&self.folder, next.first)?);
        }
        Ok(None)
    }
}

/// Creates the folder, locks its file `position`, and reads it.
fn lock_position(folder: &Path) -> Result<(File, u64)> {
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let path = folder.join(POSITION);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(Error::io(&path))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::SpoolInUse { folder: folder.to_owned() },
        TryLockError::Error(source) => Error::io(&path)(source),
    })?;
    let position = read_position(&file, &path)?;
    Ok((file, position))
}

/// The number in the file. A power failure can fill a file that was not synced with zeros, or empty it; both count as 0.
fn read_position(mut file: &File, path: &Path) -> Result<u64> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.take(64).read_to_string(&mut text)).map_err(Error::io(path))?;
    match text.trim_matches(['\0', '\n', ' ']) {
        "" => Ok(0),
        number => number.parse().map_err(|_| Error::Position { path: path.to_owned(), found: number.to_owned() }),
    }
}
