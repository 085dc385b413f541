// SPDX-License-Identifier: MIT OR Apache-2.0
//! The results of finished slices, in a folder beside the output, so that a killed scan continues where it stopped.
//!
//! ```text
//! results.parquet.parts/
//!   lock             held while a scan runs
//!   settings.json    settings that the rows depend on
//!   0000.log, …      results, one per line: checksum, space, JSON
//! ```
//!
//! Each worker of each run appends to a log of its own. A log ends at the first line with a wrong checksum: there the scan was
//! killed, or the disk was full. The work of that line is done again.
//!
//! The settings are removed before the logs. Logs without settings are left over from a removal that was interrupted.

use std::collections::{HashMap, hash_map};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::lock::LockedFolder;
use super::log::{Entry, Location, Log, Noted, NotedSlice, log_name, logs_of, parse, read_at};
use super::state::{Distinct, FileState};
use crate::error::Error;
use crate::findings::{FileFacts, SliceResult};
use crate::inputs::{Input, Numbers};
use crate::platform::write_whole;

/// Name of the file with the settings.
const SETTINGS: &str = "settings.json";
/// Logs that are open at the same time for reading.
const OPEN_LOGS: usize = 64;

/// The folder of the journal, locked for this process. Files have the numbers of the inputs.
#[derive(Debug)]
pub struct Journal {
    folder: LockedFolder,
    logs: Vec<PathBuf>,
    /// Logs that are being read.
    open: Mutex<HashMap<u32, File>>,
    /// Number of the next log.
    next_log: usize,
    files: Vec<FileState>,
    facts: Distinct<FileFacts>,
    labels: Vec<String>,
    /// Where the last frame of a video ends, as far as it was examined.
    ends: HashMap<usize, u64>,
}

impl Journal {
    /// Opens the folder, or creates it, and reads what an earlier run has finished of `inputs`.
    ///
    /// # Errors
    /// If the folder cannot be written, another process holds it, or it belongs to a scan with other settings.
    pub fn open(folder: &Path, settings: &str, inputs: &[Input]) -> Result<Self, Error> {
        let folder = LockedFolder::open(folder)?;
        check_settings(folder.path(), settings)?;
        let (open, files, facts) = (Mutex::default(), vec![FileState::default(); inputs.len()], Distinct::default());
        let mut journal = Self { folder, logs: Vec::new(), open, next_log: 0, files, facts, labels: Vec::new(), ends: HashMap::new() };
        journal.read_logs(inputs)?;
        Ok(journal)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What is known about a file.
    pub fn facts(&self, file: usize) -> Option<&FileFacts> {
        self.facts.get(self.files.get(file)?.facts?)
    }

    /// Where the last frame of a video ends; `None` if no slice of it was examined to its end.
    pub fn end_ns(&self, file: usize) -> Option<u64> {
        self.ends.get(&file).copied()
    }

    /// True if the slice is finished.
    pub fn has_slice(&self, file: usize, slice: usize) -> bool {
        self.location(file, slice).is_some()
    }

    fn location(&self, file: usize, slice: usize) -> Option<Location> {
        self.files.get(file)?.slices.get(slice)
    }

    /// The result of a finished slice.
    pub fn slice(&self, file: usize, slice: usize) -> Result<Option<SliceResult>, Error> {
        let Some(location) = self.location(file, slice) else { return Ok(None) };
        match self.read(location).map_err(Error::at(&self.logs[location.log as usize]))? {
            Entry::Slice(_, _, result) => Ok(Some(result)),
            Entry::File(..) => Ok(None),
        }
    }

    fn read(&self, location: Location) -> io::Result<Entry> {
        let mut open = self.open.lock();
        if !open.contains_key(&location.log) && open.len() >= OPEN_LOGS {
            open.clear();
        }
        let log = match open.entry(location.log) {
            hash_map::Entry::Occupied(log) => log.into_mut(),
            hash_map::Entry::Vacant(none) => none.insert(File::open(&self.logs[location.log as usize])?),
        };
        read_at(log, location)
    }

    /// A new log for one worker.
    pub fn create_log(&mut self) -> Result<Log, Error> {
        let path = self.folder().join(log_name(self.next_log));
        let log = Log::create(&path, self.logs.len())?;
        self.next_log += 1;
        self.logs.push(path);
        Ok(log)
    }

    /// Registers a result of a file that a worker has written.
    pub fn note(&mut self, file: usize, entry: Entry, location: Location) {
        let noted = match entry {
            Entry::File(key, facts) => Noted::File(key, facts),
            Entry::Slice(key, slice, result) => Noted::Slice(key, slice, NotedSlice { labels: result.labels, end_ns: result.end_ns }),
        };
        self.insert(file, noted, location);
    }

    /// Classes of the expression model; empty if no face was scored.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Removes the folder. If this is interrupted, the next scan does the removed work again.
    pub fn remove(&self) -> Result<(), Error> {
        // Windows does not remove open files.
        self.open.lock().clear();
        self.folder.remove(Some(SETTINGS)).map_err(Error::at(self.folder()))
    }

    fn read_logs(&mut self, inputs: &[Input]) -> Result<(), Error> {
        let logs = logs_of(self.folder())?;
        let numbers = if logs.is_empty() { Numbers::default() } else { Numbers::of(inputs) };
        for (index, (number, path)) in logs.into_iter().enumerate() {
            let file = File::open(&path).map_err(Error::at(&path))?;
            self.read_log(index, &mut BufReader::new(file), inputs, &numbers).map_err(Error::at(&path))?;
            self.logs.push(path);
            self.next_log = number + 1;
        }
        Ok(())
    }

    /// Reads a log. Files that are no inputs any more, or have changed, are left out.
    fn read_log(&mut self, log: usize, reader: &mut dyn BufRead, inputs: &[Input], numbers: &Numbers) -> io::Result<()> {
        let (mut line, mut offset) = (Vec::new(), 0);
        loop {
            line.clear();
            let bytes = reader.read_until(b'\n', &mut line)?;
            let Some(noted) = parse::<Noted>(&line) else { return Ok(()) };
            let (Noted::File(key, _) | Noted::Slice(key, ..)) = &noted;
            if let Some(file) = numbers.get(inputs, key).filter(|&file| inputs[file].key == *key) {
                self.insert(file, noted, Location::new(log, offset, bytes)?);
            }
            offset += bytes as u64;
        }
    }

    fn insert(&mut self, file: usize, noted: Noted, location: Location) {
        let state = &mut self.files[file];
        match noted {
            Noted::File(_, facts) => state.facts = Some(self.facts.number(facts)),
            Noted::Slice(_, slice, result) => {
                if self.labels.is_empty() {
                    self.labels = result.labels;
                }
                state.slices.insert(slice, location);
                if let Some(end_ns) = result.end_ns {
                    let last = self.ends.entry(file).or_default();
                    *last = end_ns.max(*last);
                }
            }
        }
    }
}

/// Compares the settings of the folder with those of this scan; writes them if there are no results.
fn check_settings(folder: &Path, settings: &str) -> Result<(), Error> {
    let path = folder.join(SETTINGS);
    match fs::read_to_string(&path) {
        Ok(found) if found == settings => Ok(()),
        Ok(found) if !logs_of(folder)?.is_empty() => Err(other_settings(folder, settings, found)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::at(&path)(error)),
        _ => {
            logs_of(folder)?.iter().try_for_each(|(_, log)| fs::remove_file(log).map_err(Error::at(log)))?;
            write_whole(&path, settings.as_bytes())
        }
    }
}

/// Why a scan with settings `expected` does not go on with one with settings `found`.
fn other_settings(folder: &Path, expected: &str, found: String) -> Error {
    let version = |settings: &str| Some(serde_json::from_str::<serde_json::Value>(settings).ok()?["version"].as_str()?.to_owned());
    let folder = folder.to_owned();
    match (version(expected), version(&found)) {
        (Some(expected), Some(found)) if expected != found => Error::OtherVersion { folder, expected, found },
        _ => Error::OtherSettings { folder, expected: expected.to_owned(), found },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::FileKey;

    fn folder(test: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("emotion-scan-journal-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn inputs() -> Vec<Input> {
        ["a", "b"].map(|name| Input::of(FileKey::local(name.as_ref(), 1, 2))).into()
    }

    fn open(folder: &Path, settings: &str) -> Result<Journal, Error> {
        Journal::open(folder, settings, &inputs())
    }

    fn result(frames: u64) -> SliceResult {
        SliceResult { frames, ..SliceResult::default() }
    }

    fn write(folder: &Path, slices: std::ops::Range<usize>) -> Result<(), Error> {
        let mut journal = open(folder, "{}")?;
        let mut log = journal.create_log()?;
        for slice in slices {
            let entry = Entry::Slice(inputs()[0].key.clone(), slice, result(slice as u64));
            let location = log.append(&entry)?;
            journal.note(0, entry, location);
            assert_eq!(journal.slice(0, slice)?, Some(result(slice as u64)));
        }
        Ok(())
    }

    #[test]
    fn a_second_run_finds_the_results_of_the_first() {
        let folder = folder("again");
        write(&folder, 0..2).unwrap();
        write(&folder, 2..3).unwrap();
        let journal = open(&folder, "{}").unwrap();
        for slice in 0..3 {
            assert_eq!(journal.slice(0, slice).unwrap(), Some(result(slice as u64)));
        }
        assert!(!journal.has_slice(0, 3) && !journal.has_slice(1, 0));
        journal.remove().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn results_of_other_files_and_versions_are_not_found() {
        let folder = folder("others");
        write(&folder, 0..2).unwrap();
        let of = |inputs: &[Input], file| Journal::open(&folder, "{}", inputs).unwrap().has_slice(file, 1);
        let [a, b]: [Input; 2] = inputs().try_into().unwrap();
        assert!(of(&[b.clone(), a.clone()], 1), "files are found by their keys");
        assert!(!of(&[b.clone(), a.clone()], 0) && !of(std::slice::from_ref(&b), 0));
        assert!(!of(&[Input::of(FileKey { modified_ns: 3, ..a.key })], 0), "a file that has changed");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_log_cut_anywhere_keeps_the_lines_before() {
        let folder = folder("cut");
        write(&folder, 0..3).unwrap();
        let log = folder.join("0000.log");
        let whole = fs::read(&log).unwrap();
        let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1).collect();
        for cut in 0..=whole.len() {
            fs::write(&log, &whole[..cut]).unwrap();
            let journal = open(&folder, "{}").unwrap();
            let expected = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!((0..3).filter(|slice| journal.has_slice(0, *slice)).count(), expected, "cut at {cut}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_flipped_bit_is_not_read() {
        let folder = folder("bit");
        write(&folder, 0..1).unwrap();
        let mut bytes = fs::read(folder.join("0000.log")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(folder.join("0000.log"), bytes).unwrap();
        assert!(!open(&folder, "{}").unwrap().has_slice(0, 0));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn logs_without_settings_belong_to_no_scan() {
        let folder = folder("removed");
        write(&folder, 0..2).unwrap();
        fs::remove_file(folder.join(SETTINGS)).unwrap();
        let journal = open(&folder, "{\"every\":1}").unwrap();
        assert!((0..2).all(|slice| !journal.has_slice(0, slice)));
        drop(journal);
        assert!(!open(&folder, "{\"every\":1}").unwrap().has_slice(0, 0), "nor do they come back");
        fs::remove_dir_all(folder).unwrap();
    }

    /// A log as the first versions wrote it, with one slice and one face.
    const FIRST_FORM: [&str; 2] = [
        r#"{"file":[{"name":"a","size":1,"modified_ns":2},{"kind":"video","length_ns":1000000000,"slices":[0],"error":null}]}"#,
        r#"{"slice":[{"name":"a","size":1,"modified_ns":2},0,{"frames":25,"examined":5,"size":[64,48],"labels":["neutral","happiness"],"faces":[{"frame":3,"time_ns":120000000,"track":1,"rect":[0.25,0.25,0.5,0.5],"confidence":0.9,"detector":"face","landmarks":null,"label":"happiness","score":0.75,"scores":[0.25,0.75]}],"error":null}]}"#,
    ];

    #[test]
    fn a_log_of_the_first_form_is_read_and_one_of_another_version_is_refused() {
        let folder = folder("first-form");
        fs::create_dir_all(&folder).unwrap();
        let settings = |version: &str| serde_json::json!({"version": version, "every": 0.2, "set": [], "models": {}}).to_string();
        let log: String = FIRST_FORM.iter().map(|json| format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))).collect();
        fs::write(folder.join(SETTINGS), settings("0.1.0")).unwrap();
        fs::write(folder.join(log_name(0)), log).unwrap();

        let journal = open(&folder, &settings("0.1.0")).unwrap();
        let slice = journal.slice(0, 0).unwrap().expect("a slice");
        assert_eq!((slice.examined, slice.decoded, slice.spans_ns.as_ref()), (5, 0, None));
        assert_eq!((slice.faces[0].label.as_deref(), slice.faces[0].reason.as_deref()), (Some("happiness"), None));
        assert_eq!(journal.facts(0).map(|facts| facts.slices.as_slice()), Some(&[0][..]));
        drop(journal);

        let error = open(&folder, &settings("1.0.0")).unwrap_err().to_string();
        assert!(error.contains("of version 1.0.0, found one of 0.1.0") && error.contains("finish it with that version"), "{error}");
        assert!(folder.join(log_name(0)).exists(), "nothing is lost");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_unfinished_scan_of_1_0_is_read() {
        let folder = folder("golden");
        fs::create_dir_all(&folder).unwrap();
        let golden = test_support::data("1.0/unfinished.csv.parts");
        for file in [SETTINGS, "0000.log"] {
            fs::copy(golden.join(file), folder.join(file)).unwrap();
        }
        let log = fs::read_to_string(folder.join("0000.log")).unwrap();
        let key = log[9..].lines().next().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok()).expect("an entry");
        let inputs = [Input::of(serde_json::from_value(key["file"][0].clone()).unwrap())];
        let journal = Journal::open(&folder, &fs::read_to_string(folder.join(SETTINGS)).unwrap(), &inputs).unwrap();
        assert_eq!((inputs[0].key.name.as_ref(), journal.facts(0).map(|facts| facts.slices.len())), ("many/1.mp4", Some(1)));
        let slice = journal.slice(0, 0).unwrap().expect("a slice");
        assert_eq!((slice.examined, slice.faces.len(), slice.faces[0].label.as_deref()), (10, 16, Some("neutral")));
        drop(journal);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_missing_log_costs_its_own_results_alone() {
        let folder = folder("gap");
        write(&folder, 0..1).unwrap();
        write(&folder, 1..2).unwrap();
        fs::remove_file(folder.join(log_name(0))).unwrap();
        write(&folder, 0..1).unwrap();
        let journal = open(&folder, "{}").unwrap();
        assert!((0..2).all(|slice| journal.has_slice(0, slice)));
        assert!(journal.slice(0, 1).unwrap() == Some(result(1)) && !folder.join(log_name(0)).exists());
        assert!(matches!(open(&folder, "{\"every\":1}"), Err(Error::Busy(_))));
        drop(journal);
        assert!(matches!(open(&folder, "{\"every\":1}"), Err(Error::OtherSettings { .. })));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn two_scans_do_not_share_a_folder_and_settings_must_agree() {
        let folder = folder("lock");
        let mut first = open(&folder, "{\"every\":1}").unwrap();
        first.create_log().unwrap();
        assert!(matches!(open(&folder, "{\"every\":1}"), Err(Error::Busy(_))));
        drop(first);
        let error = open(&folder, "{\"every\":2}").unwrap_err().to_string();
        assert!(error.contains("\"every\":1") && error.contains("\"every\":2"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}
