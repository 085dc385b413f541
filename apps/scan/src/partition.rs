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
use crate::journal::LockedFolder;
use crate::output::describe;
use crate::outputs::Outputs;
use crate::platform::write_whole;
use crate::run::run;
use crate::scan::Scan;
use crate::summary::Summary;

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
pub(crate) fn run_parts(scan: Scan<'_>, files: usize) -> Result<Summary, Error> {
    let (outputs, parts) = (scan.outputs, scan.inputs.len().div_ceil(files));
    // Each part has a lock of its own, and between two parts neither is held.
    let lock = LockedFolder::open(&outputs.journal_folder())?;
    let folders: Vec<PathBuf> = outputs.tables().map(|table| outputs.path_of(table)).collect();
    folders.iter().try_for_each(|folder| fs::create_dir_all(folder).map_err(Error::at(folder)))?;
    let mut whole = Summary::default();
    for (number, inputs) in scan.inputs.chunks(files).enumerate() {
        whole.extend(run_part(Scan { outputs: &outputs.of_part(number), inputs, ..scan })?);
    }
    for folder in &folders {
        remove_from(folder, outputs, parts).map_err(Error::at(folder))?;
    }
    describe::write(scan, &whole, parts)?;
    lock.remove(None).map_err(Error::at(lock.path()))?;
    Ok(whole)
}

fn run_part(scan: Scan<'_>) -> Result<Summary, Error> {
    let (outputs, settings) = (scan.outputs, scan.command.examination.fingerprint(scan.models));
    let path = outputs.journal_folder().with_extension("done");
    let files: Vec<FileKey> = scan.inputs.iter().map(|input| input.key.clone()).collect();
    let done = read(&path).filter(|done| done.settings == settings && done.bins == outputs.bins && done.files == files);
    if let Some(done) = done.filter(|_| outputs.tables().all(|table| outputs.path_of(table).exists())) {
        return Ok(done.summary);
    }
    let done = Done { settings, bins: outputs.bins, files, summary: run(scan)? };
    write_whole(&path, &serde_json::to_vec(&done).expect("numbers and texts become JSON"))?;
    Ok(done.summary)
}

/// Reads the note about a finished part. An unreadable note means that the part is not finished.
fn read(path: &Path) -> Option<Done> {
    serde_json::from_reader(BufReader::new(File::open(path).ok()?)).ok()
}

/// Removes the parts of an earlier scan of more files: number `first` and those after it.
fn remove_from(folder: &Path, outputs: &Outputs, first: usize) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| outputs.part_number(name));
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
        let outputs = Outputs { output: "results.csv".into(), ..Outputs::default() };
        let numbers = [0, 9_999, 10_000, 99_998, 99_999, 100_000, 100_001, 1_000_000];
        numbers.iter().for_each(|number| fs::write(folder.join(outputs.part_name(*number)), "").unwrap());
        fs::write(folder.join("part-of-something-else.csv"), "").unwrap();
        remove_from(&folder, &outputs, 100_001).unwrap();
        let left = numbers.iter().filter(|number| folder.join(outputs.part_name(**number)).exists());
        assert_eq!(left.copied().collect::<Vec<usize>>(), numbers[..6]);
        assert!(folder.join("part-of-something-else.csv").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
