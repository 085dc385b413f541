// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings on a disk that is full, what is on the disk after a power failure, and those of another profile of the camera.

use std::fs;
use std::process::Command;

use serde_json::Value;
use test_support::broker::{free_port, installed};
use test_support::fetched;

use crate::recorded::pictures;
use crate::service::{Broker, clip, folder, frames, metrics, run, signal};
use crate::support::{PATIENCE, has, start_camera, start_command, wait_for_line, wait_until};

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

#[test]
fn the_large_profile_of_a_camera_is_recorded_with_the_faces_of_its_small_one() {
    if !fetched("centerface") {
        return;
    }
    gst::init().unwrap();
    let folder = folder("profiles");
    let (small, large, days) = (free_port(), free_port(), folder.join("days"));
    let _cameras = [start_camera(small, &folder, (320, 240)), start_camera(large, &folder, (640, 480))];
    let address = |port: u16| format!("rtsp://127.0.0.1:{port}/live");
    let arguments = ["--record-source", &address(large), "--files-folder", days.to_str().unwrap(), &address(small)];
    let (mut camera, lines) = run(&[&["--files-seconds", "2", "--size", "320x240"], &arguments[..]].concat());
    wait_for_line(&lines, "receiving the recorded video");
    wait_until("the third pair", || days.join("00002.ndjson").exists());
    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());
    let video = days.join("00001.mp4");
    let recorded = pictures(&video);
    assert_eq!(recorded[0].2.len(), 640 * 480, "the size of the large profile");
    let text = fs::read_to_string(days.join("00001.ndjson")).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.len() > 5, "{} records for {} frames", records.len(), recorded.len());
    let end = recorded.last().unwrap().0 + 200_000_000;
    for record in records {
        let side = |name: &str| record["box"][name].as_f64().unwrap();
        assert!((side("x") + side("w") / 2.0 - 0.5).abs() < 0.05 && record["recording_time"].as_u64().unwrap() < end, "{record}");
    }
}
