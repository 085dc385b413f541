// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-photo`.

fn main() -> std::process::ExitCode {
    emotion_photo::main(std::env::args_os().collect())
}
