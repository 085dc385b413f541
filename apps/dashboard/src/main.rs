// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-dashboard`.

use std::process::ExitCode;

use emotion_dashboard::{Options, serve};

fn main() -> ExitCode {
    emotion_supervise::memory::share_heaps();
    let options = match Options::read(std::env::args_os()) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            // clap returns the text of --help as an error.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emotion-dashboard: {error}");
            ExitCode::FAILURE
        }
    }
}
