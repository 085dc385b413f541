// SPDX-License-Identifier: MIT OR Apache-2.0
//! The applications of `examples/`, in C, Python and Rust. Each is compiled as its first lines describe, run on a
//! picture of three faces, and prints the same output.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use test_support::gstreamer::Stage;
use test_support::{repository, runtime_fetched, three_faces};

/// A stage with the plugin and a picture of three faces.
fn stage(name: &str) -> Option<Stage> {
    if !runtime_fetched() {
        return None;
    }
    let stage = Stage::new(name).with_plugin();
    let file = std::fs::File::create(picture(&stage)).expect("the picture can be written");
    let mut encoder = png::Encoder::new(file, 640, 480);
    encoder.set_color(png::ColorType::Rgb);
    let pixels = three_faces().render(0.0);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels)).expect("the picture can be written");
    Some(stage)
}

fn picture(stage: &Stage) -> PathBuf {
    stage.path().join("three faces.png")
}

fn source(name: &str) -> PathBuf {
    repository().join("examples").join(name)
}

fn works(mut command: Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Skips a test with a note, or fails under `make test`, which installs the requirements.
fn skip(what: &str) {
    assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "{what} is needed");
    test_support::left_out::note(format!("{what} is needed"));
}

/// Each face on a line, from left to right: `face ID at X,Y WxH: LABEL CONFIDENCE`.
fn finds_the_three(stage: &Stage, program: &Path, arguments: &[PathBuf]) {
    let run = |file: &Path| -> Output {
        stage.command(&program.display().to_string()).args(arguments).arg(file).output().expect("the program starts")
    };
    let output = run(&picture(stage));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let mut labels: Vec<_> = said.lines().map(|line| line.rsplit(' ').nth(1).unwrap_or_default()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["happiness", "neutral", "surprise"], "{said}");
    assert!(said.lines().all(|line| line.starts_with("face ")), "{said}");

    let output = run(Path::new("nowhere.mp4"));
    assert!(!output.status.success() && !output.stderr.is_empty(), "a missing file is an error");
}

#[test]
fn the_c_program_is_short_and_works() {
    let Some(stage) = stage("embed-c") else { return };
    let mut flags = Command::new("pkg-config");
    flags.args(["--cflags", "--libs", "gstreamer-1.0"]);
    let Ok(flags) = flags.output() else { return skip("pkg-config") };
    let flags = String::from_utf8_lossy(&flags.stdout).into_owned();
    if !works({
        let mut cc = Command::new("cc");
        cc.arg("--version");
        cc
    }) {
        return skip("a C compiler");
    }
    let program = stage.path().join("faces");
    let mut compile = Command::new("cc");
    compile.args(["-Wall", "-Wextra", "-Werror"]).arg(source("faces.c")).arg("-o").arg(&program).args(flags.split_whitespace());
    let output = compile.output().expect("cc runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    finds_the_three(&stage, &program, &[]);
    let text = std::fs::read_to_string(source("faces.c")).expect("the source");
    assert!(text.lines().count() <= 60, "an example of {} lines", text.lines().count());
}

#[test]
fn the_python_program_works() {
    let Some(stage) = stage("embed-python") else { return };
    // Debian's interpreter has Debian's modules.
    let python = Path::new("/usr/bin/python3");
    let mut probe = Command::new(python);
    probe.args(["-c", "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst"]);
    if !works(probe) {
        return skip("PyGObject with Gst (python3-gi, gir1.2-gstreamer-1.0)");
    }
    finds_the_three(&stage, python, &[source("faces.py")]);
}

#[test]
fn the_python_program_says_which_package_is_missing() {
    // -S hides the packages of the distribution, as an interpreter of pyenv or conda does.
    let output = Command::new("/usr/bin/python3").arg("-S").arg(source("faces.py")).arg("clip.mp4").output();
    let Ok(output) = output else { return skip("/usr/bin/python3") };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && !said.contains("Traceback"), "{said}");
    assert!(said.contains("apt install python3-gi gir1.2-gstreamer-1.0"), "{said}");
}

#[test]
fn the_rust_program_works() {
    let Some(stage) = stage("embed-rust") else { return };
    // `cargo test` builds the examples, unless only some tests are selected.
    let program = std::env::current_exe().expect("a test has a path").with_file_name("../examples/faces");
    if !program.is_file() {
        test_support::left_out::note(format!("no {}; cargo build --example faces makes it", program.display()));
        return;
    }
    finds_the_three(&stage, &program, &[]);
}
