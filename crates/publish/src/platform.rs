// SPDX-License-Identifier: MIT OR Apache-2.0
//! What depends on the operating system.

use std::fs::File;
use std::io;
use std::path::Path;

/// The file that has to be synced for the names of new files in `folder` to survive a power failure; `None` on Windows.
pub fn folder_to_sync(folder: &Path) -> io::Result<Option<File>> {
    // A folder cannot be opened as a file there. NTFS has one log for names and contents, and syncing a file writes that log.
    if cfg!(windows) { Ok(None) } else { File::open(folder).map(Some) }
}
