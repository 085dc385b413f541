// SPDX-License-Identifier: MIT OR Apache-2.0
//! A queue of messages in files, which outlives the process.
//!
//! The folder holds segments: text files with a line for each message, named by the sequence number of their first line.
//! A file `position` holds the number of the first message that the broker has not acknowledged. A segment whose messages
//! are all acknowledged is deleted. The exclusive lock on `position` keeps a second publisher out.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::Message;
use crate::error::{Error, Result};

/// Number of segments that a full spool consists of.
const SEGMENTS: u64 = 16;
/// Maximum size of a segment.
const MAX_SEGMENT: u64 = 16 << 20;
const POSITION: &str = "position";
const EXTENSION: &str = "ndjson";

/// Messages on disk, from the oldest that is not acknowledged.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    segments: VecDeque<Segment>,
    /// Open for appending: the last segment.
    last: Option<File>,
    position_file: File,
    /// The first message that is not acknowledged.
    position: u64,
    /// The next message to read.
    cursor: u64,
    /// Open for reading, at `cursor`.
    reader: Option<BufReader<File>>,
    /// The number of the next message to append.
    end: u64,
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

impl Spool {
    /// Opens the spool in `folder`, which is created if it does not exist, with a maximum size in bytes. Messages of an
    /// earlier process that the broker has not acknowledged are read again.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or a file cannot be read or written, [`Error::Config`] if another publisher uses it.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Self> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let path = folder.join(POSITION);
        let position_file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed(&path))?;
        position_file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Config(format!("spool-location {}: another publisher uses it", folder.display())),
            TryLockError::Error(source) => Error::Io { path: path.clone(), source },
        })?;
        let position = read_position(&position_file).map_err(failed(&path))?;
        let mut spool = Self {
            folder: folder.to_owned(),
            max_bytes,
            segments: VecDeque::new(),
            last: None,
            position_file,
            position,
            cursor: position,
            reader: None,
            end: position,
        };
        spool.recover().map_err(failed(folder))?;
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

    /// Appends a message, whose sequence number is [`Self::end`]. On an error nothing is appended.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn append(&mut self, message: &Message) -> std::result::Result<(), Refusal> {
        let line = message.to_line();
        if self.bytes() + line.len() as u64 > self.max_bytes {
            return Err(Refusal::Full);
        }
        self.write(&line).map_err(Refusal::Failed)?;
        self.end += 1;
        Ok(())
    }

    /// Skips the message that has just been appended: its reader keeps it in memory.
    pub fn skip(&mut self) {
        debug_assert_eq!(self.unread(), 1);
        self.cursor = self.end;
        self.reader = None;
    }

    /// Reads the next message. The inner none is a damaged line; the outer one is the end.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read(&mut self) -> io::Result<Option<(u64, Option<Message>)>> {
        if self.unread() == 0 {
            return Ok(None);
        }
        let mut line = Vec::new();
        if self.reader.is_none() {
            self.reader = Some(self.reader_at_cursor()?);
        }
        while let Some(reader) = &mut self.reader {
            reader.read_until(b'\n', &mut line)?;
            if line.pop_if(|end| *end == b'\n').is_some() {
                break;
            }
            line.clear();
            self.reader = self.next_segment()?;
        }
        let sequence = self.cursor;
        self.cursor += 1;
        Ok(Some((sequence, Message::from_line(&line, sequence))))
    }

    /// Notes that every message before `sequence` is acknowledged.
    ///
    /// # Errors
    /// Those of writing and deleting. The messages are sent again after a restart.
    pub fn acknowledge(&mut self, sequence: u64) -> io::Result<()> {
        self.position = sequence.clamp(self.position, self.cursor);
        self.position_file.write_all_at(format!("{:020}\n", self.position).as_bytes(), 0)?;
        while self.segments.get(1).is_some_and(|next| next.first <= self.position) {
            self.remove_first()?;
        }
        if self.is_empty() && self.bytes() >= self.segment_bytes() {
            self.last = None;
            self.reader = None;
            self.remove_first()?;
        }
        Ok(())
    }

    fn remove_first(&mut self) -> io::Result<()> {
        if let Some(segment) = self.segments.pop_front() {
            fs::remove_file(self.path(segment.first))?;
        }
        Ok(())
    }

    /// Finds the segments, counts their messages and cuts off a line that a crash has left incomplete.
    fn recover(&mut self) -> io::Result<()> {
        let mut firsts = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
            let first = path.file_stem().and_then(|name| name.to_str()?.parse::<u64>().ok());
            firsts.extend(first.filter(|_| is_segment));
        }
        firsts.sort_unstable();
        for first in firsts {
            let (lines, bytes) = whole_lines(&self.path(first))?;
            self.segments.push_back(Segment { first, bytes });
            self.end = self.end.max(first + lines);
        }
        self.position = self.position.max(self.segments.front().map_or(self.position, |segment| segment.first));
        self.cursor = self.position;
        self.acknowledge(self.position)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let is_full = self.segments.back().is_none_or(|segment| segment.bytes >= self.segment_bytes());
        if self.last.is_none() || is_full {
            self.last = Some(self.start_segment()?);
        }
        let (Some(file), Some(segment)) = (&mut self.last, self.segments.back_mut()) else { return Ok(()) };
        match file.write_all(line) {
            Ok(()) => {
                segment.bytes += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Part of the line may have been written. If it cannot be removed, the next segment starts a new file.
                if file.set_len(segment.bytes).is_err() {
                    self.last = None;
                }
                Err(error)
            }
        }
    }

    fn start_segment(&mut self) -> io::Result<File> {
        let file = OpenOptions::new().append(true).create(true).open(self.path(self.end))?;
        if self.segments.back().is_none_or(|segment| segment.first != self.end) {
            self.segments.push_back(Segment { first: self.end, bytes: 0 });
        }
        Ok(file)
    }

    fn segment_bytes(&self) -> u64 {
        (self.max_bytes / SEGMENTS).min(MAX_SEGMENT)
    }

    fn reader_at_cursor(&self) -> io::Result<BufReader<File>> {
        let segment = self.segments.iter().rev().find(|segment| segment.first <= self.cursor);
        let first = segment.map_or(self.cursor, |segment| segment.first);
        let mut reader = BufReader::new(File::open(self.path(first))?);
        for _ in first..self.cursor {
            reader.skip_until(b'\n')?;
        }
        Ok(reader)
    }

    /// The segment that begins at the cursor; none if a file is shorter than it should be.
    fn next_segment(&self) -> io::Result<Option<BufReader<File>>> {
        let begins = self.segments.iter().any(|segment| segment.first == self.cursor);
        begins.then(|| self.reader_at_cursor()).transpose()
    }

    fn path(&self, first: u64) -> PathBuf {
        self.folder.join(format!("{first:020}.{EXTENSION}"))
    }
}

fn read_position(mut file: &File) -> io::Result<u64> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(64).read_to_string(&mut text)?;
    match text.trim() {
        "" => Ok(0),
        number => number.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("expected a number, found {number:?}"))),
    }
}

/// The number of complete lines of a file, and its length after an incomplete last line has been cut off.
fn whole_lines(path: &Path) -> io::Result<(u64, u64)> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut reader = BufReader::new(&file);
    let (mut lines, mut bytes) = (0, 0);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.ends_with(b"\n") {
            lines += 1;
            bytes += line.len() as u64;
        }
        line.clear();
    }
    file.set_len(bytes)?;
    Ok((lines, bytes))
}
