// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several cameras in one process: `[[camera]]` tables in a configuration file.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use test_support::broker::{free_port, installed};
use test_support::fetched;
use test_support::zoo::{Camera, Quirk};

use crate::service::{Broker, folder, frames, run, signal};
use crate::support::{start_command, wait_for_line, wait_until};

/// The value of a metric of the camera `name`.
pub fn metric(port: u16, metric: &str, name: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    let sample = format!("{metric}{{name=\"{name}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&sample)?.parse().ok())
}

/// True if a file of records has one of a face.
fn has_faces(folder: &Path) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|ext| ext == "ndjson"))
        .any(|file| fs::read_to_string(file).unwrap().contains("\"face\""))
}

#[test]
fn one_of_three_cameras_that_fails_leaves_the_others_alone_and_is_tried_again() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let folder = folder("many");
    let (days, broker, port, rtsp) = (folder.join("days"), Broker::start(&folder), free_port(), free_port());
    let (door, gate, yard) =
        (Camera::start(Quirk::None, &folder), Camera::start(Quirk::Stalls(60), &folder), Camera::start(Quirk::None, &folder));
    fs::create_dir(&days).unwrap();
    // Where the recordings of one camera belong, there is a file.
    fs::write(days.join("yard"), "").unwrap();
    let tables = [("door", &door), ("gate", &gate), ("yard", &yard)]
        .map(|(name, camera)| format!("[[camera]]\nname = '{name}'\nsource = '{}'\n", camera.address));
    let text = format!(
        "max-delay = 60\nstall = 2\nfiles.folder = '{}/{{name}}'\npublish.location = 'mqtt://127.0.0.1:{}/emotion/{{name}}'\n\
         metrics.listen = '127.0.0.1:{port}'\nrtsp = {{ listen = '127.0.0.1:{rtsp}', path = '/{{name}}' }}\n{}",
        days.display(),
        broker.port,
        tables.concat()
    );
    let configuration = folder.join("cameras.toml");
    fs::write(&configuration, text).unwrap();
    let (mut program, lines) = run(&["--config", configuration.to_str().unwrap()]);
    wait_for_line(&lines, "emotion-camera: yard: ");
    let value = |name: &str, camera: &str| metric(port, name, camera);
    wait_until("faces of the others", || has_faces(&days.join("door")) && has_faces(&days.join("gate")));
    assert_eq!(["door", "yard"].map(|name| value("emotion_source_up", name)), [Some(1.0), Some(0.0)]);
    wait_until("recordings", || ["door", "yard"].map(|name| value("emotion_recording_up", name)) == [Some(1.0), Some(0.0)]);
    assert_eq!(broker.of("emotion/door/status"), ["online"]);
    wait_until("an attempt", || value("emotion_reconnects_total", "yard").unwrap() >= 1.0);

    fs::remove_file(days.join("yard")).unwrap();
    wait_until("the third camera", || has_faces(&days.join("yard")) && broker.of("emotion/yard/status") == ["online"]);
    // A source that stalls is opened again meanwhile.
    wait_for_line(&lines, "emotion-camera: gate: no data for 2 s after ");
    wait_for_line(&lines, "emotion-camera: gate: receiving the camera's stream");
    let before = value("emotion_frames_analysed_total", "door").unwrap();
    wait_until("more frames of another", || value("emotion_frames_analysed_total", "door").unwrap() > before + 10.0);
    assert_eq!(["door", "gate"].map(|name| value("emotion_frames_skipped_total", name)), [Some(0.0); 2]);
    assert!(value("emotion_reconnects_total", "door") == Some(0.0) && value("emotion_publish_connected", "door") == Some(1.0));

    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success());
    for name in ["door", "gate", "yard"] {
        assert!(frames(&days.join(name).join("00000.mp4")) > 0, "{name}");
        wait_until("a goodbye", || broker.of(&format!("emotion/{name}/status")).last().is_some_and(|status| status == "offline"));
    }
}

#[test]
fn cameras_at_one_address_have_a_path_each_and_the_check_names_the_one_that_is_wrong() {
    let folder = folder("many-checked");
    let configuration = folder.join("cameras.toml");
    let text = format!(
        "files.folder = '{}/{{name}}'\nrtsp = {{ listen = '127.0.0.1:{}', path = '/{{name}}' }}\n\
         [[camera]]\nname = 'door'\nsource = 'gst:videotestsrc is-live=true'\n\
         [[camera]]\nname = 'gate'\nsource = 'gst:videotestsrc is-live=true ! no-such-element'\n",
        folder.join("days").display(),
        free_port()
    );
    fs::write(&configuration, &text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emotion-camera"));
    command.args(["--check", "--config"]).arg(&configuration);
    let (mut check, lines) = start_command(command);
    assert_eq!(check.0.wait().unwrap().code(), Some(2));
    wait_for_line(&lines, "[[camera]] gate: gst: no element \"no-such-element\"");
    let (mut program, lines) = run(&["--config", configuration.to_str().unwrap()]);
    wait_for_line(&lines, "/door");
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success(), "a camera that waits for its next attempt ends, too");

    fs::write(&configuration, text.replace("name = 'gate'", "name = 'door'")).unwrap();
    let (mut program, lines) = run(&["--config", configuration.to_str().unwrap()]);
    assert_eq!(program.0.wait().unwrap().code(), Some(2));
    wait_for_line(&lines, "door and door have the same name");
}

/// How many heaps of glibc a process has beside the first: each begins at a multiple of the 64 MiB that it reserves, with what
/// it uses, and may be one mapping with what lies before or after it.
fn further_heaps(pid: u32) -> usize {
    const RESERVED: u64 = 64 << 20;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mappings: Vec<_> = maps
        .lines()
        .filter_map(|line| {
            let [range, access, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
            let (from, to) = range.split_once('-')?;
            Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?, access))
        })
        .collect();
    let ends_a_used_part = |pair: &&[(u64, u64, &str)]| {
        let [(from, end, "rw-p"), (rest, to, "---p")] = pair[..] else { return false };
        let heap = (end - 1) / RESERVED * RESERVED;
        from <= heap && end == rest && heap + RESERVED <= to
    };
    mappings.windows(2).filter(ends_a_used_part).count()
}

#[test]
fn threads_of_all_sessions_share_two_heaps() {
    if !fetched("centerface") {
        return;
    }
    let folder = folder("heaps");
    let table = |name: &str| {
        let source = "gst:videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=10/1";
        format!("[[camera]]\nname = '{name}'\nsource = '{source}'\nfiles.folder = '{}/{name}'\n", folder.display())
    };
    let configuration = folder.join("cameras.toml");
    fs::write(&configuration, ["door", "gate", "yard"].map(table).concat()).unwrap();
    let (program, lines) = run(&["--config", configuration.to_str().unwrap()]);
    for name in ["door", "gate", "yard"] {
        wait_until(name, || fs::read_dir(folder.join(name)).is_ok_and(|files| files.count() > 1));
    }
    drop(lines);
    assert_eq!(further_heaps(program.0.id()), 1, "each with what the others have freed would make the program grow");
}
