// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program by its own name and by those of its links.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use test_support::repository;

fn run(program: impl AsRef<Path>, arguments: &[&str]) -> Output {
    Command::new(program.as_ref()).args(arguments).output().expect("the program starts")
}

fn emotion(arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_emotion"), arguments)
}

/// What was printed.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the output is UTF-8")
}

/// The names of the links that an installation has.
fn names() -> Vec<String> {
    let list = std::fs::read_to_string(repository().join("packaging/programs")).expect("a file");
    list.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// A folder with links.
struct Links(PathBuf);

impl Links {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("gst-emotion-links-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        names().iter().for_each(|name| symlink(env!("CARGO_BIN_EXE_emotion"), folder.join(name)).expect("a link"));
        Self(folder)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_link_is_the_program_of_its_name_and_so_is_the_subcommand() {
    let links = Links::new();
    for name in names() {
        let (link, short) = (links.0.join(&name), name.strip_prefix("emotion-").expect("all names begin alike"));
        let version = run(&link, &["--version"]);
        assert_eq!(text(&version.stdout), format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
        for arguments in [&["--version"][..], &["--help"], &["-h"], &["--no-such-option"], &["/no/such/file", "/no/such/file"]] {
            let (by_link, by_name) = (run(&link, arguments), emotion(&[&[short], arguments].concat()));
            assert_eq!(by_link, by_name, "{name} {arguments:?}");
            assert_eq!(by_link.status.success(), ["-h", "--help", "--version"].contains(&arguments[0]), "{name} {arguments:?}");
        }
    }
}

#[test]
fn the_help_lists_what_is_installed() {
    let help = emotion(&["--help"]);
    let listed = text(&help.stdout).lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<_> = listed.map(|line| format!("emotion-{}", line.split_whitespace().next().expect("a name"))).collect();
    assert_eq!(listed, names());
    assert_eq!(text(&emotion(&["--version"]).stdout), format!("emotion {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_a_program_it_says_what_there_is() {
    let (none, unknown) = (emotion(&[]), emotion(&["paint"]));
    assert_eq!((none.status.code(), unknown.status.code()), (Some(2), Some(2)));
    assert!(text(&none.stderr).contains("\n  scan "), "{}", text(&none.stderr));
    assert!(text(&unknown.stderr).contains("'paint'"), "{}", text(&unknown.stderr));
}
