// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `emotion-photo`.

use clap::CommandFactory;
use emotion_photo::options::Options;
use test_support::command_line;

#[test]
fn the_manual_page_and_the_completions_have_the_options_of_the_program() {
    command_line::assert_committed(Options::command(), "emotion-photo");
}
