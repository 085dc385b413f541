// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes finished tables visible under their names.

use std::fs::{self, OpenOptions};
use std::path::Path;

use crate::error::Error;
use crate::platform;

/// Moves a finished table from `part` to `output`, where it replaces an earlier one at once. Both the table and its name are
/// on disk afterwards, so the journal may be removed.
///
/// # Errors
/// If the table cannot be moved.
pub(crate) fn publish(part: &Path, output: &Path) -> Result<(), Error> {
    // Windows syncs only files that are open for writing.
    OpenOptions::new().write(true).open(part).and_then(|file| file.sync_all()).map_err(Error::at(part))?;
    fs::rename(part, output).map_err(Error::at(output))?;
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    platform::sync_folder(folder).map_err(Error::at(folder))
}
