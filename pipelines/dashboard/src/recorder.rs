// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records on disk that do not grow without end: each in two files, of which the older goes when the newer is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// One record in two generations: `NAME.EXT` and, before it, `NAME.1.EXT`.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    name: &'static str,
    extension: &'static str,
    most_bytes: u64,
    header: Vec<u8>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl Recorder {
    /// A record of at most `most_bytes` in `folder`, which is made when there is something to keep.
    pub fn new(folder: PathBuf, name: &'static str, extension: &'static str, most_bytes: u64) -> Self {
        Self { folder, name, extension, most_bytes, header: Vec::new(), open: None }
    }

    /// Says what each file begins with. A record with another header before it is closed.
    ///
    /// # Errors
    /// Those of the file system.
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
    /// Those of the file system; the next lines are tried afresh.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let added = lines.len() as u64;
        if self.open.as_ref().is_some_and(|open| open.bytes + added > self.most_bytes / 2) {
            self.rotate()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(create(&self.folder, self.path(false), &self.header)?),
        };
        let written = open.file.write_all(lines);
        if written.is_err() {
            // What a full disk took of a line is no line; the file is left at the last whole one.
            let _ = open.file.set_len(open.bytes);
        } else {
            open.bytes += added;
        }
        written
    }

    /// The record as it is now, the older file before the newer one, with one header.
    ///
    /// # Errors
    /// Those of the file system; where nothing was recorded there is just nothing to read.
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
                // Under another header the lines mean something else.
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

fn create(folder: &std::path::Path, path: PathBuf, header: &[u8]) -> io::Result<Open> {
    fs::create_dir_all(folder)?;
    // Appending, so that a reader's position and ours are two things.
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.set_len(0)?;
    file.write_all(header)?;
    Ok(Open { file, bytes: header.len() as u64 })
}

fn starts_with(path: PathBuf, header: &[u8]) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(header.len() as u64).read_to_end(&mut begin)?;
    Ok(begin == header)
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
    fn the_oldest_goes_and_the_header_stands_once() {
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
    fn another_header_begins_another_record() {
        let folder = Folder::new("headers");
        let mut recorder = Recorder::new(folder.0.clone(), "faces", "csv", 2000);
        recorder.begin(b"a,b\n").unwrap();
        recorder.write(b"1,2\n").unwrap();
        recorder.begin(b"a,b\n").unwrap();
        recorder.write(b"3,4\n").unwrap();
        assert_eq!(text(&recorder), "a,b\n1,2\n3,4\n", "a restart goes on where it was");
        recorder.begin(b"a,c\n").unwrap();
        recorder.write(b"5,6\n").unwrap();
        assert_eq!(text(&recorder), "a,c\n5,6\n");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_and_not_the_end() {
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
