// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time of each network for several pictures in one run, and how far its outputs are from those of the CPU.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use emotion_core::error::Result;
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::{Execution, Network, RunOptions};
use emotion_core::model::search_path::SearchPath;
use serde_json::json;

use crate::{Options, cpu_time, percentile};

/// Height and width of the input of a network that takes any: a frame of 16:9 in the default size.
const ANY_SIZE: [usize; 2] = [192, 320];
/// Maximum number of values in an input.
const MAX_VALUES: usize = 12 << 20;

/// Measures all networks.
pub fn measure(options: &Options) -> Result<()> {
    let Some(folder) = &options.models else { return Ok(()) };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = entries.filter(|file| file.extension().is_some_and(|extension| extension == "onnx")).collect();
    files.sort();
    let one_thread = Execution::from(RunOptions { threads: 1, ..RunOptions::default() });
    for file in files {
        for (provider, execution) in [("gpu", options.gpu(0)), ("cpu, 1 thread", one_thread.clone()), ("cpu", Execution::default())] {
            if options.is_over() {
                return Ok(());
            }
            if let Err(error) = measure_one(options, &file, provider, execution) {
                options.write(&json!({ "network": name(&file), "provider": provider, "error": error.to_string() }));
            }
        }
    }
    Ok(())
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn measure_one(options: &Options, file: &Path, provider: &str, execution: Execution) -> Result<()> {
    let (model, search) = (ModelFile::open(file)?, SearchPath::from_env(None));
    let start = Instant::now();
    let (reference, network) = (Network::load(&model, &search, Execution::default())?, Network::load(&model, &search, execution)?);
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let spec = &network.inputs()[0].shape;
    let size: Vec<usize> = spec[2..].iter().zip(ANY_SIZE).map(|(side, any)| side.unwrap_or(any)).collect();
    for &pictures in &options.pictures {
        let shape = [pictures, spec[1].unwrap_or(1), size[0], size[1]];
        if shape.iter().product::<usize>() > MAX_VALUES || options.is_over() {
            break;
        }
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        let first = Instant::now();
        run(&network, shape, &mut found)?;
        let first_ms = first.elapsed().as_secs_f64() * 1e3;
        run(&reference, shape, &mut expected)?;
        let difference = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let (times, cpu_ms) = timed(&network, shape, options.each / 8)?;
        options.write(&json!({
            "network": name(file), "provider": provider, "pictures": pictures, "ms": percentile(&times, 0.5),
            "ms_p95": percentile(&times, 0.95), "cpu_ms": cpu_ms, "runs": times.len(), "max_difference": difference,
            "first_ms": first_ms, "load_ms": load_ms,
        }));
    }
    Ok(())
}

/// Sorted times of some runs in milliseconds, and the CPU time of a run.
fn timed(network: &Network, shape: [usize; 4], length: Duration) -> Result<(Vec<f64>, f64)> {
    let (start, cpu, mut times) = (Instant::now(), cpu_time(), Vec::new());
    while times.len() < 3 || start.elapsed() < length {
        let run_start = Instant::now();
        network.run(shape, |_| (), |outputs| outputs.get(0).map(|_| ()))?;
        times.push(run_start.elapsed().as_secs_f64() * 1e3);
    }
    let cpu_ms = (cpu_time() - cpu).as_secs_f64() * 1e3 / times.len() as f64;
    times.sort_by(f64::total_cmp);
    Ok((times, cpu_ms))
}

/// Runs the network on noise and appends all outputs to `values`.
fn run(network: &Network, shape: [usize; 4], values: &mut Vec<f32>) -> Result<()> {
    let noise = |input: &mut [f32]| {
        let mut state = 1_u32;
        for value in input {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *value = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
        }
    };
    network.run(shape, noise, |outputs| {
        for index in 0..outputs.count() {
            values.extend_from_slice(outputs.get(index)?.1);
        }
        Ok(())
    })?;
    Ok(())
}
