// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-scan`.

fn main() -> std::process::ExitCode {
    emotion_scan::main(std::env::args_os().collect())
}
