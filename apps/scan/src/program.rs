// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-scan`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use emotion_core::behaviour::ActivitySums;

use crate::table::Table;
use crate::work::serve;
use crate::{CommandLine, Error, Summary, blurred, scan};

/// Some files could not be read.
const EXIT_UNREADABLE: u8 = 3;
/// An option is wrong, as for `clap`.
const EXIT_USAGE: u8 = 2;
/// Maximum number of printed errors; the table of files has all of them.
const PRINTED_ERRORS: usize = 10;

/// The command line of the program.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Runs the program with its arguments, the first of which is its name.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let said = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let command = CommandLine { arguments: said, ..CommandLine::parse_from(arguments) };
    if command.worker {
        return exit(serve::run(&command, std::io::stdin().lock(), std::io::stdout()).map(|()| ExitCode::SUCCESS));
    }
    if command.blurring.blurred.is_some() {
        return exit(blurred::run(&command).map(|done| {
            eprint!("{done}");
            if done.failed.is_empty() { ExitCode::SUCCESS } else { EXIT_UNREADABLE.into() }
        }));
    }
    exit(scan(&command).map(|summary| {
        report(&command, &summary);
        if summary.errors.is_empty() { ExitCode::SUCCESS } else { EXIT_UNREADABLE.into() }
    }))
}

fn exit(ended: Result<ExitCode, Error>) -> ExitCode {
    ended.unwrap_or_else(|error| {
        eprintln!("emotion-scan: {error}");
        if error.is_usage() { EXIT_USAGE.into() } else { ExitCode::FAILURE }
    })
}

fn report(command: &CommandLine, summary: &Summary) {
    let (output, files) = (command.outputs.output.display(), command.outputs.path_of(Table::Files));
    if !command.quiet {
        eprintln!("wrote {output}: {} faces on {} frames of {} files", summary.faces, summary.frames, summary.files);
        summary.activity.iter().for_each(|activity| eprintln!("{}", said(activity)));
    }
    for (file, error) in summary.errors.iter().take(PRINTED_ERRORS) {
        eprintln!("emotion-scan: {file}: {error}");
    }
    if summary.unreadable > PRINTED_ERRORS as u64 {
        eprintln!("emotion-scan: {} files could not be read; {} has all errors", summary.unreadable, files.display());
    }
}

/// How much faces faced the camera, and how often they blinked.
fn said(activity: &ActivitySums) -> String {
    let facing = match activity.facing_share() {
        Some(share) => format!("{:.0} % of {} faces with a known pose", 100.0 * share, activity.posed),
        None => "no face with a known pose".to_owned(),
    };
    let blinks = match activity.blinks_per_minute() {
        Some(rate) => format!("{rate:.1} a minute, in {} of faces", duration(activity.eyes_ns as f64 / 1e9)),
        None => "not counted, since examined frames are too far apart".to_owned(),
    };
    format!("facing the camera: {facing}; blinks: {blinks}")
}

/// A number of seconds, from two minutes on in minutes.
fn duration(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}
