// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: inputs, what is done with them, and how the program runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueHint};

use crate::blurred::options::Blurring;
use crate::error::Error;
use crate::examination::Examination;
use crate::outputs::Outputs;
use crate::sampling::seconds;

const AFTER_HELP: &str = "\
TABLE has one row for each face on each examined frame. The tables of files and of tracks, whose names have .files and \
.tracks before the suffix, have one row for each file and for each track. docs/scan.md describes the columns.

If the scan is interrupted, the same command continues it.

Exit status: 0 if all files were examined or are no pictures, 3 if a file could not be read (its row has the error), \
1 if the scan stopped, 2 if an option is wrong.";

/// Finds faces in photos and recordings, scores their apparent expression, and writes one table.
#[derive(Clone, Debug, Parser)]
#[command(name = "emotion-scan", version, after_help = AFTER_HELP, next_display_order = 1)]
pub struct CommandLine {
    /// Photos, videos and folders, or their http, https and s3 URLs; folders are searched with their subfolders
    #[arg(value_name = "FILE")]
    pub inputs: Vec<PathBuf>,

    /// File with further inputs, one per line; - is standard input; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub list: Vec<PathBuf>,

    /// How files are examined.
    #[command(flatten)]
    pub examination: Examination,

    /// results.json of an earlier scan, whose options and networks this scan uses; other networks are refused
    // In the help it stands before --set, the last option of the examination.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "Examination", display_order = 9)]
    pub like: Option<PathBuf>,

    /// Number of files or slices examined at the same time; without it, one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// What is written.
    #[command(flatten)]
    pub outputs: Outputs,

    /// Copies with hidden faces.
    #[command(flatten)]
    pub blurring: Blurring,

    /// Seconds without a decoded frame, or without data from a server, after which a file is given up
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub timeout: Duration,

    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,

    /// Examine nothing here: write tasks to standard output and read their results from standard input, for a program that
    /// takes them to other machines
    #[arg(long, conflicts_with = "worker")]
    pub dispatch: bool,

    /// Examine the tasks of a scan that has --dispatch and the same options; the inputs are ignored
    #[arg(long)]
    pub worker: bool,

    /// The arguments of the program, for the record of the scan.
    #[arg(skip)]
    pub arguments: Vec<String>,
}

impl CommandLine {
    /// A scan of `inputs` to `output` without progress, all other options at their defaults.
    pub fn new(inputs: Vec<PathBuf>, output: PathBuf) -> Self {
        let mut option = OsString::from("--output=");
        option.push(output);
        let arguments = ["emotion-scan".into(), "--quiet".into(), option, "--".into()];
        Self::parse_from(arguments.into_iter().chain(inputs.into_iter().map(OsString::from)))
    }

    /// Checks what the parser does not.
    pub fn check(&self) -> Result<(), Error> {
        if self.dispatch && self.list.iter().any(|list| list == Path::new("-")) {
            return Err(Error::ListFromStandardInput);
        }
        if self.blurring.blurred.is_some() { Ok(()) } else { self.outputs.check() }
    }

    /// The files and folders that are written.
    pub fn written(&self) -> Vec<PathBuf> {
        self.blurring.blurred.clone().map_or_else(|| self.outputs.all(), |folder| vec![folder])
    }

    /// The number of workers, and of threads of each worker's networks.
    pub fn workers(&self) -> (usize, u32) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.map_or(cores, usize::from);
        (jobs, (cores / jobs).max(1) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_refused() {
        for line in [
            "a -o b.csv --every 0",
            "a -o b.csv --every x",
            "a -o b.csv --jobs 0",
            "a -o b.csv --turn 45",
            "a -o b.csv --baseline face",
            "a -o b.csv --set tile-size=3",
            "a -o b.csv --exact",
            "a -o b.csv --like c.json --every 2",
            "a -o b.csv --like c.json --geometry",
            "a -o b.csv --like c.json --where-faces",
            "a -o b.csv --blurred d",
            "a --blurred d --every 2",
            "a --blurred d --report e.html",
            "a --blurred d --style none",
            "a",
        ] {
            assert!(CommandLine::try_parse_from(std::iter::once("emotion-scan").chain(line.split(' '))).is_err(), "{line}");
        }
    }

    #[test]
    fn other_programs_scan_with_the_defaults() {
        let command = CommandLine::new(vec!["-a.mp4".into()], "-b.csv".into());
        assert_eq!((&*command.inputs, &*command.outputs.output), (&["-a.mp4".into()][..], Path::new("-b.csv")));
        assert!(command.quiet && command.timeout == Duration::from_secs(60) && command.examination == Examination::default());
    }
}
