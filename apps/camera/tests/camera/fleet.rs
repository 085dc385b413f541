// SPDX-License-Identifier: MIT OR Apache-2.0
//! `make fleet`: four cameras and a broker, one of which crashes.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use test_support::broker::installed;
use test_support::fetched;

use crate::service::{clip, folder, signal};
use crate::support::{start_command, wait_until};

#[test]
fn a_camera_that_crashes_is_offline_and_comes_back() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let folder = folder("fleet");
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/demo/fleet"));
    command.arg(clip(&folder)).env("EMOTION_CAMERA", env!("CARGO_BIN_EXE_emotion-camera")).env("FLEET", &folder);
    let (mut fleet, output) = start_command(command);
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = lines.clone();
    std::thread::spawn(move || output.iter().for_each(|line| seen.lock().unwrap().push(line)));
    let count = |begin: &str| lines.lock().unwrap().iter().filter(|line| line.starts_with(begin)).count();
    for name in ["door", "gate", "hall", "yard"] {
        wait_until(name, || {
            let event = format!("emotion/{name}/events {{");
            count(&format!("emotion/{name}/status online")) == 1 && count(&event) > 0
        });
    }

    let process = |name: &str| fs::read_to_string(folder.join(format!("{name}.pid"))).unwrap().trim().to_owned();
    let crashed = process("door");
    assert!(Command::new("kill").args(["-9", &crashed]).status().unwrap().success());
    wait_until("the last will", || count("emotion/door/status offline") == 1);
    wait_until("the camera again", || count("emotion/door/status online") == 2);
    assert_eq!(count("emotion/gate/status offline"), 0);

    let cameras = ["door", "gate", "hall", "yard"].map(process);
    assert!(!cameras.contains(&crashed));
    signal(&fleet, "-TERM");
    assert_eq!(fleet.0.wait().unwrap().code(), Some(143));
    wait_until("the last line", || count("fleet: stopped") == 1);
    assert!(cameras.iter().all(|process| !std::path::Path::new("/proc").join(process).exists()), "a camera still runs");
    assert_eq!(count("emotion/gate/status offline"), 1, "a goodbye");
}
