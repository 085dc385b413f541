// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-evaluate`.

fn main() -> std::process::ExitCode {
    emotion_evaluate::main(std::env::args_os().collect())
}
