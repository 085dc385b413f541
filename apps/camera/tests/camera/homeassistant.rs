// SPDX-License-Identifier: MIT OR Apache-2.0
//! Home Assistant itself finds the camera and follows it. `scripts/test homeassistant` installs it and names its interpreter.

use std::fs;
use std::process::Command;

use test_support::broker::installed;
use test_support::{fetched, repository};

use crate::geometry::acting_clip;
use crate::service::{Broker, folder, run};

#[test]
#[ignore = "needs Home Assistant: scripts/test homeassistant"]
fn home_assistant_shows_the_entities_of_a_camera_follows_and_switches_them() {
    assert!(fetched("centerface") && installed(&["mosquitto"]));
    let python = std::env::var_os("HOME_ASSISTANT_PYTHON").expect("the interpreter of Home Assistant");
    let folder = folder("homeassistant");
    let (clip, broker, configuration) = (acting_clip(&folder), Broker::start(&folder), folder.join("door.toml"));
    let text = format!(
        "source = '{}'\nloop = true\nname = 'front door'\nsize = '320x240'\ngeometry = true\n\
         [publish]\nlocation = 'mqtt://127.0.0.1:{}/emotion/door'\nschemas = ['events', 'summary']\ninterval = 500\nhysteresis = 300\n\
         switches-file = '{}'\n[homeassistant]\nprefix = 'homeassistant'\n",
        clip.display(),
        broker.port,
        folder.join("switches.json").display()
    );
    fs::write(&configuration, text).unwrap();
    let (mut camera, _lines) = run(&["--config", configuration.to_str().unwrap()]);
    let data = folder.join("home");
    fs::create_dir_all(&data).unwrap();
    let mut script = Command::new(python);
    script
        .arg(repository().join("apps/camera/tests/homeassistant.py"))
        .args([broker.port.to_string(), camera.0.id().to_string()])
        .arg(&data);
    let ended = script.output().unwrap();
    let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(ended.status.success(), "{said}\n{}", fs::read_to_string(data.join("output")).unwrap_or_default());
    assert!(camera.0.wait().unwrap().success(), "it was told to end");
}
