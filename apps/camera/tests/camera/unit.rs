// SPDX-License-Identifier: MIT OR Apache-2.0
//! The systemd unit, as systemd itself reads it.

use std::fs;
use std::process::Command;

use crate::service::folder;
use crate::support::has;

/// Maximum exposure that `systemd-analyze security` may find, in tenths of 0..10.
const MAX_EXPOSURE: &str = "20";

#[test]
fn the_unit_is_valid_and_hardened() {
    if !has("systemd-analyze") {
        return;
    }
    let unit = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/emotion-camera@.service")).unwrap();
    // The program must exist.
    let unit = unit.replace("/usr/bin/emotion-camera", env!("CARGO_BIN_EXE_emotion-camera"));
    let file = folder("unit").join("emotion-camera@door.service");
    fs::write(&file, unit).unwrap();
    let analyse = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&file).output().unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        (output.status.success(), said)
    };
    let (is_valid, said) = analyse(&["verify", "--man=no"]);
    assert!(is_valid && said.trim().is_empty(), "{said}");
    let (is_hardened, said) = analyse(&["security", "--offline=true", "--threshold", MAX_EXPOSURE]);
    assert!(is_hardened, "{said}");
}
