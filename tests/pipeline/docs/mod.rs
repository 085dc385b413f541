// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands of the user documentation, run as printed, with stand-ins for cameras.

#[cfg(feature = "publish")]
mod properties;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use test_support::recipes::*;
use test_support::repository;

const PAGES: [&str; 8] = [
    "README.md",
    "docs/getting-started.md",
    "docs/cookbook.md",
    "docs/coming-from.md",
    "docs/geometry.md",
    "docs/models.md",
    "pipelines/README.md",
    "apps/dashboard/README.md",
];

/// The commands in the shell blocks of a page, without comments.
fn commands(page: &str) -> Vec<String> {
    let text = read(&repository().join(page));
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
    lines.map(|line| line.split(" # ").next().unwrap().trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn comments_are_not_part_of_a_command() {
    let all = commands("pipelines/README.md");
    assert!(all.contains(&"pipelines/video.sh clip.mp4".to_owned()), "{all:?}");
    assert!(all.iter().any(|command| command.starts_with("gst-launch-1.0 -q filesrc") && command.ends_with("! fdsink")), "{all:?}");
}

#[test]
fn make_has_the_targets_of_the_docs() {
    for command in PAGES.iter().flat_map(|page| commands(page)).filter(|command| command.starts_with("make ")) {
        println!("dry run: {command}");
        let line = command.replacen("make ", "make --dry-run --always-make ", 1);
        let said = succeed(run(Command::new("bash").args(["-c", &line]).current_dir(repository())));
        assert!(!said.trim().is_empty(), "{command} does nothing");
    }
}

#[test]
fn the_remaining_commands_work() {
    let Some(stage) = stage("docs").filter(|_| bindings() && has_program("emotion-report")) else { return };
    for folder in ["pipelines", "models", "examples"] {
        std::os::unix::fs::symlink(repository().join(folder), stage.path().join(folder)).unwrap();
    }
    write_png(&stage.path().join("photo.png"), &scene().render(0.0));
    let camera = Camera::endless(&stage);
    let mut ran = 0;
    for command in PAGES.iter().flat_map(|page| commands(page)).filter(|command| !command.starts_with("make ")) {
        if let Some(why) = left_out(&command) {
            println!("not run: {command} ({why})");
            continue;
        }
        println!("run: {command}");
        let line = with_stand_ins(&command, &camera.address);
        let mut shell = stage.command("bash");
        shell
            .env("PLUGINS", stage.path().join("plugins"))
            .env("PROGRAMS", programs())
            .env("SINK", "identity eos-after=4 ! fakesink sync=false")
            .current_dir(stage.path());
        // Debian's Python has the GStreamer bindings; other interpreters lack them.
        shell.env("PATH", format!("/usr/bin:{}", std::env::var("PATH").unwrap_or_default())).args(["-euo", "pipefail", "-c", &line]);
        if command.starts_with("python3 -m http.server") {
            serves(&mut shell);
        } else {
            succeed(run(&mut shell));
        }
        ran += 1;
    }
    assert!(ran >= 40, "{ran} commands");
    let left = ["photo-faces.png", "recordings/annotated.mp4", "faces.mkv", "counts.ndjson", "clip.html"];
    let served = ["hls/stream.m3u8", "site/index.html"];
    let cookbook = ["blurred.mp4", "clip.vtt", "crowd.png", "faces.xml", "gva.json", "minutes.ndjson", "net.ndjson", "seconds.csv"];
    for file in left.into_iter().chain(served).chain(cookbook) {
        assert_has_content(&stage.path().join(file));
    }
}

/// Asserts that a file is what its name says and, if it is text with records, that it has faces.
fn assert_has_content(file: &Path) {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let is_right = match file.extension().and_then(OsStr::to_str).expect("an extension") {
        "png" => bytes.starts_with(b"\x89PNG\r\n") && has(b"IEND"),
        "mp4" => bytes.get(4..8) == Some(b"ftyp") && has(b"moov"),
        "mkv" => bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]),
        "html" => has(b"<html") && has(b"</html>"),
        "m3u8" => bytes.starts_with(b"#EXTM3U") && has(b"#EXT-X-STREAM-INF"),
        "vtt" => bytes.starts_with(b"WEBVTT") && has(b"-->"),
        "xml" => has(b"<tt:Object ") && has(b"<tt:BoundingBox"),
        "csv" => bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() >= 2 && has(b","),
        "json" | "ndjson" => {
            let text = String::from_utf8_lossy(&bytes);
            let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            !records.is_empty() && records.iter().all(serde_json::Value::is_object) && (has(b"\"label\"") || has(b"\"faces_mean\""))
        }
        other => panic!("no check for {other}"),
    };
    assert!(is_right, "{}: {}", file.display(), String::from_utf8_lossy(&bytes[..bytes.len().min(300)]));
}

#[test]
fn the_program_of_the_readme_reads_all_faces() {
    let Some(stage) = stage("docs-program") else { return };
    let page = read(&repository().join("README.md"));
    let program = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
    let said = succeed(run(stage.command("/usr/bin/python3").args(["-c", program]).current_dir(stage.path())));
    assert!(said.lines().count() > 10, "{said}");
    assert!(said.lines().all(|line| line.contains(" s: face ") && line.contains(" looks like ")), "{said}");
}

#[test]
fn the_programs_of_the_cookbook_print_faces_and_statistics() {
    let Some(stage) = stage("docs-cookbook").filter(|_| bindings()) else { return };
    let page = read(&repository().join("docs/cookbook.md"));
    let programs: Vec<_> = page.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let expected = ["face 1 appeared", "frames="];
    assert_eq!(programs.len(), expected.len());
    for (program, words) in programs.into_iter().zip(expected) {
        let said = succeed(run(stage.command("/usr/bin/python3").args(["-c", program]).current_dir(stage.path())));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn links_lead_to_existing_files() {
    let top = repository();
    let docs = std::fs::read_dir(top.join("docs")).expect("the folder docs").map(|entry| entry.expect("an entry").path());
    let pages = docs.chain(["README.md", "pipelines/README.md", "apps/dashboard/README.md"].map(|page| top.join(page)));
    let mut checked = 0;
    for page in pages.filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = read(&page);
        for target in links(&text) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.with_file_name("").join(file) };
            assert!(file.exists(), "{}: {target}", page.display());
            let heading = |line: &str| line.starts_with('#') && slug(line) == anchor;
            assert!(anchor.is_empty() || read(&file).lines().any(heading), "{}: no heading for {target}", page.display());
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked} links");
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The reason why a command is not run here, if it is not.
fn left_out(command: &str) -> Option<&'static str> {
    let others = [
        ("cargo run --release -p emotion-camera", "apps/camera/tests run it"),
        ("gst-launch-1.0 -q rtspsrc", "apps/camera/tests read this stream, which needs the program"),
        ("emotion-camera", "apps/camera/tests run it"),
        ("emotion-scan", "apps/scan/tests run it"),
        ("podman", "packaging/test-image uses the image that packaging/image builds"),
    ];
    let needs_publish = command.contains("! emotionpublish ") && !cfg!(feature = "publish");
    let why = others.into_iter().find(|(begin, _)| command.starts_with(begin)).map(|(_, why)| why);
    why.or_else(|| needs_publish.then_some("the plugin has no emotionpublish: cargo feature publish"))
}

/// The command with a file in place of a camera, without a window, on free ports, and with the example as built for this test.
fn with_stand_ins(command: &str, camera: &str) -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let http = format!("python3 -m http.server {port} --bind 127.0.0.1");
    [
        ("v4l2src !", "filesrc location=clip.mp4 ! decodebin !"),
        ("/dev/video0", "clip.mp4"),
        ("! autovideosink", "! fakesink"),
        ("v4l2sink device=/dev/video10", "fakesink"),
        ("model-file=net.onnx", "model-file=models/expression/model.onnx"),
        ("playbin uri", "playbin video-sink='identity eos-after=4 ! fakesink' uri"),
        // recorders.rs runs them with a network camera, which never ends.
        ("hls.sh rtsp://camera/stream", "hls.sh clip.mp4"),
        ("rtsp://camera/stream", camera),
        ("rtsp://127.0.0.1:8554/faces", camera),
        (" 5000", &format!(" {port}")),
        ("python3 -m http.server", &http),
        ("cargo run --example faces", env!("CARGO_BIN_EXE_faces-example")),
    ]
    .iter()
    .fold(command.to_owned(), |command, (what, stand_in)| command.replace(what, stand_in))
}

/// Runs a server until it serves, then stops it.
fn serves(shell: &mut Command) {
    let _server = Running::start(shell.stderr(Stdio::null()));
    let line = shell.get_args().last().unwrap().to_string_lossy().into_owned();
    let port = line.split(' ').find_map(|word| word.parse::<u16>().ok()).unwrap();
    until("a server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
}
