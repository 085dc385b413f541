// SPDX-License-Identifier: MIT OR Apache-2.0
//! The libraries and the processor that a scan runs with.

use emotion_core::model::runtime;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Software {
    pub gstreamer: String,
    /// ONNX Runtime; `None` if no network was loaded.
    pub onnxruntime: Option<Runtime>,
    pub system: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Runtime {
    /// Its version, by the name of the file; `None` if the name has none.
    pub version: Option<String>,
    /// The name of the file.
    pub file: String,
    /// What it says about its build.
    pub build: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Processor {
    /// Its architecture, such as `x86_64`.
    pub architecture: &'static str,
    /// Number of cores that this process may use.
    pub cores: usize,
    /// Instructions that ONNX Runtime chooses its kernels by.
    pub features: Vec<&'static str>,
}

impl Software {
    /// The libraries that this process has loaded.
    pub fn loaded() -> Self {
        let (major, minor, micro, _) = gst::version();
        Self { gstreamer: format!("{major}.{minor}.{micro}"), onnxruntime: Runtime::loaded(), system: system() }
    }
}

impl Runtime {
    fn loaded() -> Option<Self> {
        let library = runtime::library()?;
        let file = library.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Some(Self { version: version(&file), file, build: library.build.to_owned() })
    }
}

/// The version in a name such as `libonnxruntime.so.1.31.1`.
fn version(file: &str) -> Option<String> {
    let (_, version) = file.split_once(".so.")?;
    version.contains('.').then(|| version.to_owned())
}

/// The name that the system gives itself.
fn system() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| std::env::consts::OS.to_owned(), |name| name.trim_matches('"').to_owned())
}

impl Processor {
    pub fn this() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { architecture: std::env::consts::ARCH, cores, features: features() }
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    macro_rules! found {
        ($($name:tt),*) => { [$(($name, is_x86_feature_detected!($name))),*] };
    }
    let found = found!("sse4.1", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512vnni");
    found.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    macro_rules! found {
        ($($name:tt),*) => { [$(($name, std::arch::is_aarch64_feature_detected!($name))),*] };
    }
    let found = found!("neon", "fp16", "dotprod", "i8mm", "bf16", "sve");
    found.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_onnx_runtime_is_in_the_name_of_its_file() {
        assert_eq!(version("libonnxruntime.so.1.31.1").as_deref(), Some("1.31.1"));
        assert_eq!(version("libonnxruntime.so.1"), None, "a link that leads nowhere");
        assert_eq!(version("onnxruntime.so"), None);
    }
}
