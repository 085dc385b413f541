// SPDX-License-Identifier: MIT OR Apache-2.0
//! Child processes that load the built library as users do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder of its own with a plugin folder that holds our library and nothing else, and a registry for GStreamer.
pub struct Stage {
    folder: PathBuf,
}

impl Stage {
    /// `name` is that of the test, to tell the folders apart.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("plugins")).expect("a folder for the test");
        // Cargo leaves the library beside the test's own executable.
        let library = std::env::current_exe().expect("the test's path").with_file_name("libgstemotion.so");
        std::fs::copy(&library, folder.join("plugins/libgstemotion.so")).unwrap_or_else(|error| panic!("{}: {error}", library.display()));
        Self { folder }
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `program` with the environment that makes it find our library, run in the folder.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("GST_REGISTRY", self.path("registry.bin"));
        command.env("GST_PLUGIN_PATH", self.path("plugins")).env("PLUGINS", self.path("plugins"));
        command
    }

    /// Runs a pipeline to its end, which must be a good one.
    pub fn launch(&self, arguments: &[&str]) {
        let output = run(self.command("gst-launch-1.0").arg("-q").args(arguments));
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What a failed test left may be looked at.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Runs a command to its end, which must come within two minutes.
pub fn run(command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let id = child.id().to_string();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let started = Instant::now();
    match receiver.recv_timeout(Duration::from_secs(120)) {
        Ok(output) => output.expect("the child's output"),
        Err(_) => {
            let _ = Command::new("kill").arg(&id).status();
            panic!("{command:?} did not end within {:?}", started.elapsed());
        }
    }
}
