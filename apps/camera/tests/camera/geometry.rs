// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--geometry`: what a face does with its head and eyes, in events and in records.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use test_support::average_faces::{Key, Scene};
use test_support::broker::installed;
use test_support::fetched;
use test_support::gestures::Placed;

use crate::service::{Broker, folder, play, run, signal};
use crate::support::wait_until;

const SIZE: (usize, usize) = (320, 240);

/// A clip of a face that blinks, closes its eyes and turns away, 8 seconds at 15 frames a second.
pub fn acting_clip(folder: &Path) -> PathBuf {
    gst::init().unwrap();
    let (center, height) = ((160.0, 120.0), 150.0);
    let keys = [0.0, 100.0].map(|at_s| Key::new(at_s, center, height, "neutral"));
    let scene = Scene::new(SIZE.0, SIZE.1).actor(keys.to_vec()).render(0.0);
    let actor = Placed { frame_width: SIZE.0, center, height };
    let frames = (0..120).flat_map(|frame| {
        let mut picture = scene.clone();
        match frame {
            30..35 | 50..74 => actor.close_eyes(&mut picture),
            90.. => actor.turn(&mut picture, 60.0),
            _ => {}
        }
        picture
    });
    let (raw, clip) = (folder.join("acting.rgb"), folder.join("acting.mp4"));
    fs::write(&raw, frames.collect::<Vec<u8>>()).unwrap();
    play(&format!(
        "filesrc location={} blocksize={} ! rawvideoparse format=rgb width={} height={} framerate=15/1 ! videoconvert \
         ! x264enc speed-preset=ultrafast quantizer=10 pass=qual ! h264parse ! mp4mux ! filesink location={}",
        raw.display(),
        SIZE.0 * SIZE.1 * 3,
        SIZE.0,
        SIZE.1,
        clip.display()
    ));
    clip
}

#[test]
fn with_geometry_events_and_records_say_where_a_face_turns_and_whether_its_eyes_are_closed() {
    if !fetched("centerface") || !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let folder = folder("geometry");
    let (clip, broker, configuration) = (acting_clip(&folder), Broker::start(&folder), folder.join("door.toml"));
    let text = format!(
        "source = '{}'\nloop = true\nsize = '320x240'\ngeometry = true\n\
         [publish]\nlocation = 'mqtt://127.0.0.1:{}/emotion/door'\nhysteresis = 300\n\
         [homeassistant]\nprefix = 'emotion/discovery'\n[files]\nfolder = '{}'\n",
        clip.display(),
        broker.port,
        folder.join("days").display()
    );
    fs::write(&configuration, text).unwrap();
    let (mut camera, _lines) = run(&["--config", configuration.to_str().unwrap()]);
    let events = |kind: &str| broker.events("emotion/door/events", kind);
    for kind in ["turned", "eyes_closed"] {
        wait_until(kind, || [true, false].iter().all(|active| events(kind).iter().any(|event| event["active"] == *active)));
    }
    wait_until("a blink", || !events("blink").is_empty());
    let directions: Vec<Value> = events("turned").iter().map(|event| event["direction"].clone()).collect();
    assert!(directions.iter().all(|direction| direction == &directions[0] && [json!("left"), json!("right")].contains(direction)));
    let discovered = broker.of("emotion/discovery/event/emotion_door/face/config");
    let discovered: Value = serde_json::from_str(&discovered[0]).unwrap();
    assert!(
        ["turned", "eyes_closed", "blink", "speaking"]
            .iter()
            .all(|kind| discovered["event_types"].as_array().unwrap().contains(&json!(kind)))
    );

    signal(&camera, "-TERM");
    assert!(camera.0.wait().unwrap().success());
    let records = fs::read_to_string(folder.join("days/00000.ndjson")).unwrap();
    let records: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let turned = records.iter().filter(|record| record["pose"]["yaw"].as_f64().is_some_and(|yaw| yaw.abs() > 30.0)).count();
    assert!(turned > 10 && turned < records.len(), "{turned} of {}", records.len());
    assert!(records.iter().any(|record| record["blendshapes"]["eyeBlinkLeft"].as_f64() > Some(0.45)));
}
