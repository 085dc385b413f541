// SPDX-License-Identifier: MIT OR Apache-2.0
//! What depends on the operating system: the form of paths, and how files come onto the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

#[cfg(unix)]
pub(crate) use unix::{bytes_of, path_of, path_of_line};
#[cfg(windows)]
pub(crate) use windows::{bytes_of, path_of, path_of_line};

/// Writes the names in a folder to the disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // A folder cannot be opened as a file on Windows. NTFS has one log for names and contents, and syncing a file writes it.
    if cfg!(windows) { Ok(()) } else { File::open(folder)?.sync_all() }
}

/// The name of a file until it is complete: `results.json.part` for `results.json`.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Writes a file under a temporary name and renames it, so that nobody sees an incomplete file.
pub(crate) fn write_whole(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let part = temporary(path);
    let written = File::create(&part).and_then(|mut file| file.write_all(contents).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&part, path)).map_err(Error::at(path))
}

/// Moves a finished file from `part` to `path`, where it replaces an earlier one at once. Both the file and its name are on disk
/// afterwards, so what it was made from may be removed.
pub(crate) fn put_in_place(part: &Path, path: &Path) -> Result<(), Error> {
    // Windows syncs only files that are open for writing.
    OpenOptions::new().write(true).open(part).and_then(|file| file.sync_all()).map_err(Error::at(part))?;
    fs::rename(part, path).map_err(Error::at(path))?;
    sync_folder(folder_of(path)).map_err(Error::at(folder_of(path)))
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::io;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    /// The path as bytes, from which [`path_of`] makes the same path.
    pub(crate) fn bytes_of(path: &Path) -> Vec<u8> {
        path.as_os_str().as_bytes().to_vec()
    }

    /// The path of these bytes.
    pub(crate) fn path_of(bytes: Vec<u8>) -> PathBuf {
        OsString::from_vec(bytes).into()
    }

    /// The path in a line of a list, which may have any bytes.
    pub(crate) fn path_of_line(line: Vec<u8>) -> io::Result<PathBuf> {
        Ok(path_of(line))
    }
}

#[cfg(windows)]
mod windows {
    use std::ffi::OsString;
    use std::io;
    use std::os::windows::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    /// The path as bytes, from which [`path_of`] makes the same path: UTF-16 that may have unpaired surrogates.
    pub(crate) fn bytes_of(path: &Path) -> Vec<u8> {
        path.as_os_str().encode_wide().flat_map(u16::to_le_bytes).collect()
    }

    /// The path of these bytes.
    pub(crate) fn path_of(bytes: Vec<u8>) -> PathBuf {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        OsString::from_wide(&units).into()
    }

    /// The path in a line of a list, which is UTF-8.
    ///
    /// # Errors
    /// If it is not, as in a file that PowerShell 5 writes by `>`.
    pub(crate) fn path_of_line(line: Vec<u8>) -> io::Result<PathBuf> {
        String::from_utf8(line).map(PathBuf::from).map_err(|error| {
            let found = String::from_utf8_lossy(error.as_bytes()).into_owned();
            io::Error::new(io::ErrorKind::InvalidData, format!("expected paths in UTF-8, found {found:?}"))
        })
    }
    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::findings::FileKey;

        #[test]
        fn an_unpaired_surrogate_has_a_key_of_its_own() {
            let path = |unit: u16| PathBuf::from(OsString::from_wide(&[u16::from(b'a'), unit]));
            let keys = [0xd800, 0xd801, 0xfffd].map(|unit| FileKey::local(&path(unit), 1, 2));
            assert_eq!(keys[0].name, "a\\xED\\xA0\\x80");
            assert!(keys[0].path() == path(0xd800) && keys[1].path() == path(0xd801) && keys[2].bytes.is_none());
        }

        #[test]
        fn lists_are_utf_8() {
            assert_eq!(path_of_line("größer.mp4".into()).unwrap(), PathBuf::from("größer.mp4"));
            assert!(path_of_line(vec![0xff, 0xfe, b'a', 0]).unwrap_err().to_string().contains("expected paths in UTF-8"));
        }
    }
}
