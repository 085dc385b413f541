// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ONNX Runtime environment of the process, and sessions that share weights and memory.

use std::path::PathBuf;

use once_cell::sync::OnceCell;
use ort::AsPointer;
use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::logging::LogLevel;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use parking_lot::Mutex;

use super::plugin::ChosenDevice;
use super::provider::{Execution, RunOptions};
use crate::error::{Error, Result};
use crate::model::search_path::SearchPath;

/// The SHA-256 of a model.
pub(super) type ModelDigest = [u8; 32];

/// The environment, and the path of the library that it was loaded from.
static ENVIRONMENT: OnceCell<(Environment, PathBuf)> = OnceCell::new();

/// Optimised models in ONNX Runtime's own format, by the SHA-256 of the ONNX file. Sessions read the weights in place, so
/// an entry is never freed.
static OPTIMISED: Mutex<Vec<(ModelDigest, &'static [u8])>> = Mutex::new(Vec::new());

/// The environment of the process. The first call loads ONNX Runtime's library.
pub(super) fn environment(search: &SearchPath) -> Result<&'static (Environment, PathBuf)> {
    ENVIRONMENT.get_or_try_init(|| {
        let path = search.runtime_library()?;
        switch_off_telemetry();
        let runtime_error = |message: String| Error::Runtime { path: path.clone(), message };
        // This must be the first call of `ort`: any other one loads a library of its own choice, or panics.
        let builder = ort::init_from(&path).map_err(|error| runtime_error(error.to_string()))?;
        // Idle threads would spin between frames: at 30 frames/s that costs three times the CPU time of the networks.
        let pool = GlobalThreadPoolOptions::default().with_spin_control(false).map_err(|error| runtime_error(error.to_string()))?;
        let builder = builder.with_name("gst-emotion").with_telemetry(false).with_global_thread_pool(pool);
        let environment = builder.build().map_err(|error| runtime_error(error.to_string()))?;
        // Warnings concern the export of a file and go to standard error. Errors are also returned by the calls.
        environment.set_log_level(LogLevel::Error);
        // A failure costs memory only: each session then has an arena of its own.
        let _ = share_arena(&environment);
        Ok((environment, path))
    })
}

/// The library that runs networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Its file, without links: its name ends in the version.
    pub path: PathBuf,
    /// What it says about its build: branch, commit and compiler flags.
    pub build: &'static str,
}

/// The library that the first network has loaded; `None` before that.
pub fn library() -> Option<Library> {
    let (_, path) = ENVIRONMENT.get()?;
    Some(Library { path: path.canonicalize().unwrap_or_else(|_| path.clone()), build: ort::info() })
}

/// Keeps ONNX Runtime from collecting data about models and sessions for its vendor.
///
/// Since version 1.29 the library does so on Linux, too. It begins when the environment is created, writes files to the
/// user's cache and sends them later. `with_telemetry(false)` does not prevent that, but an environment variable does.
///
/// The plugin calls this when it is registered, which most programs do before they start threads. A program that uses networks
/// without the plugin should call it first. Otherwise the first network does.
#[allow(unsafe_code)] // No other way to tell the library.
pub fn switch_off_telemetry() {
    const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";
    if std::env::var_os(VARIABLE).is_some_and(|value| value == "1") {
        return;
    }
    // SAFETY: Rust's own accesses to the environment are synchronised. Those of C code are not, so a thread in C code that
    // reads the environment at this moment could see an array that is being replaced. This happens once in a process, and
    // GStreamer takes the same risk with GLib's `g_setenv` when it scans plugins.
    unsafe { std::env::set_var(VARIABLE, "1") };
}

/// Registers one arena for the intermediate results of all sessions that use the environment's allocators. CenterFace
/// needs 25 MB; with an arena per session each stream would keep that much, although sessions rarely run at the same time.
#[allow(unsafe_code)] // `ort` does not wrap this function.
fn share_arena(environment: &Environment) -> ort::Result<()> {
    let memory = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Arena, MemoryType::Default)?;
    let (environment, default_config) = (environment.ptr().cast_mut(), std::ptr::null());
    // SAFETY: both pointers are valid for the call, and null selects the default arena configuration. The returned status
    // is consumed once, by `result_from_status`. ONNX Runtime locks its list of allocators.
    unsafe { ort::Error::result_from_status((ort::api().CreateAndRegisterAllocator)(environment, memory.ptr(), default_config)) }
}

/// A session for the model in `bytes`, whose SHA-256 is `digest`. On the CPU it shares weights with other sessions of the same
/// model. `device` is that of `execution`'s plugin.
pub(super) fn session(
    environment: &Environment,
    bytes: &[u8],
    digest: &ModelDigest,
    execution: &Execution,
    device: Option<ChosenDevice>,
) -> ort::Result<Session> {
    let options = execution.run;
    if let Some(device) = device {
        let _exclusive = device.exclusive().map(Mutex::lock);
        // No allocators of the environment: they belong to a device that the provider may replace.
        let builder = device.append(environment, Session::builder(environment)?)?;
        return builder.with_independent_thread_pool()?.with_intra_threads(options.threads.max(1) as usize)?.commit_from_memory(bytes);
    }
    let Some(provider) = options.provider.dispatch() else {
        return match optimised(environment, bytes, digest) {
            Some(shared) => commit(environment, options, |builder| in_place(builder)?.commit_from_memory(shared)),
            None => commit(environment, options, |mut builder| builder.commit_from_memory(bytes)),
        };
    };
    commit(environment, options, |builder| builder.with_execution_providers([provider.clone()])?.commit_from_memory(bytes))
}

/// Creates a session with the threads that `options` asks for.
fn commit(environment: &Environment, options: RunOptions, finish: impl Fn(SessionBuilder) -> ort::Result<Session>) -> ort::Result<Session> {
    let builder = || Ok::<_, ort::Error>(Session::builder(environment)?.with_env_allocators()?);
    if options.threads == 0 {
        match finish(builder()?) {
            // Other code in this process created the environment first, without a shared pool. Use a pool per session.
            Err(error) if error.message().contains("GlobalThreadPools") => {}
            result => return result,
        }
    }
    let builder = builder()?.with_independent_thread_pool()?.with_intra_op_spinning(false)?;
    finish(builder.with_intra_threads(options.threads as usize)?)
}

/// Lets a session read the weights of a model in ONNX Runtime's own format in place, instead of copying them.
fn in_place(builder: SessionBuilder) -> ort::Result<SessionBuilder> {
    // The file was optimised when it was written.
    let builder = builder.with_optimization_level(GraphOptimizationLevel::Disable)?;
    let builder = builder.with_config_entry("session.use_ort_model_bytes_directly", "1")?;
    Ok(builder.with_config_entry("session.use_ort_model_bytes_for_initializers", "1")?)
}

/// The model in `bytes`, optimised for this machine, in ONNX Runtime's own format. `None` if that fails; the caller then
/// loads the model in the usual way, which also reports what is wrong with it.
fn optimised(environment: &Environment, bytes: &[u8], digest: &ModelDigest) -> Option<&'static [u8]> {
    let mut models = OPTIMISED.lock();
    if let Some((_, model)) = models.iter().find(|(known, _)| known == digest) {
        return Some(model);
    }
    // ONNX Runtime writes an optimised model to a file only. The address makes the name unique within the process.
    let folder = std::env::temp_dir().join(format!("gst-emotion-{}-{:p}", std::process::id(), bytes));
    std::fs::create_dir(&folder).ok()?;
    let file = folder.join("model.ort");
    let one_thread = RunOptions { threads: 1, ..Default::default() };
    let saved = commit(environment, one_thread, |builder| {
        let builder = builder.with_config_entry("session.save_model_format", "ORT")?;
        builder.with_optimized_model_path(&file)?.commit_from_memory(bytes)
    });
    let model = saved.ok().and_then(|_| std::fs::read(&file).ok());
    // A folder that cannot be removed is harmless: it lies among the system's temporary files.
    let _ = std::fs::remove_dir_all(&folder);
    let model: &'static [u8] = model?.leak();
    models.push((*digest, model));
    Some(model)
}
