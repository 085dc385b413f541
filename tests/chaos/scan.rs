// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scans of finished recordings while cameras go on: one that is killed again and again, one on Ray whose nodes are, and one that nothing
//! disturbs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use test_support::repository;

use crate::account::Account;
use crate::schedule::Random;
use crate::watched::program;

/// How often it is killed, and after how many milliseconds at most.
const KILLS: u64 = 6;
const LONGEST_MS: u64 = 3000;
/// How often a node of Ray is killed, and its driver.
const KILLS_OF_RAY: u32 = 3;

/// A Python interpreter with Ray.
pub fn python_with_ray() -> Option<OsString> {
    std::env::var_os("RAY_PYTHON").filter(|path| !path.is_empty())
}

/// Scans all recordings in `days` but the last one, which is being written.
pub fn begin(folder: &Path, days: &Path, seed: u64) -> JoinHandle<Account> {
    let (folder, mut videos) = (folder.join("scan"), videos(days));
    videos.sort();
    videos.pop();
    let input = folder.join("input");
    fs::create_dir_all(&input).expect("a folder");
    for video in &videos {
        fs::copy(video, input.join(video.file_name().expect("a name"))).expect("a copy");
    }
    std::thread::spawn(move || compare(&folder, videos.len(), seed))
}

fn videos(days: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(days).into_iter().flatten().map_while(Result::ok).map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "mp4")).collect()
}

fn compare(folder: &Path, count: usize, seed: u64) -> Account {
    let mut account = Account::new("the tables of scans that were killed, also on Ray, are that of one that was not");
    let table = |name: &str| folder.join(name).with_extension("csv");
    let scan = |name: &str| {
        let mut command = Command::new(program("emotion-scan"));
        command.arg(folder.join("input")).arg("--output").arg(table(name));
        command
    };
    let mut random = Random(seed);
    for _ in 0..KILLS {
        let mut scan = start(folder, &mut scan("killed"));
        std::thread::sleep(Duration::from_millis(random.below(LONGEST_MS)));
        let _ = (scan.kill(), scan.wait());
        if table("killed").exists() {
            break;
        }
    }
    let spread = python_with_ray().map(|python| {
        let mut command = Command::new(python);
        command.arg(repository().join("tests/chaos/spread.py")).arg(program("emotion-scan")).arg(folder.join("input"));
        command.arg(table("spread")).args([seed.to_string(), KILLS_OF_RAY.to_string()]);
        ("spread", command)
    });
    let scans = [("whole", scan("whole")), ("killed", scan("killed"))];
    let mut whole = String::new();
    for (name, mut command) in scans.into_iter().chain(spread) {
        let status = start(folder, &mut command).wait().expect("a scan");
        // 3: a recording that ended with a crash is an error in its row.
        account.check(matches!(status.code(), Some(0 | 3)), "scan", None, || format!("{name}: {status}"));
        let rows = fs::read_to_string(table(name)).unwrap_or_default();
        if name == "whole" {
            whole.clone_from(&rows);
        }
        let text = || format!("{count} videos, {} rows of {name} and {} of whole", rows.lines().count(), whole.lines().count());
        account.check(rows == whole && rows.lines().count() > count, "scan", None, text);
        account.checked += rows.lines().count();
    }
    account
}

fn start(folder: &Path, command: &mut Command) -> Child {
    let log = fs::File::options().append(true).create(true).open(folder.join("log")).expect("a log");
    let command = command.env_remove("GST_PLUGIN_PATH").stdin(Stdio::null());
    command.stdout(log.try_clone().expect("a descriptor")).stderr(log).spawn().expect("a scan starts")
}
