// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of limited size on disk. Each has two files; the older one is replaced when the newer one is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// A record in two files: `NAME.EXT` and, with the older lines, `NAME.1.EXT`.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    name: &'static str,
    extension: &'static str,
    max_bytes: u64,
    header: Vec<u8>,
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    bytes: u64,
}

impl Recorder {
    /// A record of at most `max_bytes` in `folder`, which is created with the first line.
    pub fn new(folder: PathBuf, name: &'static str, extension: &'static str, max_bytes: u64) -> Self {
        Self { folder, name, extension, max_bytes, header: Vec::new(), open: None }
    }

    /// Sets the header that each file starts with. If it differs from the last one, a new file is started.
    ///
    /// # Errors
    /// If the file cannot be renamed.
    pub fn begin(&mut self, header: &[u8]) -> io::Result<()> {
        if self.header != header {
            self.header = header.to_vec();
            if self.open.is_some() {
                self.rotate()?;
            }
        }
        Ok(())
    }

    /// Adds whole lines.
    ///
    /// # Errors
    /// If the file cannot be written. The record stays usable: the next call tries again.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let added = lines.len() as u64;
        if self.open.as_ref().is_some_and(|open| open.bytes + added > self.max_bytes / 2) {
            self.rotate()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(create(&self.folder, self.path(false), &self.header)?),
        };
        let written = open.file.write_all(lines);
        if written.is_err() {
            // A full disk may have taken part of a line; the file is cut back to its last whole line.
            let _ = open.file.set_len(open.bytes);
        } else {
            open.bytes += added;
        }
        written
    }

    /// The current record: the older file, then the newer one, with one header. Empty if nothing was recorded.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn reader(&self) -> io::Result<Box<dyn Read + Send>> {
        let Some(open) = &self.open else { return Ok(Box::new(io::empty())) };
        let newer = File::open(self.path(false))?.take(open.bytes);
        match File::open(self.path(true)) {
            Ok(older) => {
                let same_header = starts_with(self.path(true), &self.header)?;
                let mut newer = newer;
                if same_header {
                    io::copy(&mut (&mut newer).take(self.header.len() as u64), &mut io::sink())?;
                }
                // Lines with another header have other columns.
                if same_header { Ok(Box::new(older.chain(newer))) } else { Ok(Box::new(newer)) }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Box::new(newer)),
            Err(error) => Err(error),
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.open = None;
        fs::rename(self.path(false), self.path(true))
    }

    fn path(&self, older: bool) -> PathBuf {
        self.folder.join(format!("{}{}.{}", self.name, if older { ".1" } else { "" }, self.extension))
    }
}

fn create(folder: &std::path::Path, path: PathBuf, header: &[u8]) -> io::Result<OpenFile> {
    fs::create_dir_all(folder)?;
    // Append mode, so that lines go to the end of the file also after `set_len`.
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    // Tells others that the folder is in use. Some file systems have no locks; nothing is deleted there.
    let _ = file.lock();
    file.set_len(0)?;
    file.write_all(header)?;
    Ok(OpenFile { file, bytes: header.len() as u64 })
}

fn starts_with(path: PathBuf, header: &[u8]) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(header.len() as u64).read_to_end(&mut start)?;
    Ok(start == header)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("emotion-dashboard-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            Self(folder)
        }

        fn bytes(&self) -> u64 {
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn text(recorder: &Recorder) -> String {
        let mut text = String::new();
        recorder.reader().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_oldest_lines_are_deleted_and_the_header_appears_once() {
        let folder = Folder::new("rotation");
        let mut recorder = Recorder::new(folder.0.clone(), "faces", "csv", 200);
        recorder.begin(b"number\n").unwrap();
        assert_eq!(text(&recorder), "");
        for number in 0..1000 {
            recorder.write(format!("{number:06}\n").as_bytes()).unwrap();
            assert!(folder.bytes() <= 200, "{} bytes", folder.bytes());
        }
        let text = text(&recorder);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("number"));
        let numbers: Vec<u32> = lines.map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers.last(), Some(&999));
        assert!(numbers.len() > 13 && numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");
    }

    #[test]
    fn a_new_header_starts_a_new_record() {
        let folder = Folder::new("headers");
        let mut recorder = Recorder::new(folder.0.clone(), "faces", "csv", 2000);
        recorder.begin(b"a,b\n").unwrap();
        recorder.write(b"1,2\n").unwrap();
        recorder.begin(b"a,b\n").unwrap();
        recorder.write(b"3,4\n").unwrap();
        assert_eq!(text(&recorder), "a,b\n1,2\n3,4\n", "a restart appends to the record");
        recorder.begin(b"a,c\n").unwrap();
        recorder.write(b"5,6\n").unwrap();
        assert_eq!(text(&recorder), "a,c\n5,6\n");
    }

    #[test]
    fn recording_continues_once_the_folder_can_be_created() {
        let folder = Folder::new("unwritable");
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.0.join("taken"), b"").unwrap();
        let mut recorder = Recorder::new(folder.0.join("taken"), "faces", "ndjson", 2000);
        assert!(recorder.write(b"{}\n").is_err());
        fs::remove_file(folder.0.join("taken")).unwrap();
        recorder.write(b"{}\n").unwrap();
        assert_eq!(text(&recorder), "{}\n");
    }
}
