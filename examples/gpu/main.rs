// SPDX-License-Identifier: MIT OR Apache-2.0
//! From where on a GPU pays: the time of each network for 1 to 256 pictures, and of 1 to 64 streams that are searched and whose faces
//! are analysed, on the CPU, on the GPU, and on both. Without GStreamer, so that it runs on a bare machine:
//!
//! ```text
//! cargo build --release --package emotion-tests --no-default-features --example gpu
//! gpu library=libonnxruntime_providers_webgpu.so out=results.ndjson streams=1,4,16,64 faces=1,10 each=2 seconds=420
//! ```
//! `models=FOLDER` has the ONNX files whose networks are timed. A result is a line of JSON, written when it is measured. `seconds`
//! limits the whole.

mod networks;
mod picture;
mod streams;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use emotion_core::model::runtime::{Execution, Plugin};
use rustix::time::{ClockId, clock_gettime};

/// What to measure.
pub struct Options {
    provider_library: PathBuf,
    models: Option<PathBuf>,
    streams: Vec<usize>,
    faces: Vec<usize>,
    /// Numbers of pictures for each network.
    pictures: Vec<usize>,
    /// Time for each measurement.
    each: Duration,
    end: Instant,
    out: File,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            provider_library: "libonnxruntime_providers_webgpu.so".into(),
            models: None,
            streams: vec![1, 4, 16, 64, 2, 8, 32],
            faces: vec![10, 1],
            pictures: vec![1, 2, 4, 8, 16, 32, 64, 128, 256],
            each: Duration::from_secs(2),
            end: Instant::now() + Duration::from_secs(420),
            out: File::options().append(true).open("/dev/null").map_err(|error| error.to_string())?,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').ok_or_else(|| format!("expected NAME=VALUE, found {argument}"))?;
            let numbers = || -> Result<Vec<usize>, String> {
                value.split(',').map(|number| number.parse().map_err(|error| format!("{argument}: {error}"))).collect()
            };
            let seconds = || value.parse().map(Duration::from_secs_f64).map_err(|error| format!("{argument}: {error}"));
            match name {
                "library" => options.provider_library = value.into(),
                "models" => options.models = Some(value.into()),
                "streams" => options.streams = numbers()?,
                "faces" => options.faces = numbers()?,
                "pictures" => options.pictures = numbers()?,
                "each" => options.each = seconds()?,
                "seconds" => options.end = Instant::now() + seconds()?,
                "out" => options.out = File::create(value).map_err(|error| format!("{value}: {error}"))?,
                _ => return Err(format!("unknown option {name}")),
            }
        }
        Ok(options)
    }

    /// On the GPU, with a window in milliseconds in which streams are joined.
    fn gpu(&self, window_ms: u64) -> Execution {
        let plugin = Some(Plugin { path: self.provider_library.clone(), device: None });
        Execution { plugin, batch_window: Duration::from_millis(window_ms), ..Execution::default() }
    }

    fn is_over(&self) -> bool {
        Instant::now() > self.end
    }

    /// Writes a result.
    fn write(&self, line: &serde_json::Value) {
        println!("{line}");
        let written = writeln!(&self.out, "{line}").and_then(|()| self.out.sync_data());
        // The result is on standard output, too.
        let _ = written;
    }
}

fn main() {
    let options = Options::parse(std::env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("gpu: {error}");
        std::process::exit(2)
    });
    let measured = networks::measure(&options).and_then(|()| streams::measure(&options));
    if let Err(error) = measured {
        eprintln!("gpu: {error}");
        std::process::exit(1);
    }
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("a clock that counts up")
}

/// A percentile of sorted times in milliseconds.
fn percentile(sorted_ms: &[f64], share: f64) -> f64 {
    let index = ((sorted_ms.len() as f64 * share) as usize).min(sorted_ms.len().saturating_sub(1));
    sorted_ms.get(index).map_or(f64::NAN, |ms| (ms * 1e3).round() / 1e3)
}
