// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes an HTML report of a record, as `pipelines/report.sh` does.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use emotion_supervise::report;
use tokio::sync::{Semaphore, SemaphorePermit};

/// A report covers at most the newest bytes of a record.
const MAX_BYTES: u64 = 32 << 20;
/// The program is killed if it takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Reports are made one at a time, so that requests cannot start many processes.
static TURNS: Semaphore = Semaphore::const_new(1);

/// The right to make a report. Requests do not wait for it: each that waits would occupy a thread that downloads need.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held until it is dropped")] SemaphorePermit<'static>);

impl Turn {
    /// The right to make a report; none while another one is made.
    pub fn take() -> Option<Self> {
        TURNS.try_acquire().ok().map(Self)
    }
}

/// The page of an NDJSON record, as HTML; `name` is the name of the record on the page. `_turn` is given back at the end, also
/// if the client is gone before.
///
/// # Errors
/// If there is no Python, or it fails or takes too long.
pub fn write(_turn: Turn, record: &mut dyn Read, name: &str) -> io::Result<Vec<u8>> {
    let folder = Folder::new()?;
    let (lines, page) = (folder.0.join(format!("{name}.ndjson")), folder.0.join("report.html"));
    write_newest(record, &lines, MAX_BYTES)?;
    let mut command = report::command(&folder.0.join("program"), &lines, None, &page)?;
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let end = Instant::now() + TIMEOUT;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > end => {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the report took too long"));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if status.success() {
        return fs::read(page);
    }
    let mut message = String::new();
    child.stderr.take().map(|stderr| stderr.take(1000).read_to_string(&mut message)).transpose()?;
    Err(io::Error::other(format!("the report failed: {}", message.trim())))
}

/// Writes the last whole lines of `record`, at most `max_bytes` in total.
fn write_newest(record: &mut dyn Read, path: &Path, max_bytes: u64) -> io::Result<()> {
    let mut file = File::options().create(true).read(true).write(true).truncate(true).open(path)?;
    let length = io::copy(record, &mut file)?;
    if length > max_bytes {
        file.seek(SeekFrom::Start(length - max_bytes))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let first_line = tail.iter().position(|&byte| byte == b'\n').map_or(tail.len(), |end| end + 1);
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&tail[first_line..])?;
    }
    Ok(())
}

/// A temporary folder for one report.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
        let folder = std::env::temp_dir().join(format!("emotion-report-{:016x}", u64::from_ne_bytes(name)));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_is_cut_to_its_last_whole_lines() {
        let folder = Folder::new().unwrap();
        let path = folder.0.join("lines");
        write_newest(&mut &b"first\nsecond\nthird\n"[..], &path, 12).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "third\n");
        write_newest(&mut &b"first\nsecond\n"[..], &path, 13).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\n");
    }
}
