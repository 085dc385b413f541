// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scans whose tasks are examined by other processes, and tables in parts.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe};
use std::process::{Child, Stdio};

use emotion_scan::work::protocol::{Answer, Request};

use crate::support::{Folder, ended};

/// A folder with photos, a video of two slices, a broken one and a text.
fn mixed(test: &str) -> Option<Folder> {
    let folder = Folder::new(test)?;
    std::fs::create_dir_all(folder.path("in")).unwrap();
    (0..3).for_each(|number| folder.photo(&format!("in/photo-{number}.jpg")));
    folder.video("in/long.mp4", 100, 1);
    folder.write("in/broken.jpg", b"\xff\xd8\xff\xe0 broken");
    folder.write("in/notes.txt", b"no pictures");
    Some(folder)
}

fn assert_same_tables(folder: &Folder, one: &str, other: &str) {
    for suffix in ["ndjson", "files.ndjson"] {
        assert!(folder.read(&format!("{one}.{suffix}")) == folder.read(&format!("{other}.{suffix}")), "{other}.{suffix}");
    }
}

/// A scan that writes tasks to its standard output and reads answers from its standard input.
fn dispatch(folder: &Folder, arguments: &str) -> Child {
    let mut command = folder.command(&format!("{arguments} --quiet --dispatch"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_worker_in_another_process_gives_the_same_table() {
    let Some(folder) = mixed("worker") else { return };
    // The geometry goes through the protocol, too.
    folder.run("in --output one.ndjson --geometry", 3);
    let (tasks, to_worker) = pipe().unwrap();
    let (answers, from_worker) = pipe().unwrap();
    // Each command is dropped once it runs: it would keep the pipe open.
    let start = |arguments: &str, input, output| {
        folder.command(arguments).stdin::<PipeReader>(input).stdout::<PipeWriter>(output).stderr(Stdio::piped()).spawn().unwrap()
    };
    let scan = start("in --output two.ndjson --geometry --quiet --dispatch", answers, to_worker);
    let mut worker = start("--output two.ndjson --geometry --worker", tasks, from_worker);
    ended(scan.wait_with_output().unwrap(), 3);
    assert!(worker.wait().unwrap().success());
    assert_same_tables(&folder, "one", "two");
}

#[test]
fn a_task_that_no_worker_can_do_is_an_error_of_its_file() {
    let Some(folder) = mixed("nobody") else { return };
    let mut scan = dispatch(&folder, "in --output out.ndjson");
    let mut answers = scan.stdin.take().unwrap();
    for line in BufReader::new(scan.stdout.take().unwrap()).lines() {
        let request: Request = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = Answer { request, facts: None, result: None, error: Some("three workers died".into()) };
        writeln!(answers, "{}", serde_json::to_string(&answer).unwrap()).unwrap();
    }
    ended(scan.wait_with_output().unwrap(), 3);
    let rows = folder.rows("out.files.ndjson");
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row["error"] == "three workers died"), "{rows:?}");
}

#[test]
fn a_scan_whose_answers_end_at_once_does_not_wait() {
    let Some(folder) = mixed("unanswered") else { return };
    let mut command = folder.command("in --output out.ndjson --quiet --dispatch");
    let printed = ended(command.stdin(Stdio::null()).output().unwrap(), 2);
    assert!(printed.contains("before all tasks were answered"), "{printed}");
}

#[test]
fn what_was_answered_before_the_dispatching_process_died_is_kept() {
    let Some(folder) = mixed("kept") else { return };
    folder.run("in --output whole.ndjson", 3);
    let mut worker = folder.command("--output out.ndjson --worker").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut tasks, mut answers) = (worker.stdin.take().unwrap(), BufReader::new(worker.stdout.take().unwrap()).lines());
    let mut answered = Vec::new();
    for _ in 0..3 {
        let mut scan = dispatch(&folder, "in --output out.ndjson");
        let task = BufReader::new(scan.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        writeln!(tasks, "{task}").unwrap();
        writeln!(scan.stdin.as_mut().unwrap(), "{}", answers.next().unwrap().unwrap()).unwrap();
        drop(scan.stdin.take());
        let printed = ended(scan.wait_with_output().unwrap(), 2);
        assert!(printed.contains("before all tasks were answered"), "{printed}");
        answered.push(task);
    }
    drop(tasks);
    assert!(worker.wait().unwrap().success());
    answered.sort();
    answered.dedup();
    assert_eq!(answered.len(), 3, "no task is given twice: {answered:?}");
    folder.run("in --output out.ndjson", 3);
    assert_same_tables(&folder, "whole", "out");
}

#[test]
fn a_worker_refuses_a_file_that_is_not_the_one_of_the_task() {
    let Some(folder) = mixed("other") else { return };
    let mut worker = folder.command("--output out.ndjson --worker");
    let mut worker = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut tasks = worker.stdin.take().unwrap();
    let mut scan = dispatch(&folder, "in --output out.ndjson");
    let task = BufReader::new(scan.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    scan.kill().unwrap();
    scan.wait().unwrap();
    let mut request: Request = serde_json::from_str(&task).unwrap();
    request.file.size += 1;
    writeln!(tasks, "{}", serde_json::to_string(&request).unwrap()).unwrap();
    let answer = BufReader::new(worker.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    let answer: Answer = serde_json::from_str(&answer).unwrap();
    assert!(answer.error.is_some_and(|error| error.contains("expected the file that was listed")));
    writeln!(tasks, "no task").unwrap();
    drop(tasks);
    let printed = ended(worker.wait_with_output().unwrap(), 2);
    assert!(printed.contains("expected a task, found \"no task\""), "{printed}");
}

#[test]
fn a_worker_with_other_models_refuses() {
    let Some(folder) = mixed("refused-models") else { return };
    folder.other_model();
    let (tasks, to_worker) = pipe().unwrap();
    let (answers, from_worker) = pipe().unwrap();
    // Each command is dropped once it runs: it would keep the pipe open.
    let start = |arguments: &str, models: &str, input, output| {
        let mut command = folder.command(arguments);
        command.env("GST_EMOTION_MODEL_PATH", folder.path(models)).stderr(Stdio::piped());
        command.stdin::<PipeReader>(input).stdout::<PipeWriter>(output).spawn().unwrap()
    };
    let scan = start("in --output out.ndjson --quiet --dispatch", "none", answers, to_worker);
    let mut worker = start("--output out.ndjson --worker", "models", tasks, from_worker);
    ended(scan.wait_with_output().unwrap(), 3);
    assert!(worker.wait().unwrap().success());
    for row in folder.rows("out.files.ndjson") {
        let error = row["error"].as_str().unwrap();
        assert!(
            error.starts_with("expected the models that the scan began with, detector ") && error.contains("; the worker has"),
            "{row}"
        );
    }
    assert_eq!(folder.read("out.ndjson"), "");
}

#[test]
fn a_partition_has_the_rows_of_one_table() {
    let Some(folder) = mixed("partition") else { return };
    folder.run("in --output whole.ndjson", 3);
    folder.run("in --output parts.ndjson --partition 1", 3);
    assert!(folder.path("parts.ndjson/part-00005.ndjson").exists());
    let rows = |name: &str, parts: usize| (0..parts).map(|part| folder.read(&format!("{name}/part-{part:05}.ndjson"))).collect::<String>();
    for (number, per_part) in [(6, 1), (3, 2)] {
        folder.run(&format!("in --output parts.ndjson --partition {per_part}"), 3);
        assert_eq!(rows("parts.ndjson", number), folder.read("whole.ndjson"));
        assert_eq!(rows("parts.files.ndjson", number), folder.read("whole.files.ndjson"));
        assert!(!folder.path(&format!("parts.ndjson/part-{number:05}.ndjson")).exists(), "parts of the first scan are removed");
    }
    assert!(!folder.path("parts.ndjson.parts").exists());
}

#[test]
fn two_scans_do_not_write_parts_of_the_same_output() {
    let Some(folder) = Folder::new("two-scans") else { return };
    (0..3).for_each(|number| folder.photo(&format!("in/photo-{number}.jpg")));
    let mut scan = dispatch(&folder, "in --output out.ndjson --partition 1");
    let mut worker = folder.command("--output out.ndjson --worker").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut to_worker, mut answers) = (worker.stdin.take().unwrap(), BufReader::new(worker.stdout.take().unwrap()).lines());
    let mut tasks = BufReader::new(scan.stdout.take().unwrap()).lines();
    writeln!(to_worker, "{}", tasks.next().unwrap().unwrap()).unwrap();
    writeln!(scan.stdin.as_mut().unwrap(), "{}", answers.next().unwrap().unwrap()).unwrap();
    assert!(tasks.next().unwrap().unwrap().contains("photo-1"), "the first part is finished, and its own lock is free");
    for other in ["--partition 1", "--partition 2", "--quiet"] {
        let printed = folder.run(&format!("in --output out.ndjson --set facedetect.max-faces=1 {other}"), 1);
        assert!(printed.contains("out.ndjson.parts: another scan is writing to this folder"), "{other}: {printed}");
    }
    assert_eq!(folder.rows("out.ndjson/part-00000.ndjson").len(), 2, "the first scan's");
    scan.kill().unwrap();
    scan.wait().unwrap();
    drop(to_worker);
    assert!(worker.wait().unwrap().success());
    folder.run("in --output out.ndjson --partition 1", 0);
    assert!(!folder.path("out.ndjson.parts").exists());
}

#[test]
fn finished_parts_are_kept_and_changed_ones_are_examined_again() {
    let Some(folder) = Folder::new("finished") else { return };
    std::fs::create_dir_all(folder.path("in")).unwrap();
    (0..3).for_each(|number| folder.photo(&format!("in/photo-{number}.jpg")));
    let mut scan = dispatch(&folder, "in --output out.ndjson --partition 1");
    let mut worker = folder.command("--output out.ndjson --worker").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut to_worker, mut answers) = (worker.stdin.take().unwrap(), BufReader::new(worker.stdout.take().unwrap()).lines());
    let mut tasks = BufReader::new(scan.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        writeln!(to_worker, "{}", tasks.next().unwrap().unwrap()).unwrap();
        writeln!(scan.stdin.as_mut().unwrap(), "{}", answers.next().unwrap().unwrap()).unwrap();
    }
    assert!(tasks.next().unwrap().unwrap().contains("photo-2"), "the first two parts are finished");
    drop(to_worker);
    assert!(worker.wait().unwrap().success());
    scan.kill().unwrap();
    scan.wait().unwrap();
    folder.write("in/photo-1.jpg", b"\xff\xd8\xff\xe0 broken now");

    let mut scan = dispatch(&folder, "in --output out.ndjson --partition 1");
    let mut left = Vec::new();
    let mut answers = scan.stdin.take().unwrap();
    for line in BufReader::new(scan.stdout.take().unwrap()).lines() {
        let request: Request = serde_json::from_str(&line.unwrap()).unwrap();
        left.push(request.file.name.clone());
        let answer = Answer { request, facts: None, result: None, error: Some("nobody".into()) };
        writeln!(answers, "{}", serde_json::to_string(&answer).unwrap()).unwrap();
    }
    ended(scan.wait_with_output().unwrap(), 3);
    assert_eq!(left, ["in/photo-1.jpg", "in/photo-2.jpg"]);
    assert_eq!(folder.rows("out.ndjson/part-00000.ndjson").len(), 2, "both faces of the first photo");
}
