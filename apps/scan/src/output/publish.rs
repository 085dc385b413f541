// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes finished tables visible under their names.

use std::fs::{self, File};
use std::path::Path;

use crate::error::Error;

/// Moves a finished table from `part` to `output`, where it replaces an earlier one at once. Both the table and its name are
/// on disk afterwards, so the journal may be removed.
///
/// # Errors
/// If the table cannot be moved.
pub(crate) fn publish(part: &Path, output: &Path) -> Result<(), Error> {
    File::open(part).and_then(|file| file.sync_all()).map_err(Error::at(part))?;
    fs::rename(part, output).map_err(Error::at(output))?;
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::at(folder))
}
