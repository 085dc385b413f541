// SPDX-License-Identifier: MIT OR Apache-2.0
//! The segments of a spool as files: their names, their repair after a power failure, and those of older versions.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::message::Message;

/// The extension of a segment.
pub const EXTENSION: &str = "records";
/// The extension of a segment whose lines have no checksum.
const OLD_EXTENSION: &str = "ndjson";

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

/// The first messages of the segments with this extension, in order.
pub fn segments(folder: &Path, extension: &str) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|found| found == extension);
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

/// Rewrites the segments of older versions as records. Lines that are visibly damaged are left out. If this is interrupted, it
/// is done again: a segment is removed once the new one is whole and on the disk.
pub fn rewrite_old(folder: &Path) -> io::Result<()> {
    for first in segments(folder, OLD_EXTENSION)? {
        let old = folder.join(format!("{first:020}.{OLD_EXTENSION}"));
        let part = folder.join(format!("{first:020}.part"));
        let mut writer = BufWriter::new(File::create(&part)?);
        let whole_lines = |line: io::Result<Vec<u8>>| line.map(|line| line.strip_suffix(b"\n").map(<[u8]>::to_vec));
        for (line, sequence) in lines(BufReader::new(File::open(&old)?)).map(whole_lines).zip(first..) {
            let message = line?.and_then(|line| Message::from_line_without_checksum(&line, sequence));
            message.map_or(Ok(()), |message| writer.write_all(&message.to_record()))?;
        }
        writer.into_inner()?.sync_all()?;
        fs::rename(&part, path(folder, first))?;
        fs::remove_file(&old)?;
    }
    Ok(())
}

/// The lines of a file, each with its end.
fn lines(mut reader: impl BufRead) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    })
}
