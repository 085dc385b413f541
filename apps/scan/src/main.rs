// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-scan`.

use std::process::ExitCode;

use clap::Parser;
use emotion_scan::table::Table;
use emotion_scan::work::serve;
use emotion_scan::{Error, Options, Summary, scan};

/// Some files could not be read.
const EXIT_UNREADABLE: u8 = 3;
/// An option is wrong, as for `clap`.
const EXIT_USAGE: u8 = 2;
/// Maximum number of printed errors; the table of files has all of them.
const PRINTED_ERRORS: usize = 10;

fn main() -> ExitCode {
    let options = Options { command: std::env::args().collect(), ..Options::parse() };
    if options.worker {
        return exit(serve::run(&options, std::io::stdin().lock(), std::io::stdout()).map(|()| ExitCode::SUCCESS));
    }
    exit(scan(&options).map(|summary| {
        report(&options, &summary);
        if summary.errors.is_empty() { ExitCode::SUCCESS } else { EXIT_UNREADABLE.into() }
    }))
}

fn exit(ended: Result<ExitCode, Error>) -> ExitCode {
    ended.unwrap_or_else(|error| {
        eprintln!("emotion-scan: {error}");
        if error.is_usage() { EXIT_USAGE.into() } else { ExitCode::FAILURE }
    })
}

fn report(options: &Options, summary: &Summary) {
    let (output, files) = (options.output.display(), options.path_of(Table::Files));
    if !options.quiet {
        eprintln!("wrote {output}: {} faces on {} frames of {} files", summary.faces, summary.frames, summary.files);
    }
    for (file, error) in summary.errors.iter().take(PRINTED_ERRORS) {
        eprintln!("emotion-scan: {file}: {error}");
    }
    if summary.errors.len() > PRINTED_ERRORS {
        eprintln!("emotion-scan: {} files could not be read; {} has all errors", summary.errors.len(), files.display());
    }
}
