// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-report`.

fn main() -> std::process::ExitCode {
    emotion_report::main(std::env::args_os().collect())
}
