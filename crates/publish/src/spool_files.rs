// SPDX-License-Identifier: MIT OR Apache-2.0
//! The segments of a spool as files: their names, and their repair after a power failure.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::message::Message;

/// The extension of a segment.
const EXTENSION: &str = "records";

/// What is in a segment.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    /// The number of the last message, or `None` in an empty segment.
    pub last: Option<u64>,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes that were cut off.
    pub cut: u64,
}

/// The path of the segment that begins with message `first`.
pub fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.{EXTENSION}"))
}

/// The segment that begins with message `first`, for reading.
pub fn reader(folder: &Path, first: u64) -> io::Result<(u64, BufReader<File>)> {
    Ok((first, BufReader::new(File::open(path(folder, first))?)))
}

/// The first messages of the segments, in order.
pub fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|found| found == EXTENSION);
        let first = path.file_stem().and_then(|name| name.to_str()?.parse::<u64>().ok());
        firsts.extend(first.filter(|_| is_segment));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Cuts off what is behind the first `bytes`. A file that is open for appending cannot be shortened on Windows.
pub fn shorten(path: &Path, bytes: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_len(bytes)
}

/// Cuts off what is behind the last intact record.
pub fn repair(path: &Path) -> io::Result<Contents> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut reader = BufReader::new(&file);
    let (mut last, mut bytes, mut all) = (None, 0, 0);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        all += line.len() as u64;
        if let Some(message) = line.strip_suffix(b"\n").and_then(Message::from_record) {
            (last, bytes) = (Some(message.sequence), all);
        }
        line.clear();
    }
    if bytes < all {
        file.set_len(bytes)?;
    }
    Ok(Contents { last, bytes, cut: all - bytes })
}
