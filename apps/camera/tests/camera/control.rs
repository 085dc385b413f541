// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands by MQTT, as Mosquitto's own client sends them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::broker::installed;
use test_support::fetched;
use test_support::truth_film::{Path as Way, TruthFilm};

use crate::recorded::{H264, SIZE, pictures, serve, write_film};
use crate::service::{Broker, folder, run, signal};
use crate::support::{has, wait_until};

const OPEN: &str = r#"{"analysis":true,"blur":false,"interval":1,"totals_only":false}"#;

/// Sends a command to `emotion/door/set`.
pub fn send(broker: &Broker, command: &str, options: &[&str]) {
    let mut client = Command::new("mosquitto_pub");
    client.args(["-p", &broker.port.to_string(), "-t", "emotion/door/set", "-m", command]).args(options);
    assert!(client.status().unwrap().success());
}

pub fn state(broker: &Broker) -> Value {
    broker.of("emotion/door/state").last().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

/// Mean difference of each frame of a video from the film, in the middle of the face.
pub fn differences(video: &Path, truth: &TruthFilm) -> Vec<f64> {
    let (width, height) = SIZE;
    let difference = |(_, mark, luma): &(u64, Option<_>, Vec<u8>)| {
        let mark: test_support::truth_film::Mark = (*mark)?;
        let (rgb, face) = (truth.render(mark.number, mark.time_us), truth.face(mark.number));
        let inside = |start: f32, length: f32, side: usize| {
            let at = |share: f32| ((start + length * share) * side as f32) as usize;
            at(0.3)..at(0.7)
        };
        let (rows, columns) = (inside(face.y, face.h, height), inside(face.x, face.w, width));
        let pixels: Vec<usize> = rows.flat_map(|y| columns.clone().map(move |x| y * width + x)).collect();
        let grey =
            |at: usize| f64::from(rgb[3 * at]) * 0.257 + f64::from(rgb[3 * at + 1]) * 0.504 + f64::from(rgb[3 * at + 2]) * 0.098 + 16.0;
        Some(pixels.iter().map(|&at| (grey(at) - f64::from(luma[at])).abs()).sum::<f64>() / pixels.len() as f64)
    };
    pictures(video).iter().filter_map(difference).collect()
}

#[test]
fn commands_switch_what_is_shown_and_a_restart_shows_no_more() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub"]) || !has("ffmpeg") {
        return;
    }
    let (folder, truth) = (folder("control"), TruthFilm::new(SIZE.0, SIZE.1, Way::Smooth));
    let (broker, days) = (Broker::start(&folder), folder.join("days"));
    let address = serve(&write_film(&folder, &truth, H264));
    let (location, switches) = (format!("mqtt://127.0.0.1:{}/emotion/door", broker.port), folder.join("switches.json"));
    let options = ["--publish-location", &location, "--publish-schemas", "faces,summary", "--publish-interval", "100", "--size", "320x240"];
    let paths = ["--files-folder", days.to_str().unwrap(), "--publish-switches-file", switches.to_str().unwrap()];
    let arguments = [&options[..], &paths[..], &[address.as_str()]].concat();
    let (mut camera, _lines) = run(&arguments);
    wait_until("the state", || broker.of("emotion/door/state") == [OPEN]);
    wait_until("faces", || broker.of("emotion/door/faces").len() > 3);
    std::thread::sleep(Duration::from_secs(2));
    send(&broker, r#"{"blurr": true}"#, &[]);
    wait_until("the same state again", || broker.of("emotion/door/state") == [OPEN; 2]);
    send(&broker, r#"{"blur": true}"#, &[]);
    wait_until("blur", || state(&broker)["blur"] == true);
    std::thread::sleep(Duration::from_secs(2));
    send(&broker, r#"{"totals_only": true}"#, &[]);
    wait_until("totals only", || state(&broker)["totals_only"] == true);
    let (faces, summaries) = (broker.of("emotion/door/faces").len(), broker.of("emotion/door/summary").len());
    let records = || fs::metadata(days.join("00001.ndjson")).map_or(0, |file| file.len());
    let recorded = records();
    wait_until("summaries", || broker.of("emotion/door/summary").len() > summaries + 5);
    assert!(broker.of("emotion/door/faces").len() <= faces + 1 && records() == recorded, "individual faces");
    // A broker keeps commands that are sent so, by mistake.
    send(&broker, r#"{"blur": false}"#, &["-r"]);
    wait_until("the faces to be shown again", || state(&broker)["blur"] == false);
    send(&broker, r#"{"blur": true}"#, &[]);
    wait_until("blur", || state(&broker)["blur"] == true);
    camera.0.kill().unwrap();
    camera.0.wait().unwrap();

    let before = broker.of("emotion/door/state").len();
    let known = fs::read_dir(&days).unwrap().count() / 2;
    let (mut camera, _lines) = run(&arguments);
    wait_until("the state after the restart", || broker.of("emotion/door/state").len() > before);
    assert_eq!(state(&broker), json!({ "analysis": true, "blur": true, "interval": 1, "totals_only": true }));
    wait_until("a recording", || days.join(format!("{known:05}.mp4")).exists());
    std::thread::sleep(Duration::from_secs(3));
    send(&broker, r#"{"analysis": false, "interval": 5}"#, &[]);
    wait_until("the analysis to stop", || state(&broker)["analysis"] == false && state(&broker)["interval"] == 5);
    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());

    let of = |number: usize| differences(&days.join(format!("{number:05}.mp4")), &truth);
    let (shown, hidden, after) = (of(0), of(1), of(known));
    assert!(shown.len() > 10 && shown.iter().all(|difference| *difference < 6.0), "the camera's own picture: {shown:?}");
    for pictures in [&hidden, &after] {
        assert!(pictures.len() > 10 && pictures.iter().all(|difference| *difference > 6.0), "hidden faces: {pictures:?}");
    }
}
