// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables in parts, for when a single table would be too large.
//!
//! ```text
//! results.parquet/part-00000.parquet, …         faces
//! results.files.parquet/part-00000.parquet, …   files; as well tracks and bins
//! results.parquet.parts/part-00000.done, …      what is in a finished part, until all are finished
//! results.parquet.parts/lock                    held while the scan runs
//! ```

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::findings::FileKey;
use crate::inputs::Input;
use crate::journal::{LockedFolder, write_whole};
use crate::models::Models;
use crate::options::Options;
use crate::output::{self, Summary};
use crate::record::Record;
use crate::run::run;

/// A finished part.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    settings: String,
    /// Length of the bins, if there is a table of them.
    #[serde(default)]
    bins: Option<Duration>,
    files: Vec<FileKey>,
    summary: Summary,
}

/// Writes one set of tables for each `files` inputs. Parts that an earlier run has finished are kept if their files and the
/// settings are the same.
///
/// # Errors
/// As a scan to one table.
pub fn scan(options: &Options, models: &Models, inputs: &[Input], files: usize, record: &Record) -> Result<Summary, Error> {
    // Each part has a lock of its own, and between two parts neither is held.
    let parts = LockedFolder::open(&options.parts())?;
    let folders: Vec<PathBuf> = options.tables().into_iter().map(|table| options.path_of(table)).collect();
    folders.iter().try_for_each(|folder| fs::create_dir_all(folder).map_err(Error::at(folder)))?;
    let mut whole = Summary::default();
    for (number, inputs) in inputs.chunks(files).enumerate() {
        whole.extend(scan_part(&options.of_part(number), models, inputs, record)?);
    }
    for folder in &folders {
        remove_from(folder, options, inputs.len().div_ceil(files)).map_err(Error::at(folder))?;
    }
    output::describe(options, &whole, inputs.len().div_ceil(files), record)?;
    parts.remove(None).map_err(Error::at(parts.path()))?;
    Ok(whole)
}

fn scan_part(part: &Options, models: &Models, inputs: &[Input], record: &Record) -> Result<Summary, Error> {
    let path = part.parts().with_extension("done");
    let keys: Vec<FileKey> = inputs.iter().map(|input| input.key.clone()).collect();
    let settings = part.fingerprint(models);
    let done = read(&path).filter(|done| done.settings == settings && done.bins == part.bins && done.files == keys);
    if let Some(done) = done.filter(|_| part.tables().into_iter().all(|table| part.path_of(table).exists())) {
        return Ok(done.summary);
    }
    let summary = run(part, models, inputs, record)?;
    let done = Done { settings, bins: part.bins, files: keys, summary };
    let json = serde_json::to_vec(&done).expect("numbers and texts become JSON");
    write_whole(&path, &json).map_err(Error::at(&path))?;
    Ok(done.summary)
}

/// Reads the note about a finished part. An unreadable note means that the part is not finished.
fn read(path: &Path) -> Option<Done> {
    serde_json::from_reader(BufReader::new(File::open(path).ok()?)).ok()
}

/// Removes the parts of an earlier scan of more files: number `first` and those after it.
fn remove_from(folder: &Path, options: &Options, first: usize) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| options.part_number(name));
        if number.is_some_and(|number| number >= first) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_that_the_scan_does_not_have_are_removed() {
        let folder = std::env::temp_dir().join(format!("emotion-scan-partition-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let options = Options::new(Vec::new(), "results.csv".into());
        let numbers = [0, 9_999, 10_000, 99_998, 99_999, 100_000, 100_001, 1_000_000];
        numbers.iter().for_each(|number| fs::write(folder.join(options.part_name(*number)), "").unwrap());
        fs::write(folder.join("part-of-something-else.csv"), "").unwrap();
        remove_from(&folder, &options, 100_001).unwrap();
        let left = numbers.iter().filter(|number| folder.join(options.part_name(**number)).exists());
        assert_eq!(left.copied().collect::<Vec<usize>>(), numbers[..6]);
        assert!(folder.join("part-of-something-else.csv").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
