// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-scan` on objects of an S3 server and files of a web server, `scripts/test remote`.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/object_store.rs"]
mod object_store;
mod support;
#[path = "support/web_server.rs"]
mod web_server;

use std::collections::BTreeSet;
use std::fs;
use std::io::{PipeReader, PipeWriter, pipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use object_store::ObjectServer;
use serde_json::Value;
use support::{Folder, ended};
use web_server::{LOGIN, WebServer};

/// The command without the environment of the caller.
fn command(folder: &Folder, arguments: &str) -> Command {
    let mut command = folder.command(arguments);
    let inherited = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy().to_ascii_lowercase();
        name.starts_with("aws_") || name.ends_with("_proxy")
    });
    for name in inherited {
        command.env_remove(name);
    }
    command
}

/// Runs the command with the keys of `server`.
fn run(folder: &Folder, server: &ObjectServer, arguments: &str, status: i32) -> String {
    ended(command(folder, arguments).envs(server.environment()).output().unwrap(), status)
}

fn run_web(folder: &Folder, arguments: &str, status: i32) -> String {
    ended(command(folder, arguments).output().unwrap(), status)
}

/// Photos, videos and other files in the bucket `clips` of a server.
fn bucket(test: &str) -> Option<(Folder, ObjectServer)> {
    let folder = Folder::new(test)?;
    folder.photo("buckets/clips/in/photo.jpg");
    fs::copy(folder.path("buckets/clips/in/photo.jpg"), folder.path("buckets/clips/in/photo 2#%.jpg")).unwrap();
    folder.photo("buckets/clips/in/.hidden/photo.jpg");
    folder.video("buckets/clips/in/sub/long.mp4", 100, 1);
    folder.video("buckets/clips/in/sub.mp4", 20, 10);
    folder.write("buckets/clips/in/broken.mp4", b"this is not a video, whatever its name says");
    folder.write("buckets/clips/in/empty.jpg", b"");
    folder.write("buckets/clips/in/notes.txt", b"hello");
    folder.sound("buckets/clips/in/sound.wav");
    let server = ObjectServer::start(&folder.path("buckets"));
    Some((folder, server))
}

/// The tables `local` and `remote` are equal but for the names of files.
fn assert_equal_tables(folder: &Folder, local: &str, remote: &str, (from, to): (&str, &str)) {
    for suffix in ["ndjson", "files.ndjson"] {
        let (local, remote) = (folder.read(&format!("{local}.{suffix}")), folder.read(&format!("{remote}.{suffix}")));
        assert!(!local.is_empty() && remote.contains(from), "{remote}");
        assert_eq!(local, remote.replace(from, to), "{suffix}");
    }
}

fn errors(folder: &Folder, table: &str) -> Vec<String> {
    folder.rows(table).iter().map(|row| row["error"].as_str().unwrap_or("").to_owned()).collect()
}

#[test]
fn a_prefix_gives_the_table_of_the_folder_and_each_object_is_downloaded_once() {
    let Some((folder, server)) = bucket("remote-prefix") else { return };
    folder.run("buckets/clips/in --output local.ndjson --jobs 2", 3);
    for (prefix, jobs) in [("s3://clips/in/", 2), ("s3://clips/in", 1), ("s3://clips", 2)] {
        let before = server.requests("GET /clips/in/").len();
        run(&folder, &server, &format!("{prefix} --output remote.ndjson --jobs {jobs}"), 3);
        assert_equal_tables(&folder, "local", "remote", ("s3://clips/in", "buckets/clips/in"));
        let requests = server.requests("GET /clips/in/");
        let different: BTreeSet<&String> = requests.iter().collect();
        assert_eq!((requests.len() - before, different.len()), (8, 8), "{requests:?}");
        assert!(!folder.path("remote.ndjson.parts").exists());
    }
}

#[test]
fn objects_web_files_and_local_ones_keep_the_order_of_the_list() {
    let Some((folder, server)) = bucket("remote-list") else { return };
    let web = WebServer::start(&folder.path("buckets/clips/in"));
    let url = web.url("plain/photo.jpg");
    let lines =
        format!("{url}\nbuckets/clips/in/photo.jpg\ns3://clips/in/sub\ns3://clips/in/photo.jpg\n{url}\nbuckets/clips/in/notes.txt\n");
    folder.write("list.txt", lines.as_bytes());
    run(&folder, &server, "--list list.txt s3://clips/in/sub.mp4 --output out.ndjson", 0);
    let rows = folder.rows("out.files.ndjson");
    let names: Vec<&str> = rows.iter().map(|row| row["file"].as_str().unwrap()).collect();
    let (sub, long) = ("s3://clips/in/sub.mp4", "s3://clips/in/sub/long.mp4");
    assert_eq!(names, [sub, &url, "buckets/clips/in/photo.jpg", long, "s3://clips/in/photo.jpg", "buckets/clips/in/notes.txt"]);
    let faces: Vec<&Value> = rows.iter().map(|row| &row["faces"]).collect();
    assert_eq!(faces, [&40.into(), &2.into(), &2.into(), &200.into(), &2.into(), &Value::Null]);
}

#[test]
fn what_cannot_be_fetched_is_a_row_that_says_why() {
    let Some((folder, server)) = bucket("remote-refused") else { return };
    run(&folder, &server, "s3://clips/none.jpg s3://nobucket/a/ s3://clips/in/photo.jpg s3:///a s3://a@b/c --output out.ndjson", 3);
    let found = errors(&folder, "out.files.ndjson");
    assert!(found[0] == "expected a file, found none (404 Not Found)" && found[1] == found[0], "{found:?}");
    assert!(found[2].is_empty() && found[3].contains("expected s3://BUCKET/KEY") && found[4] == found[3], "{found:?}");

    let mut wrong = command(&folder, "s3://clips/in/photo.jpg s3://clips/in/ --output out.ndjson");
    let printed = ended(wrong.envs(server.environment()).env("AWS_SECRET_ACCESS_KEY", "another").output().unwrap(), 3);
    assert!(printed.contains("s3://clips/in/photo.jpg: expected a file that may be read, found: 403 Forbidden"), "{printed}");
    assert!(printed.contains("s3://clips/in/: expected a file that may be read") && !printed.contains("another"), "{printed}");

    let mut away = command(&folder, "s3://clips/in/photo.jpg http://127.0.0.1:9/a.jpg --output out.ndjson");
    let printed = ended(away.envs(server.environment()).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").output().unwrap(), 3);
    assert_eq!(printed.matches("expected a connection to the server, found: Connection refused").count(), 2, "{printed}");
}

#[test]
fn faults_of_a_web_server_are_overcome_or_become_rows() {
    let Some(folder) = Folder::new("remote-web") else { return };
    folder.photo("in/photo.jpg");
    folder.video("in/clip.mp4", 20, 10);
    folder.run("in/photo.jpg in/clip.mp4 --output local.ndjson", 0);
    let web = WebServer::start(&folder.path("in"));
    for fault in ["files", "plain", "signed", "cut", "restart", "pieces"] {
        let of = |name: &str| web.url(&format!("{fault}/{name}"));
        run_web(&folder, &format!("{} {} --output remote.ndjson --quiet", of("photo.jpg"), of("clip.mp4")), 0);
        assert_equal_tables(&folder, "local", "remote", (&of(""), "in/"));
        let expected = if ["cut", "restart"].contains(&fault) { 3 } else { 1 + usize::from(fault == "signed") };
        assert_eq!(web.count(&format!("GET /{fault}/clip.mp4")), expected, "{fault}");
    }
    let names = ["files/none.jpg", "forbidden/photo.jpg", "login/photo.jpg", "error/photo.jpg", "broken/clip.mp4", "changing/photo.jpg"];
    let urls: Vec<String> = names.iter().map(|name| web.url(name)).collect();
    run_web(&folder, &format!("{} --output out.ndjson --quiet", urls.join(" ")), 3);
    let rows = folder.rows("out.files.ndjson");
    assert!(rows.iter().zip(&urls).all(|(row, url)| row["file"] == *url && row["faces"].is_null()), "{rows:?}");
    let found = errors(&folder, "out.files.ndjson");
    for (error, expected) in found.iter().zip([
        "expected a file, found none (404 Not Found)",
        "expected a file that may be read, found: 403 Forbidden",
        "expected a file that may be read, found: 401 Unauthorized",
        "expected a file, the server answered 500 Internal Server Error",
        "expected the whole file, the connection broke: ",
        "the file was changed while it was examined",
    ]) {
        assert!(error.starts_with(expected), "{found:?}");
    }
}

#[test]
fn encrypted_connections_are_to_servers_with_a_known_certificate() {
    let Some(folder) = Folder::new("remote-tls") else { return };
    folder.photo("in/photo.jpg");
    let web = WebServer::start_with(&folder.path("in"), Some(certificates::create(&folder.path("tls"))), || ());
    let line = format!("{} --output out.ndjson", web.url("cut/photo.jpg"));
    let printed = run_web(&folder, &line, 3);
    assert!(printed.contains("expected a connection to the server, found: invalid peer certificate: UnknownIssuer"), "{printed}");
    ended(command(&folder, &line).env("SSL_CERT_FILE", folder.path("tls/ca.pem")).output().unwrap(), 0);
    assert_eq!(folder.rows("out.files.ndjson")[0]["faces"], 2);
}

#[test]
fn a_server_that_stops_sending_is_given_up() {
    let Some(folder) = Folder::new("remote-stalled") else { return };
    folder.photo("in/photo.jpg");
    let web = WebServer::start(&folder.path("in"));
    run_web(&folder, &format!("{} --output out.ndjson --timeout 0.5", web.url("stalled/photo.jpg")), 3);
    assert_eq!(errors(&folder, "out.files.ndjson"), ["expected data, found none within 0.5 s"]);
}

#[test]
fn secrets_are_used_and_never_written() {
    let Some(folder) = Folder::new("remote-secrets") else { return };
    folder.photo("in/photo.jpg");
    folder.write("in/broken.jpg", b"no photo");
    let web = WebServer::start(&folder.path("in"));
    let signed = |name: &str, secret: &str| format!("{}?size=1&X-Amz-Signature={secret}", web.url(name));
    let urls = [
        web.url_with_login("login/photo.jpg"),
        signed("signed/photo.jpg", "hunter2"),
        signed("signed/photo.jpg", "hunter3"),
        signed("forbidden/photo.jpg", "hunter2"),
        signed("files/broken.jpg", "hunter2"),
        signed("broken/photo.jpg", "hunter2"),
        "http://someone:hunter2@127.0.0.1:9/photo.jpg?token=hunter2".to_owned(),
        "http://someone:hunter2@[bad/photo.jpg?token=hunter2".to_owned(),
    ];
    folder.write("list.txt", urls.join("\n").as_bytes());
    // The scan stops after its work, since its output is a folder. So the parts can be read.
    fs::create_dir_all(folder.path("out.ndjson/x")).unwrap();
    let stopped = run_web(&folder, "--list list.txt --output out.ndjson --annotated drawn", 1);
    let parts: String = files_below(&folder.path("out.ndjson.parts")).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    fs::remove_dir_all(folder.path("out.ndjson")).unwrap();
    let printed = run_web(&folder, "--list list.txt --output out.ndjson --annotated drawn", 3);
    let tables = folder.read("out.ndjson") + &folder.read("out.files.ndjson");
    let drawn = format!("{:?}", files_below(&folder.path("drawn")));
    assert!(parts.contains("X-Amz-Signature=***") && tables.contains("X-Amz-Signature=***#2") && drawn.contains("***"), "{tables}");
    for text in [stopped, parts, printed, tables, drawn] {
        assert!(!text.contains("hunter") && !text.contains(LOGIN) && !text.contains("pa ss"), "{text}");
    }
    let faces: Vec<Value> = folder.rows("out.files.ndjson").iter().map(|row| row["faces"].clone()).collect();
    assert_eq!(faces[..4], [2.into(), 2.into(), 2.into(), Value::Null]);
}

#[test]
fn workers_in_other_processes_get_whole_addresses() {
    let Some(folder) = Folder::new("remote-workers") else { return };
    folder.photo("in/photo.jpg");
    let web = WebServer::start(&folder.path("in"));
    folder.write("list.txt", format!("{}?X-Amz-Signature=hunter2", web.url("signed/photo.jpg")).as_bytes());
    let (tasks, to_worker) = pipe().unwrap();
    let (answers, from_worker) = pipe().unwrap();
    // Each command is dropped once it runs: it would keep the pipe open.
    let start = |line: &str, input: PipeReader, output: PipeWriter| {
        command(&folder, line).stdin(input).stdout(output).stderr(Stdio::piped()).spawn().unwrap()
    };
    let scan = start("--list list.txt --output out.ndjson --quiet --dispatch", answers, to_worker);
    let mut worker = start("--output out.ndjson --worker", tasks, from_worker);
    ended(scan.wait_with_output().unwrap(), 0);
    assert!(worker.wait().unwrap().success());
    let row = &folder.rows("out.files.ndjson")[0];
    assert!(row["faces"] == 2 && row["file"].as_str().unwrap().ends_with("?X-Amz-Signature=***"), "{row}");
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn copies_are_at_most_one_for_each_job_and_a_killed_scan_leaves_none() {
    let Some(folder) = Folder::new("remote-killed") else { return };
    folder.video("in/long.mp4", 100, 1);
    (0..6).for_each(|number| folder.photo(&format!("in/{number}.jpg")));
    let downloads = folder.path("remote.ndjson.parts/downloads");
    let most = Arc::new(AtomicUsize::new(0));
    let (watched, counted) = (downloads.clone(), most.clone());
    // A file is asked for before its copy exists.
    let count = move || {
        counted.fetch_max(files_below(&watched).len(), Ordering::Relaxed);
    };
    let web = WebServer::start_with(&folder.path("in"), None, count);
    let names: Vec<String> = ["long.mp4".to_owned()].into_iter().chain((0..6).map(|number| format!("{number}.jpg"))).collect();
    let list = |start: &str| names.iter().map(|name| format!("{start}{name}\n")).collect::<String>();
    folder.write("local.txt", list("in/").as_bytes());
    folder.write("remote.txt", list(&web.url("first-two-stalled/")).as_bytes());
    folder.run("--list local.txt --output local.ndjson", 0);
    let line = "--list remote.txt --output remote.ndjson --jobs 2 --quiet";

    let mut child = command(&folder, line).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    // Both jobs wait for the rest of a file.
    while files_below(&downloads).len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    folder.write("remote.ndjson.parts/downloads/9.jpg", b"of an earlier run");
    assert_eq!(files_below(&downloads).len(), 3, "the kill leaves the beginnings of two downloads");

    most.store(0, Ordering::Relaxed);
    ended(command(&folder, line).output().unwrap(), 0);
    assert!(most.load(Ordering::Relaxed) < 2, "{most:?} copies besides the one that is asked for");
    assert!(!folder.path("remote.ndjson.parts").exists());
    assert_equal_tables(&folder, "local", "remote", (&web.url("first-two-stalled/"), "in/"));
}

#[test]
fn an_unfinished_scan_examines_only_changed_objects_again() {
    let Some((folder, server)) = bucket("remote-changed") else { return };
    let line = "s3://clips/in/photo.jpg s3://clips/in/notes.txt s3://clips/in/sub/ --output out.ndjson --quiet";
    fs::create_dir_all(folder.path("out.ndjson/x")).unwrap();
    run(&folder, &server, line, 1);
    assert!(!folder.path("out.ndjson.parts/downloads").exists());
    fs::remove_dir_all(folder.path("out.ndjson")).unwrap();
    folder.photo("buckets/clips/in/notes.txt");
    run(&folder, &server, line, 0);
    assert_eq!(folder.rows("out.ndjson").len(), 2 + 2 + 200);
    let count = |key: &str| server.requests(&format!("GET /clips/in/{key}")).len();
    assert_eq!((count("photo.jpg"), count("notes.txt"), count("sub/long.mp4")), (1, 2, 1));
}

#[test]
fn pages_and_drawn_files_show_remote_videos() {
    let Some((folder, server)) = bucket("remote-drawn") else { return };
    run(&folder, &server, "s3://clips/in/sub.mp4 --output out.csv --annotated drawn --report page.html", 0);
    let (drawn, plain) = (folder.frames("drawn/clips/in/sub.mp4"), folder.frames("buckets/clips/in/sub.mp4"));
    assert_eq!(drawn.len(), plain.len());
    let different = drawn[5].iter().zip(&plain[5]).filter(|(a, b)| a.abs_diff(**b) > 40).count();
    assert!(different > 1_000, "{different} bytes differ");
    folder.run("buckets/clips/in/sub.mp4 --output local.csv --report local.html", 0);
    let pictures = |page: &str| folder.read(page).matches("\"jpeg\":\"").count();
    assert!(pictures("page.html") > 0);
    assert_eq!(pictures("page.html"), pictures("local.html"));
}
