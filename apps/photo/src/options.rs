// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `emotion-photo`.

use std::path::PathBuf;

use clap::{Parser, ValueHint};

const AFTER_HELP: &str = "\
Exit status: 0 if the photo was read, 1 if the file is none or of a kind that only other programs may know, 3 if it is damaged, too \
large or has to be converted first, 2 if an option is wrong.";

/// Tells what a photo is, and writes it upright as PNG.
///
/// It reads the formats of docs/formats.md, also HEIC and AVIF. Of an animation, it writes the first picture.
#[derive(Clone, Debug, Parser)]
#[command(name = "emotion-photo", version, after_help = AFTER_HELP)]
pub(crate) struct Options {
    /// The photo
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) photo: PathBuf,

    /// File to write; - is standard output; without it, nothing is written
    #[arg(value_name = "OUT.png", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_manual_page_and_the_completions_have_the_options_of_the_program() {
        test_support::command_line::assert_committed(Options::command(), "emotion-photo");
    }
}
