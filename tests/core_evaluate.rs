// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-evaluate`, as a user runs it.
#![cfg(feature = "evaluate")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gstemotion::emotion::FERPLUS_LABELS;
use support::runtime_fetched;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A folder of its own for one test, empty.
fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("gst-emotion-evaluate-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn run(arguments: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emotion-evaluate"));
    command.current_dir(ROOT).arg("expression").args(arguments).output().expect("the command starts")
}

/// The average faces as a folder of folders.
fn average_faces(folder: &Path) {
    for label in FERPLUS_LABELS {
        std::fs::create_dir(folder.join(label)).expect("a folder");
        let picture = Path::new(ROOT).join(format!("models/average-faces/{label}.png"));
        std::fs::copy(picture, folder.join(label).join("1.png")).expect("a picture");
    }
}

#[test]
fn average_faces_are_measured_in_words_json_and_pictures() {
    if !runtime_fetched() {
        return;
    }
    let folder = scratch("faces");
    average_faces(&folder);
    let (json, svg) = (folder.join("report.json"), folder.join("figures"));
    let output = run(&[&folder, "--conditions".as_ref(), "--json".as_ref(), &json, "--svg".as_ref(), &svg]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("8 pictures by labels") && text.contains("| 16 px high |"), "{text}");

    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).expect("a report")).expect("JSON");
    let figures = &report["outputs"][0]["figures"][0];
    assert_eq!((figures["count"].as_u64(), figures["protocol"].as_str()), (Some(8), Some("labels")));
    // An average face is the mean of pictures that people agreed on; contempt alone is close to neutral.
    assert!(figures["accuracy"].as_f64().expect("a number") >= 6.0 / 8.0, "{figures}");
    let counted: u64 = figures["bins"].as_array().expect("bins").iter().filter_map(|bin| bin["count"].as_u64()).sum();
    assert_eq!(counted, 8);
    assert_eq!(report["conditions"][0]["condition"], "clean");
    assert_eq!(report["conditions"][0]["losses"][0]["lost"], 0.0);
    let name = report["outputs"][0]["output"].as_str().expect("a name");
    for figure in ["confusion", "reliability"] {
        let drawn = std::fs::read_to_string(svg.join(format!("{figure}-{name}-labels.svg"))).expect("a figure");
        assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n"));
    }
    std::fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn what_is_wrong_is_said_with_the_file() {
    let folder = scratch("wrong");
    let said = |arguments: &[&Path]| {
        let output = run(arguments);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let empty = said(&[&folder]);
    assert!(empty.contains(&*folder.to_string_lossy()) && empty.contains("expected labels.csv"), "{empty}");
    if runtime_fetched() {
        average_faces(&folder);
        let described_by_nobody = said(&[&folder, "--model".as_ref(), &support::data("identity.onnx")]);
        assert!(described_by_nobody.contains("identity.onnx: expected a description"), "{described_by_nobody}");
        std::fs::write(folder.join("happiness/2.png"), "no picture").expect("a file");
        let broken = said(&[&folder]);
        assert!(broken.contains("happiness/2.png"), "{broken}");
    }
    std::fs::remove_dir_all(folder).expect("a folder");
}
