// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings on a disk that is full, and what is on the disk after a power failure.

use std::fs;
use std::process::Command;

use test_support::broker::{free_port, installed};
use test_support::fetched;

use crate::service::{Broker, clip, folder, frames, metrics, signal};
use crate::support::{PATIENCE, has, start_command, wait_for_line, wait_until};

#[test]
fn a_full_disk_stops_recordings_alone() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let folder = folder("full");
    let (clip, broker, port, rtsp) = (clip(&folder), Broker::start(&folder), free_port(), free_port());
    let (location, listen, serve) =
        (format!("mqtt://127.0.0.1:{}/emotion/door", broker.port), format!("127.0.0.1:{port}"), format!("127.0.0.1:{rtsp}"));
    let days = folder.join("days");
    let manager = std::os::unix::net::UnixDatagram::bind(folder.join("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emotion-camera"));
    command.env("NOTIFY_SOCKET", folder.join("notify")).args(["--publish-location", &location, "--publish-schemas", "summary"]);
    command.args(["--publish-interval", "200", "--metrics-listen", &listen, "--rtsp-listen", &serve, "--size", "320x240", "--loop"]);
    let (mut camera, lines) = start_command({
        command.args(["--files-seconds", "1", "--files-folder"]).arg(&days).arg(&clip);
        command
    });
    let metric = |name: &str| metrics(port)(name);
    wait_for_line(&lines, "receiving the camera's stream");
    wait_until("a recording", || metric("emotion_recording_up") == 1.0);
    // Nothing can be created below a file, as on a disk that is full.
    fs::rename(&days, folder.join("moved")).unwrap();
    fs::write(&days, "").unwrap();
    wait_for_line(&lines, "recordings stop until there is room");
    assert_eq!((metric("emotion_recording_up"), metric("emotion_recording_failures_total")), (0.0, 1.0));
    let told = || {
        let mut text = [0; 512];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert!(told().starts_with("STATUS=recordings stop"));
    let before = broker.of("emotion/door/summary").len();
    wait_until("more summaries", || broker.of("emotion/door/summary").len() > before + 5);
    fs::remove_file(&days).unwrap();
    wait_for_line(&lines, "recordings go on");
    assert!(told().starts_with("STATUS=recordings go on"));
    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());
    let left: Vec<_> = fs::read_dir(&days).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().filter(|path| path.extension().unwrap() == "mp4").all(|video| frames(video) > 0), "{left:?}");
}

#[test]
fn recordings_and_records_are_synced_while_they_are_written_and_when_they_end() {
    if !fetched("centerface") || !has("strace") {
        return;
    }
    let folder = folder("synced");
    let (clip, days, log) = (clip(&folder), folder.join("days"), folder.join("strace"));
    // `-D`: the child of this test is the camera.
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "--seccomp-bpf", "-y", "-e", "trace=fsync,fdatasync", "-o"]).arg(&log);
    command.arg(env!("CARGO_BIN_EXE_emotion-camera")).args(["--size", "320x240", "--files-seconds", "4", "--files-folder"]);
    let (mut camera, _lines) = start_command({
        command.arg(&days).arg("--loop").arg(&clip);
        command
    });
    let syncs = |name: &str| {
        let synced = |line: &&str| line.contains(name) && line.trim_end().ends_with("= 0");
        fs::read_to_string(&log).unwrap_or_default().lines().filter(synced).count()
    };
    for name in ["days/00000.mp4>", "days/00000.ndjson>", "days>"] {
        wait_until(name, || syncs(name) > 1);
    }
    wait_until("the second pair", || days.join("00001.mp4").exists());
    let before = ["days/00001.mp4>", "days/00001.ndjson>"].map(syncs);
    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());
    wait_until("the last syncs", || {
        ["days/00001.mp4>", "days/00001.ndjson>"].map(syncs).iter().zip(before).all(|(now, before)| *now > before)
    });
}
