// SPDX-License-Identifier: MIT OR Apache-2.0
//! The options in a program's manual page and its shell completions, generated from the definition of its command line.
//!
//! The options stand between two comments of `packaging/man/NAME.1`, in the language of man(7); the text around them is
//! written by hand. The completions are whole files in `packaging/completions`. A test of the program calls
//! [`assert_committed`].

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{promises, repository};

/// Writes the files instead of comparing them, if it is set.
const UPDATE: &str = "UPDATE_COMMAND_LINE";
/// The comments around the options of a manual page.
const BEGIN: &str = ".\\\" BEGIN GENERATED OPTIONS\n";
const END: &str = ".\\\" END GENERATED OPTIONS\n";
/// The licence of generated files, as a comment of every shell.
const LICENCE: &str = "# SPDX-License-Identifier: MIT OR Apache-2.0\n";

/// Checks that the manual page and the shell completions of the program `name` have the options of `command`, and that all
/// promised options are there. With `UPDATE_COMMAND_LINE=1`, writes the page and the completions.
///
/// # Panics
/// If a file has other options or cannot be written, or the page has no place for them.
pub fn assert_committed(command: Command, name: &str) {
    promises::assert_kept(name, promised(&command, name));
    let files = generated(command, name);
    if std::env::var_os(UPDATE).is_some() {
        files.iter().for_each(|(path, text)| write(path, text));
    }
    let stale: Vec<_> = files.iter().filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text)).collect();
    let paths: Vec<_> = stale.iter().map(|(path, _)| path.display().to_string()).collect();
    assert!(paths.is_empty(), "the options of {name} have changed; run this test with {UPDATE}=1 to write {}", paths.join(", "));
}

/// A line for each option and argument, with its value and default, and one for each of its choices. Subcommands follow.
fn promised(command: &Command, name: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for option in command.get_arguments() {
        let spelled = option.get_long().map_or_else(|| option.get_id().to_string(), |long| format!("--{long}"));
        let short = option.get_short().map(|short| format!(", -{short}")).unwrap_or_default();
        let takes_value = option.get_action().takes_values();
        let values: String =
            option.get_value_names().filter(|_| takes_value).unwrap_or_default().iter().map(|name| format!(" {name}")).collect();
        let defaults: Vec<_> = option.get_default_values().iter().filter(|_| takes_value).map(|value| value.to_string_lossy()).collect();
        let default = if defaults.is_empty() { String::new() } else { format!(", default {}", defaults.join(",")) };
        let required = if option.is_required_set() { ", required" } else { "" };
        lines.push(format!("{name} {spelled}{short}{values}{default}{required}"));
        let choices = option.get_possible_values();
        lines.extend(choices.iter().filter(|_| takes_value).map(|choice| format!("{name} {spelled}={}", choice.get_name())));
    }
    for inner in command.get_subcommands() {
        lines.extend(promised(inner, &format!("{name} {}", inner.get_name())));
    }
    lines
}

/// The files that depend on the command line, and their contents.
fn generated(command: Command, name: &str) -> Vec<(PathBuf, String)> {
    let packaging = repository().join("packaging");
    let page = packaging.join(format!("man/{name}.1"));
    let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let mut files: Vec<_> = [(Shell::Bash, name.to_owned()), (Shell::Zsh, format!("_{name}")), (Shell::Fish, format!("{name}.fish"))]
        .map(|(shell, file)| (packaging.join(format!("completions/{shell}/{file}")), completions(shell, command.clone(), name)))
        .into();
    files.push((page, with_options(&text, &options(command), name)));
    files
}

/// The page with `options` between the two comments.
fn with_options(page: &str, options: &str, name: &str) -> String {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{name}.1 has no lines {BEGIN}{END}"));
    format!("{before}{BEGIN}{options}{END}{after}")
}

/// The section OPTIONS of a manual page, and one for each subcommand. Those without arguments here are programs with a page of their own.
fn options(command: Command) -> String {
    let (subcommands, programs): (Vec<_>, Vec<_>) =
        command.get_subcommands().cloned().partition(|inner| inner.get_arguments().next().is_some());
    let mut text = section(command.clone());
    if !programs.is_empty() {
        text += &rendered(|text| Man::new(command).render_subcommands_section(text));
    }
    for subcommand in subcommands {
        let heading = format!(".SH OPTIONS OF {}\n", subcommand.get_name().to_uppercase());
        let options = section(subcommand);
        text += &heading;
        text += options.split_once(".SH OPTIONS\n").map_or(&*options, |(_, options)| options);
    }
    text
}

fn section(command: Command) -> String {
    rendered(|text| Man::new(command).render_options_section(text))
}

fn rendered(render: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut text = Vec::new();
    render(&mut text).expect("memory can be written");
    String::from_utf8(text).expect("the page is UTF-8")
}

/// The completions for a shell.
fn completions(shell: Shell, mut command: Command, name: &str) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    let text = String::from_utf8(text).expect("the completions are UTF-8");
    // zsh finds the name of the program in the first line.
    let first = if shell == Shell::Zsh { text.find('\n').map_or(0, |end| end + 1) } else { 0 };
    format!("{}{LICENCE}{}", &text[..first], &text[first..])
}

fn write(path: &Path, text: &str) {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).and_then(|()| fs::write(path, text)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
