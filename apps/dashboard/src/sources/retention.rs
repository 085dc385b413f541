// SPDX-License-Identifier: MIT OR Apache-2.0
//! Deletes the records of earlier sources, so that their folders do not fill the disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Length of the time at the start of a folder's name, such as `2026-01-31T235959`.
const TIME_LENGTH: usize = 17;

/// Deletes the oldest folders of sources in `data`, except the newest `keep`. Folders whose records are written, by this or
/// another process, are neither deleted nor counted. Files that are not records stay, and so does their folder.
pub fn remove_oldest(data: &Path, keep: usize) {
    let mut folders: Vec<_> = entries(data).filter_map(|path| Some((order(&path)?, path))).collect();
    folders.retain(|(_, folder)| !is_in_use(folder));
    folders.sort();
    let surplus = folders.len().saturating_sub(keep);
    for (_, folder) in folders.into_iter().take(surplus) {
        // What cannot be deleted now is tried again with the next source.
        entries(&folder).filter(|path| is_record(path)).for_each(|path| drop(fs::remove_file(path)));
        let _ = fs::remove_dir(folder);
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

/// The time and number of a source's folder; `None` if it is another one.
fn order(folder: &Path) -> Option<(String, u32)> {
    let (time, rest) = folder.file_name()?.to_str()?.split_at_checked(TIME_LENGTH)?;
    let is_time = time.bytes().enumerate().all(|(index, byte)| match index {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        _ => byte.is_ascii_digit(),
    });
    let (id, _) = rest.strip_prefix('-')?.split_once('-')?;
    (is_time && folder.is_dir()).then_some((time.to_owned(), id.parse().ok()?))
}

fn is_record(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (stem, extension) = name.split_once('.').unwrap_or_default();
    ["faces", "room"].contains(&stem) && ["ndjson", "csv", "1.ndjson", "1.csv"].contains(&extension)
}

/// True if a record of the folder is locked by its writer.
fn is_in_use(folder: &Path) -> bool {
    entries(folder).filter(|path| is_record(path)).any(|path| File::open(path).is_ok_and(|file| file.try_lock().is_err()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::recorder::Recorder;

    #[test]
    fn the_oldest_folders_that_no_source_uses_are_deleted() {
        let data = std::env::temp_dir().join(format!("emotion-dashboard-retention-{}", std::process::id()));
        let folder = |name: &str| data.join(name);
        let written = |name: &str| {
            let mut recorder = Recorder::new(folder(name), "faces", "csv", 100);
            (0..20).for_each(|_| recorder.write(b"1234567\n").unwrap());
            recorder
        };
        let used = written("2026-01-01T000000-1-used");
        for name in ["2026-01-01T000000-9-a", "2026-01-01T000000-10-b", "2026-01-02T000000-1-c", "2025-12-31T235959-3-noted", "other"] {
            drop(written(name));
        }
        fs::write(folder("2025-12-31T235959-3-noted/notes.txt"), b"mine").unwrap();
        remove_oldest(&data, 2);
        let mut left: Vec<_> = entries(&data).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        left.sort();
        let expected =
            ["2025-12-31T235959-3-noted", "2026-01-01T000000-1-used", "2026-01-01T000000-10-b", "2026-01-02T000000-1-c", "other"];
        assert_eq!(left, expected, "the tenth source of a second is newer than the ninth");
        assert_eq!(entries(&folder("2025-12-31T235959-3-noted")).count(), 1, "only what is not a record is left");
        drop(used);
        remove_oldest(&data, 0);
        assert!(!folder("2026-01-01T000000-1-used").exists() && folder("other/faces.csv").exists());
        fs::remove_dir_all(data).unwrap();
    }
}
