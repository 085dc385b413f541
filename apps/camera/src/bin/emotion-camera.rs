// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-camera`.

fn main() -> std::process::ExitCode {
    emotion_camera::main(std::env::args_os().collect())
}
