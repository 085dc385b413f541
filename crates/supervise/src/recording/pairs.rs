// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files of recordings: their numbers, and when they are on the disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use parking_lot::Mutex;

use super::retention::{Keep, Own, file};

/// A recording that has failed goes on when the disk has room for this much.
const ROOM: u64 = 16 << 20;
/// A video of at most this size has no pictures.
const EMPTY_VIDEO: u64 = 4 << 10;

/// The pairs of files that a pipeline records to a folder, in which other programs may record too.
#[derive(Debug)]
pub struct Pairs {
    folder: PathBuf,
    next: Arc<AtomicU32>,
    own: Arc<Mutex<Own>>,
    open: Mutex<Vec<Pair>>,
}

/// A pair that is not known to be on the disk.
#[derive(Clone, Debug)]
struct Pair {
    number: u32,
    /// True if the muxer has closed the video.
    is_closed: bool,
    /// The file of records, as long as it is written.
    records: Weak<File>,
}

impl Pairs {
    /// No pairs yet. Those in `folder` are added to `own`. `next` is the number of the next one.
    pub fn new(folder: PathBuf, next: Arc<AtomicU32>, own: Arc<Mutex<Own>>) -> Self {
        Self { folder, next, own, open: Mutex::default() }
    }

    /// Begins a pair: creates its file of records, with this number, or a later one if another program has it. Returns the path of its
    /// video, and that file, which is being written until it is dropped.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn begin(&self, mut number: u32) -> io::Result<(PathBuf, Arc<File>)> {
        loop {
            let (video, lines) = (self.path(number, "mp4"), self.path(number, "ndjson"));
            let created = if video.exists() { Err(ErrorKind::AlreadyExists.into()) } else { File::create_new(&lines) };
            match created.map(Arc::new) {
                Ok(records) => {
                    self.own.lock().add(number).inspect_err(|_| drop(fs::remove_file(&lines)))?;
                    self.open.lock().push(Pair { number, is_closed: false, records: Arc::downgrade(&records) });
                    return Ok((video, records));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number = self.next.fetch_add(1, Ordering::Relaxed),
                Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", self.folder.display()))),
            }
        }
    }

    /// Takes a message of the muxer: it may have closed a video.
    pub fn note(&self, message: Option<&gst::StructureRef>) {
        let Some(closed) = message.filter(|message| message.name() == "splitmuxsink-fragment-closed") else { return };
        let Ok(location) = closed.get::<PathBuf>("location").or_else(|_| closed.get::<String>("location").map(PathBuf::from)) else {
            return;
        };
        self.open.lock().iter_mut().filter(|pair| self.path(pair.number, "mp4") == location).for_each(|pair| pair.is_closed = true);
    }

    /// Syncs what is not known to be on the disk. Returns whether there is a video with pictures among it, and whether pairs are complete
    /// now.
    ///
    /// # Errors
    /// If the system cannot write it.
    pub fn sync(&self) -> io::Result<(bool, bool)> {
        let open = self.open.lock().clone();
        // Before the sync: what is written now is synced the next time.
        let closed: Vec<u32> = open.iter().filter(|pair| pair.is_complete()).map(|pair| pair.number).collect();
        let mut has_video = false;
        for pair in &open {
            has_video |= sync_file(&self.path(pair.number, "mp4"))? > EMPTY_VIDEO;
            sync_file(&self.path(pair.number, "ndjson"))?;
        }
        if !open.is_empty() {
            let list = self.own.lock().list().to_owned();
            sync_file(&list)?;
            sync_folder(&self.folder)?;
        }
        self.open.lock().retain(|pair| !closed.contains(&pair.number));
        Ok((has_video, !closed.is_empty()))
    }

    /// Deletes what `keep` does not keep.
    ///
    /// # Errors
    /// If that fails.
    pub fn delete_oldest(&self, keep: &Keep) -> io::Result<()> {
        let open: Vec<u32> = self.open.lock().iter().map(|pair| pair.number).collect();
        self.own.lock().delete(keep, &open, SystemTime::now())
    }

    /// True while records are written.
    pub fn has_records_to_come(&self) -> bool {
        self.open.lock().iter().any(|pair| pair.records.strong_count() > 0)
    }

    /// Ends with the pipeline. If that has failed, a pair without pictures and records is deleted, and others are mended.
    pub fn finish(&self, has_failed: bool) {
        let open = std::mem::take(&mut *self.open.lock());
        let length = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
        for pair in open.iter().filter(|_| has_failed) {
            let (video, records) = (self.path(pair.number, "mp4"), self.path(pair.number, "ndjson"));
            if length(&video) <= EMPTY_VIDEO && length(&records) == 0 {
                let _ = (fs::remove_file(video), fs::remove_file(records));
            } else {
                let _ = trim(&video);
            }
        }
    }

    fn path(&self, number: u32, extension: &str) -> PathBuf {
        file(&self.folder, number, extension)
    }
}

/// Syncs a file, if it exists. Returns its length.
fn sync_file(path: &Path) -> io::Result<u64> {
    let synced = File::options().append(true).open(path).and_then(|file| {
        file.sync_data()?;
        Ok(file.metadata()?.len())
    });
    match synced {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        synced => synced.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

impl Pair {
    /// True if nothing more is written.
    fn is_complete(&self) -> bool {
        self.is_closed && self.records.strong_count() == 0
    }
}

/// Removes the index of a fragment that a full disk has cut off at the end of a video: FFmpeg does not open such a file.
fn trim(video: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(video)?;
    let (length, mut start, mut header) = (file.metadata()?.len(), 0, [0; 8]);
    while start + 8 <= length {
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut header)?;
        let [a, b, c, d, name @ ..] = header;
        let size = u64::from(u32::from_be_bytes([a, b, c, d]));
        if name == *b"moof" && start + size > length {
            return file.set_len(start);
        }
        // The last part may not have its length yet.
        start += size.max(8);
    }
    Ok(())
}

/// Makes the names of new files survive a power failure, where folders can be synced.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}

/// Writes a file to the folder, or to the first folder above it that exists.
///
/// # Errors
/// If that fails.
pub fn check_writable(folder: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(folder)?;
    try_file(absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute), 0)
}

/// True if the folder has room for a recording.
pub fn has_room(folder: &Path) -> bool {
    fs::create_dir_all(folder).and_then(|()| try_file(folder, ROOM)).is_ok()
}

/// Writes a file to the disk. It has no name while it is written, so that a crash leaves nothing.
fn try_file(folder: &Path, bytes: u64) -> io::Result<()> {
    // Programs in containers may have the same id and share the folder.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let path = folder.join(format!(".emotion-{}-{}", std::process::id(), now.as_nanos()));
    let mut file = File::create_new(&path)?;
    fs::remove_file(&path)?;
    // In pieces: the C library would keep the memory of the whole.
    io::copy(&mut io::repeat(1).take(bytes), &mut file)?;
    file.sync_data()
}

/// The number after the highest one of the files in the folder.
///
/// # Errors
/// If the folder cannot be read.
pub fn next_number(folder: &Path) -> io::Result<u32> {
    let mut next = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|extension| extension == "mp4" || extension == "ndjson");
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
        next = next.max(number.filter(|_| is_ours).map_or(0, |number| number.saturating_add(1)));
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn own(folder: &Path) -> Arc<Mutex<Own>> {
        Arc::new(Mutex::new(Own::read(folder, "door")))
    }

    #[test]
    fn numbers_continue_after_the_files_of_earlier_runs_and_of_other_programs() {
        let folder = std::env::temp_dir().join(format!("emotion-supervise-numbers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(next_number(&folder).unwrap(), 0);
        for name in ["00002.mp4", "00004.ndjson", "00009.txt", "cat.mp4"] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(next_number(&folder).unwrap(), 5);
        let [door, gate] = [(); 2].map(|()| Pairs::new(folder.clone(), Arc::new(6.into()), own(&folder)));
        let videos = [&door, &gate, &gate, &door].map(|pairs| pairs.begin(5).unwrap().0);
        assert_eq!(videos, [5, 6, 7, 8].map(|number| folder.join(format!("0000{number}.mp4"))));
        fs::remove_dir_all(folder).unwrap();
    }

    /// The folder in which a child process looks for room.
    const FOLDER: &str = "EMOTION_TEST_ROOM";

    #[test]
    #[ignore = "not a test: the child process of the next one"]
    fn room() {
        has_room(Path::new(&std::env::var(FOLDER).unwrap()));
    }

    #[cfg(unix)]
    #[test]
    fn a_crash_while_there_is_looked_for_room_leaves_no_file() {
        let folder = std::env::temp_dir().join(format!("emotion-supervise-room-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // The system ends a process that writes a file of more than 1 MiB.
        let program = std::env::current_exe().unwrap();
        let line = format!("ulimit -f 1024; exec '{}' --exact recording::pairs::tests::room --ignored", program.display());
        let status = std::process::Command::new("bash").args(["-c", &line]).env(FOLDER, &folder).output().unwrap().status;
        assert!(std::os::unix::process::ExitStatusExt::signal(&status).is_some(), "{status}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "a file is left");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_pair_without_content_is_deleted_after_a_failure_and_one_with_content_can_be_opened() {
        let folder = std::env::temp_dir().join(format!("emotion-supervise-empty-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let pairs = Pairs::new(folder.clone(), Arc::default(), own(&folder));
        let (_, records) = pairs.begin(0).unwrap();
        (&*records).write_all(b"{}\n").unwrap();
        pairs.begin(1).unwrap();
        fs::write(folder.join("00001.mp4"), "").unwrap();
        let part = |name: &str, length: u32, whole: u32| [&whole.to_be_bytes(), name.as_bytes(), &vec![0; length as usize - 8]].concat();
        let video = folder.join("00000.mp4");
        fs::write(&video, [part("mdat", 5000, 5000), part("moov", 900, 900), part("moof", 104, 212)].concat()).unwrap();
        pairs.finish(true);
        assert_eq!(fs::metadata(&video).unwrap().len(), 5900, "a part of an index is removed");
        let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".door.pairs", "00000.mp4", "00000.ndjson"]);
        fs::remove_dir_all(folder).unwrap();
    }
}
