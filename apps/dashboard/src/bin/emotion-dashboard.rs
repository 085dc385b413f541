// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-dashboard`.

fn main() -> std::process::ExitCode {
    emotion_dashboard::main(std::env::args_os().collect())
}
