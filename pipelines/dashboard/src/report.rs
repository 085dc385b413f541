// SPDX-License-Identifier: MIT OR Apache-2.0
//! A record as a page to keep, made by `pipelines/report.sh`.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The newest so many bytes of a record are told of.
const MOST_BYTES: u64 = 32 << 20;
/// A report that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(60);

/// One at a time: whoever asks for many waits for them.
static TURN: Mutex<()> = Mutex::new(());

/// The script of the checkout that this program was built in, if it is there.
pub fn script() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../report.sh");
    script.is_file().then_some(script)
}

/// The page that tells of the lines of `record`; `name` is what it is called there.
///
/// # Errors
/// If the script is not there, fails or takes too long, with what it says.
pub fn write(record: &mut dyn Read, name: &str) -> io::Result<Vec<u8>> {
    let script = script().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no pipelines/report.sh"))?;
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = Folder::new()?;
    let (lines, page) = (folder.0.join(format!("{name}.ndjson")), folder.0.join("report.html"));
    newest(record, &lines, MOST_BYTES)?;
    let mut child = Command::new(script).args([&lines, &page]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let end = Instant::now() + LONGEST;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > end => {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the report takes too long"));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if status.success() {
        return fs::read(page);
    }
    let mut said = String::new();
    child.stderr.take().map(|stderr| stderr.take(1000).read_to_string(&mut said)).transpose()?;
    Err(io::Error::other(format!("the report failed: {}", said.trim())))
}

/// Writes the last whole lines of `record` that are together at most `most_bytes` long.
fn newest(record: &mut dyn Read, path: &Path, most_bytes: u64) -> io::Result<()> {
    let mut file = File::options().create(true).read(true).write(true).truncate(true).open(path)?;
    let length = io::copy(record, &mut file)?;
    if length > most_bytes {
        file.seek(SeekFrom::Start(length - most_bytes))?;
        let mut kept = Vec::new();
        file.read_to_end(&mut kept)?;
        let start = kept.iter().position(|&byte| byte == b'\n').map_or(kept.len(), |end| end + 1);
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&kept[start..])?;
    }
    Ok(())
}

/// A folder for one report.
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
    fn of_a_long_record_the_last_whole_lines_are_kept() {
        let folder = Folder::new().unwrap();
        let path = folder.0.join("lines");
        newest(&mut &b"first\nsecond\nthird\n"[..], &path, 12).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "third\n");
        newest(&mut &b"first\nsecond\n"[..], &path, 13).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\n");
    }
}
