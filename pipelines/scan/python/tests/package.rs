// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs `test_package.py` with the package as it would be installed: the Python files and the module beside them.

#[path = "../../../../tests/support/average_faces.rs"]
#[allow(missing_docs, dead_code)]
mod average_faces;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use average_faces::{Key, Scene};

#[test]
fn the_package_finds_faces_in_files_and_arrays() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let python = target.join("scan/readers/bin/python");
    if !Command::new(&python).args(["-c", "import numpy, pyarrow"]).output().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "no pyarrow for {}; make test installs it", python.display());
        eprintln!("left out: no pyarrow; make test installs it");
        return;
    }
    let folder = Folder(std::env::temp_dir().join(format!("emotion-python-{}", std::process::id())));
    install(&folder.0.join("site/emotion"));
    let pictures = folder.0.join("pictures");
    fs::create_dir_all(&pictures).unwrap();
    fs::write(pictures.join("photo.ppm"), [b"P6\n320 240\n255\n".to_vec(), scene().render(0.0)].concat()).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/test_package.py");
    let run = Command::new(python).arg(tests).arg("--verbose").arg(&pictures).env("PYTHONPATH", folder.0.join("site")).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Copies the package and the module that cargo has built for this test.
fn install(site: &Path) {
    fs::create_dir_all(site).unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("emotion");
    for entry in fs::read_dir(package).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), site.join(entry.file_name())).unwrap();
    }
    let module = std::env::current_exe().unwrap().with_file_name("libemotion_python.so");
    fs::copy(module, site.join("_emotion.abi3.so")).unwrap();
}

/// A smiling face on the left and a neutral one on the right.
fn scene() -> Scene {
    let still = |x, expression| vec![Key::new(0.0, (x, 110.0), 120.0, expression), Key::new(100.0, (x, 110.0), 120.0, expression)];
    Scene::new(320, 240).actor(still(95.0, "happiness")).actor(still(235.0, "neutral"))
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
