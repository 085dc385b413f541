// SPDX-License-Identifier: MIT OR Apache-2.0
//! A scan of finished recordings that is killed again and again while cameras go on, and one that nothing disturbs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::account::Account;
use crate::schedule::Random;
use crate::watched::program;

/// How often it is killed, and after how many milliseconds at most.
const KILLS: u64 = 6;
const LONGEST_MS: u64 = 3000;

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
    let mut account = Account::new("the table of a scan that was killed is that of one that was not");
    let (mut random, [killed, whole]) = (Random(seed), ["killed", "whole"].map(|name| folder.join(name).with_extension("csv")));
    for _ in 0..KILLS {
        let mut scan = start(folder, &killed);
        std::thread::sleep(Duration::from_millis(random.below(LONGEST_MS)));
        let _ = (scan.kill(), scan.wait());
        if killed.exists() {
            break;
        }
    }
    for table in [&killed, &whole] {
        let status = start(folder, table).wait().expect("a scan");
        // 1: a recording that ended with a crash is an error in its row.
        account.check(matches!(status.code(), Some(0 | 1)), "scan", None, || format!("{}: {status}", table.display()));
    }
    let [a, b] = [&killed, &whole].map(|table| fs::read_to_string(table).unwrap_or_default());
    account.check(a == b && a.lines().count() > count, "scan", None, || {
        format!("{count} videos, {} and {} rows", a.lines().count(), b.lines().count())
    });
    account.checked += a.lines().count();
    account
}

fn start(folder: &Path, table: &Path) -> std::process::Child {
    let log = fs::File::options().append(true).create(true).open(folder.join("log")).expect("a log");
    let mut command = Command::new(program("emotion-scan"));
    command.arg(folder.join("input")).arg("--output").arg(table).env_remove("GST_PLUGIN_PATH").stdin(Stdio::null());
    command.stdout(log.try_clone().expect("a descriptor")).stderr(log).spawn().expect("emotion-scan starts")
}
