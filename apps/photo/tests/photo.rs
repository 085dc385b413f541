// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program `emotion-photo`: what it says, what it writes, and its exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emotion-photo")).args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path in the folder of these tests.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("photo-{name}"))
}

#[test]
fn a_photo_is_described_and_written_as_png() {
    let photo = test_support::repository().join("models/average-faces/happiness.png");
    let said = run(&[&photo]);
    assert!(said.status.success() && text(&said.stdout).starts_with("PNG, "), "{said:?}");
    let copy = scratch("copy.png");
    assert!(run(&[&photo, &copy]).status.success());
    let size = |path: &Path| image::image_dimensions(path).expect("a PNG");
    assert_eq!(size(&copy), size(&photo));
}

#[test]
fn the_exit_status_tells_other_files_from_unreadable_photos() {
    let (other, damaged) = (scratch("other.txt"), scratch("damaged.png"));
    std::fs::write(&other, "text").expect("a file");
    std::fs::write(&damaged, b"\x89PNG\r\n\x1a\n and no more").expect("a file");
    for (path, status, reason) in [
        (&other, 1, "expected a photo, found another kind of file"),
        (&damaged, 3, "damaged PNG photo"),
        (&scratch("none.png"), 3, "No such file"),
    ] {
        let output = run(&[path]);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(text(&output.stderr).contains(reason), "{output:?}");
    }
}
