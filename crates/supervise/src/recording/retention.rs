// SPDX-License-Identifier: MIT OR Apache-2.0
//! Deletes the oldest pairs of a camera, so that its recordings do not fill the disk.
//!
//! Several cameras may record to one folder, and pairs do not say whose they are. So each camera has a list of its own pairs there,
//! `.NAME.pairs`, with a number on each line. What is not on it is never deleted.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long recordings are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Pairs that ended longer ago are deleted.
    pub age: Option<Duration>,
    /// The oldest pairs are deleted while all of them have more bytes.
    pub bytes: Option<u64>,
}

/// So many pairs may not be on the disk at once.
const OPEN: usize = 3;

/// The pairs of a camera in its folder.
#[derive(Debug)]
pub struct Own {
    folder: PathBuf,
    list: PathBuf,
    numbers: BTreeSet<u32>,
}

impl Own {
    /// Those of the camera `name` that are still there.
    pub fn read(folder: &Path, name: &str) -> Self {
        let name: String = name.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect();
        let list = folder.join(format!(".{name}.pairs"));
        let text = fs::read_to_string(&list).unwrap_or_default();
        // A power failure may have torn the last line, and a part of a number is another one.
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        Self { folder: folder.to_owned(), list, numbers: whole.filter_map(|line| line.parse().ok()).collect() }
    }

    /// Removes what a power failure has torn of the list and of the last records: what follows the last whole line.
    pub fn mend(&self) {
        let records = self.numbers.iter().rev().take(OPEN).map(|number| file(&self.folder, *number, "ndjson"));
        for path in records.chain([self.list.clone()]) {
            let bytes = fs::read(&path).unwrap_or_default();
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            if whole < bytes.len() {
                // Otherwise it stays as it is.
                let _ = File::options().write(true).open(&path).and_then(|file| file.set_len(whole as u64));
            }
        }
    }

    /// The file of the list.
    pub fn list(&self) -> &Path {
        &self.list
    }

    /// Adds a pair that begins.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub fn add(&mut self, number: u32) -> io::Result<()> {
        let mut list = File::options().create(true).append(true).open(&self.list)?;
        let length = list.metadata()?.len();
        // A part of a number would be the beginning of the next one.
        list.write_all(format!("{number}\n").as_bytes()).inspect_err(|_| drop(list.set_len(length)))?;
        self.numbers.insert(number);
        Ok(())
    }

    /// Deletes the pairs that `keep` does not keep, except those that are `open`. What cannot be deleted is tried again the next time.
    ///
    /// # Errors
    /// If a file cannot be deleted, or the list cannot be written.
    pub fn delete(&mut self, keep: &Keep, open: &[u32], now: SystemTime) -> io::Result<()> {
        if *keep == Keep::default() {
            return Ok(());
        }
        let pairs: Vec<_> = self.numbers.iter().filter_map(|&number| Some((number, Size::of(&self.folder, number)?))).collect();
        let mut left: u64 = pairs.iter().map(|(_, size)| size.bytes).sum();
        let mut kept: BTreeSet<u32> = pairs.iter().map(|(number, _)| *number).chain(open.iter().copied()).collect();
        for (number, Size { bytes, end }) in pairs.iter().filter(|(number, _)| !open.contains(number)) {
            let is_old = keep.age.is_some_and(|age| now.duration_since(*end).is_ok_and(|past| past > age));
            if is_old || keep.bytes.is_some_and(|max| left > max) {
                delete(&self.folder, *number)?;
                kept.remove(number);
                left -= bytes;
            }
        }
        if kept != self.numbers {
            let lines: String = kept.iter().map(|number| format!("{number}\n")).collect();
            // Replaced at once, so that a crash or a power failure leaves a whole list.
            let new = self.list.with_extension("new");
            let mut written = File::create(&new)?;
            written.write_all(lines.as_bytes())?;
            written.sync_data()?;
            fs::rename(new, &self.list)?;
            self.numbers = kept;
        }
        Ok(())
    }
}

/// The size and age of a pair.
struct Size {
    bytes: u64,
    end: SystemTime,
}

impl Size {
    /// `None` if both files are gone.
    fn of(folder: &Path, number: u32) -> Option<Self> {
        let files = ["mp4", "ndjson"].map(|extension| file(folder, number, extension).symlink_metadata().ok());
        let files = || files.iter().flatten().filter(|file| file.is_file());
        let end = files().filter_map(|file| file.modified().ok()).max()?;
        Some(Self { bytes: files().map(fs::Metadata::len).sum(), end })
    }
}

fn delete(folder: &Path, number: u32) -> io::Result<()> {
    ["mp4", "ndjson"].iter().try_for_each(|extension| match fs::remove_file(file(folder, number, extension)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

/// A file of a pair.
pub fn file(folder: &Path, number: u32, extension: &str) -> PathBuf {
    folder.join(format!("{number:05}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_power_failure_has_torn_is_removed() {
        let folder = std::env::temp_dir().join(format!("emotion-supervise-torn-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let mut own = Own::read(&folder, "door");
        let left = ["{}\n{}\n", "{}\n{\"a\":\0\0\0", "\0\0\0"].map(String::from);
        for (number, text) in (0..).zip(&left) {
            own.add(number).unwrap();
            fs::write(file(&folder, number, "ndjson"), text).unwrap();
        }
        File::options().append(true).open(own.list()).unwrap().write_all(b"1\0\0").unwrap();
        own = Own::read(&folder, "door");
        own.mend();
        own.add(13).unwrap();
        assert_eq!(Own::read(&folder, "door").numbers, BTreeSet::from([0, 1, 2, 13]));
        let mended = [0, 1, 2].map(|number| fs::read_to_string(file(&folder, number, "ndjson")).unwrap());
        assert_eq!(mended, ["{}\n{}\n", "{}\n", ""]);
        fs::remove_dir_all(folder).unwrap();
    }

    /// A folder with pairs of the cameras door and gate, each of 100 bytes and a day apart, and with other files.
    fn folder(test: &str, today: SystemTime) -> (PathBuf, Own) {
        let folder = std::env::temp_dir().join(format!("emotion-supervise-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let (mut door, mut gate) = (Own::read(&folder, "door/1"), Own::read(&folder, "gate"));
        for number in 0..8 {
            let days = Duration::from_secs(86_400) * (8 - number);
            for (extension, bytes) in [("mp4", 90), ("ndjson", 10)] {
                let path = file(&folder, number, extension);
                fs::write(&path, vec![0; bytes]).unwrap();
                File::options().append(true).open(path).unwrap().set_modified(today - days).unwrap();
            }
            if number % 2 == 0 { door.add(number) } else { gate.add(number) }.unwrap();
        }
        for other in ["00000.txt", "00000.mp4.bak", "notes.mp4", "0.mp4", "00009.mp4"] {
            fs::write(folder.join(other), vec![0; 1000]).unwrap();
        }
        drop(door);
        let door = Own::read(&folder, "door/1");
        (folder, door)
    }

    /// Numbers of the videos left, and the number of other files.
    fn left(folder: &Path) -> (Vec<u32>, usize) {
        let names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let is_pair = |number: &u32| file(folder, *number, "mp4").exists() && file(folder, *number, "ndjson").exists();
        let pairs: Vec<u32> = (0..9).filter(is_pair).collect();
        (pairs.clone(), names.len() - 2 * pairs.len() - 2)
    }

    #[test]
    fn pairs_older_than_the_age_are_deleted_and_nothing_else() {
        let today = SystemTime::now();
        let (folder, mut door) = folder("keep-days", today);
        assert_eq!(left(&folder), ((0..8).collect(), 5));
        let keep = Keep { age: Some(Duration::from_secs(5 * 86_400)), bytes: None };
        door.delete(&keep, &[2], today).unwrap();
        assert_eq!(left(&folder), (vec![1, 2, 3, 4, 5, 6, 7], 5), "2 is being written, 1 and 3 are those of another camera");
        door.delete(&keep, &[], today).unwrap();
        assert_eq!(left(&folder), (vec![1, 3, 4, 5, 6, 7], 5));
        assert_eq!(Own::read(&folder, "door/1").numbers, BTreeSet::from([4, 6]));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_oldest_pairs_are_deleted_until_the_rest_is_small_enough() {
        let today = SystemTime::now();
        let (folder, mut door) = folder("keep-bytes", today);
        let keep = |bytes| Keep { age: None, bytes: Some(bytes) };
        door.delete(&keep(250), &[], today).unwrap();
        assert_eq!(left(&folder), (vec![1, 3, 4, 5, 6, 7], 5));
        door.delete(&keep(0), &[6], today).unwrap();
        assert_eq!(left(&folder), (vec![1, 3, 5, 6, 7], 5), "6 is being written");
        door.delete(&Keep::default(), &[], today).unwrap();
        assert_eq!(left(&folder).0, [1, 3, 5, 6, 7]);
        fs::remove_dir_all(folder).unwrap();
    }
}
