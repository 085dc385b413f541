// SPDX-License-Identifier: MIT OR Apache-2.0
//! All programs as one, which contains the plugin and its networks once. `emotion scan FILE` is `emotion-scan FILE`, and an installed
//! `emotion-scan` is a link to this program, which sees in its name what to do.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Command;

/// One of the programs.
struct Program {
    /// The name of its link.
    name: &'static str,
    command: fn() -> Command,
    main: fn(Vec<OsString>) -> ExitCode,
}

const PROGRAMS: [Program; 6] = [
    Program { name: "emotion-camera", command: emotion_camera::command, main: emotion_camera::main },
    Program { name: "emotion-dashboard", command: emotion_dashboard::command, main: emotion_dashboard::main },
    Program { name: "emotion-evaluate", command: emotion_evaluate::command, main: emotion_evaluate::main },
    Program { name: "emotion-photo", command: emotion_photo::command, main: emotion_photo::main },
    Program { name: "emotion-report", command: emotion_report::command, main: emotion_report::main },
    Program { name: "emotion-scan", command: emotion_scan::command, main: emotion_scan::main },
];

impl Program {
    /// The name of the subcommand.
    fn short_name(&self) -> &'static str {
        &self.name["emotion-".len()..]
    }
}

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let program = linked(&arguments).unwrap_or_else(|| {
        let program = named(&arguments);
        // Its messages and its help have the name of the link.
        arguments.splice(..2, [program.name.into()]);
        program
    });
    (program.main)(arguments)
}

/// The program whose link was called.
fn linked(arguments: &[OsString]) -> Option<&'static Program> {
    let called = Path::new(arguments.first()?).file_name()?;
    PROGRAMS.iter().find(|program| called == program.name)
}

/// The program that the first argument names. Without one, prints what there is, or what is wrong, and ends the process.
fn named(arguments: &[OsString]) -> &'static Program {
    let matches = command().get_matches_from(arguments.iter().take(2));
    let name = matches.subcommand_name().expect("clap requires a subcommand");
    PROGRAMS.iter().find(|program| program.short_name() == name).expect("clap knows the same names")
}

/// The command line until the name of the program.
fn command() -> Command {
    let known = PROGRAMS.iter().map(|program| {
        let about = (program.command)().get_about().cloned().unwrap_or_default();
        Command::new(program.short_name()).about(about).disable_help_flag(true)
    });
    Command::new("emotion")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Finds faces in video and photos, and scores their apparent expressions. `emotion scan` is the program `emotion-scan`")
        .subcommands(known)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_and_the_completions_have_the_programs() {
        test_support::command_line::assert_committed(command(), "emotion");
    }
}
