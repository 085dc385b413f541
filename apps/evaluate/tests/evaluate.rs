// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-evaluate`, run like a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use emotion_core::scores::FERPLUS_LABELS;
use test_support::{data, repository, runtime_fetched};

/// An empty folder for one test.
fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("gst-emotion-evaluate-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn run(arguments: &[&Path]) -> Output {
    run_for("expression", arguments)
}

fn run_for(subject: &str, arguments: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emotion-evaluate"));
    command.current_dir(repository()).arg(subject).args(arguments).output().expect("the command starts")
}

/// The average faces as a folder of folders.
fn average_faces(folder: &Path) {
    for label in FERPLUS_LABELS {
        std::fs::create_dir(folder.join(label)).expect("a folder");
        let picture = repository().join(format!("models/average-faces/{label}.png"));
        std::fs::copy(picture, folder.join(label).join("1.png")).expect("a picture");
    }
}

#[test]
fn an_evaluation_writes_text_json_and_figures() {
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
    // An average face is the mean of pictures with clear votes. Only contempt is close to neutral.
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
fn errors_name_the_file() {
    let folder = scratch("wrong");
    let error_of = |arguments: &[&Path]| {
        let output = run(arguments);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let empty = error_of(&[&folder]);
    assert!(empty.contains(&*folder.to_string_lossy()) && empty.contains("expected labels.csv"), "{empty}");
    if runtime_fetched() {
        average_faces(&folder);
        let undescribed = error_of(&[&folder, "--model".as_ref(), &data("identity.onnx")]);
        assert!(undescribed.contains("identity.onnx: expected a description"), "{undescribed}");
        std::fs::write(folder.join("happiness/2.png"), "no picture").expect("a file");
        let broken = error_of(&[&folder]);
        assert!(broken.contains("happiness/2.png"), "{broken}");
    }
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// Black pictures of 320 x 240 pixels, each with a white cell of 8 pixels, which the tiny test network detects as a face.
fn lit_photos(folder: &Path) {
    std::fs::create_dir(folder.join("photos")).expect("a folder");
    for (name, left, top) in [("found.pgm", 40, 80), ("missed.pgm", 80, 40), ("empty.pgm", 160, 160)] {
        let lit = |n: usize| (left..left + 8).contains(&(n % 320)) && (top..top + 8).contains(&(n / 320));
        let pixels: Vec<u8> = (0..320 * 240).map(|n| if lit(n) { 255 } else { 0 }).collect();
        std::fs::write(folder.join("photos").join(name), [&b"P5 320 240 255\n"[..], &pixels].concat()).expect("a picture");
    }
    let labels = r#"{"found.pgm": {"faces": [{"box": [36, 76, 16, 16]}]}, "missed.pgm": {"faces": [{"box": [200, 200, 30, 30]}]},
        "empty.pgm": {"faces": [], "ignore": [[150, 150, 40, 40]]}}"#;
    std::fs::write(folder.join("labels.json"), labels).expect("labels");
    std::fs::write(folder.join("face-free.txt"), "empty.pgm\n").expect("names");
}

#[test]
fn detectors_are_measured_on_the_same_photos() {
    if !runtime_fetched() {
        return;
    }
    let folder = scratch("boxes");
    lit_photos(&folder);
    let (json, face_free, model) = (folder.join("report.json"), folder.join("face-free.txt"), data("cells.onnx"));
    let [sizes, free, models, to] = ["--detect-size=320", "--face-free", "--model", "--json"].map(Path::new);
    let output = run_for("detection", &[&folder, models, &model, sizes, "--detect-size=0".as_ref(), free, &face_free, to, &json]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("2 faces on 2 photos, 1 face-free photos") && text.contains("| emotion-face | 320 | 0.500 |"), "{text}");

    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).expect("a report")).expect("JSON");
    let figures = report["figures"].as_array().expect("figures");
    assert_eq!(figures.len(), 2, "metrics for each size");
    // One of two boxes is a face, and one of two faces is found. The box on the face-free photo is false, although it is in an ignored area.
    for (figure, expected) in [("average_precision", 0.5), ("recall", 0.5), ("precision", 0.5), ("false_boxes", 100.0)] {
        assert_eq!(figures[0][figure].as_f64(), Some(expected), "{figure}");
    }
    // In a photo of 640 px, the found face is 32 px high and the other one 60 px.
    assert_eq!(figures[0]["by_size"], serde_json::json!([null, 1.0, 0.0, null]));
    std::fs::remove_dir_all(folder).expect("its own folder");
}

#[test]
fn the_error_for_unlabelled_photos_names_them() {
    let folder = scratch("names");
    lit_photos(&folder);
    let only = folder.join("only.txt");
    std::fs::write(&only, "absent.webp\n").expect("names");
    let [models, list] = ["--model", "--only"].map(Path::new);
    let output = run_for("detection", &[&folder, models, &data("cells.onnx"), list, &only]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("labels.json") && error.contains("absent.webp"), "{error}");
    std::fs::remove_dir_all(folder).expect("its own folder");
}

#[test]
fn ratings_are_compared_with_a_table_of_a_scan() {
    let folder = scratch("ratings");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("a file");
        folder.join(name)
    };
    let row = |second: u32, label: &str, score: f64| format!("clips/a.mp4,{second},1,{label},{score}\n");
    let rows: String =
        (0..6).map(|second| row(second, if second < 3 { "neutral" } else { "happiness" }, f64::from(second) / 6.0)).collect();
    let table = write("results.csv", &format!("file,time_s,id,label,score_happiness\n{rows}"));
    let ratings = "file,start,end,rater,label,score_happiness\n\
        a.mp4,0,2,anna,neutral,0\na.mp4,0,2,ben,neutral,0.2\na.mp4,2,4,anna,sad,0.3\na.mp4,2,4,ben,sad,0.5\n\
        a.mp4,4,6,anna,happy,0.8\na.mp4,4,6,ben,happy,1\nb.mp4,0,2,anna,happy,1\n";
    let ratings = write("ratings.csv", ratings);
    let (json, svg) = (folder.join("agreement.json"), folder.join("agreement.svg"));
    let output = run_for("agreement", &[&table, &ratings, "--json".as_ref(), &json, "--svg".as_ref(), &svg]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("4 segments, raters: anna, ben; 1 without a face in the table"), "{text}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).expect("a report")).expect("JSON");
    let labels = &report["labels"];
    assert!(labels["compared"] == 3 && labels["alpha_raters"] == 1.0, "{labels}");
    // Of two equally frequent labels, the more probable one: neutral at 2 s, happiness at 3 s.
    assert!((labels["accuracy"].as_f64().expect("a share") - 2.0 / 3.0).abs() < 1e-12, "{labels}");
    assert!(report["scores"][0]["program"]["single"]["value"].as_f64() > Some(0.8), "{report}");
    let drawn = std::fs::read_to_string(svg).expect("a figure");
    assert!(drawn.contains("2 of 3 segments agree") && drawn.contains("rows: most raters; columns: program"), "{drawn}");

    let other = write("other.csv", "file,label\nz.mp4,happy\n");
    let output = run_for("agreement", &[&table, &other]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("other.csv: expected files of") && error.contains("found \"z.mp4\""), "{error}");
    std::fs::remove_dir_all(folder).expect("its own folder");
}
