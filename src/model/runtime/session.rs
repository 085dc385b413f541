// SPDX-License-Identifier: MIT OR Apache-2.0
//! The process-wide environment, and sessions that share its memory and their weights.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use once_cell::sync::OnceCell;
use ort::AsPointer;
use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::logging::LogLevel;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use sha2::{Digest, Sha256};

use super::provider::RunOptions;
use crate::error::{Error, Result};
use crate::model::search_path::SearchPath;

static ENVIRONMENT: OnceCell<(Environment, PathBuf)> = OnceCell::new();

/// Models as the runtime optimised them, by the digest of their file. Sessions read weights in place, so that these are
/// never dropped.
static OPTIMISED: Mutex<Vec<(Vec<u8>, &'static [u8])>> = Mutex::new(Vec::new());

pub(super) fn environment(search: &SearchPath) -> Result<&'static (Environment, PathBuf)> {
    ENVIRONMENT.get_or_try_init(|| {
        let path = search.runtime_library()?;
        let failed = |message: String| Error::Runtime { path: path.clone(), message };
        // Anything else of `ort` that comes first would load a library of its own choice, or panic.
        let builder = ort::init_from(&path).map_err(|error| failed(error.to_string()))?;
        // Threads that spin between frames would take three times what the networks do, at 30 frames a second.
        let pool = GlobalThreadPoolOptions::default().with_spin_control(false).map_err(|error| failed(error.to_string()))?;
        let builder = builder.with_name("gst-emotion").with_telemetry(false).with_global_thread_pool(pool);
        let environment = builder.build().map_err(|error| failed(error.to_string()))?;
        // Its warnings are about how a file was exported, on standard error; errors come back from the calls as well.
        environment.set_log_level(LogLevel::Error);
        // Where this fails each session has an arena of its own, and everything else is the same.
        let _ = share_arena(&environment);
        Ok((environment, path))
    })
}

/// Gives all sessions that ask for it one arena for intermediate results. CenterFace fills 25 MB with them; an arena of
/// its own would keep those for each stream, though hardly two of them ever need theirs at the same time.
#[allow(unsafe_code)] // `ort` has no call for it.
fn share_arena(environment: &Environment) -> ort::Result<()> {
    let memory = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Arena, MemoryType::Default)?;
    let (environment, usual) = (environment.ptr().cast_mut(), std::ptr::null());
    // SAFETY: the environment and the memory information are alive, null stands for the usual configuration, and the
    // status is used up by the next line alone. The runtime locks its own list of allocators.
    unsafe { ort::Error::result_from_status((ort::api().CreateAndRegisterAllocator)(environment, memory.ptr(), usual)) }
}

/// A session for the model in `bytes`; on the processor it shares what [`OPTIMISED`] holds with others of the same model.
pub(super) fn session(environment: &Environment, bytes: &[u8], options: RunOptions) -> ort::Result<Session> {
    let Some(provider) = options.provider.dispatch() else {
        return match optimised(environment, bytes) {
            Some(shared) => commit(environment, options, |builder| in_place(builder)?.commit_from_memory(shared)),
            None => commit(environment, options, |mut builder| builder.commit_from_memory(bytes)),
        };
    };
    commit(environment, options, |builder| builder.with_execution_providers([provider.clone()])?.commit_from_memory(bytes))
}

/// Makes a session with threads as `options` ask for.
fn commit(environment: &Environment, options: RunOptions, finish: impl Fn(SessionBuilder) -> ort::Result<Session>) -> ort::Result<Session> {
    let builder = || Ok::<_, ort::Error>(Session::builder(environment)?.with_env_allocators()?);
    if options.threads == 0 {
        match finish(builder()?) {
            // Somebody else in this process started the same library, without a pool that could be shared.
            Err(error) if error.message().contains("GlobalThreadPools") => {}
            result => return result,
        }
    }
    let builder = builder()?.with_independent_thread_pool()?.with_intra_op_spinning(false)?;
    finish(builder.with_intra_threads(options.threads as usize)?)
}

/// Has a session read the weights of a model in the runtime's own format where they are, instead of copying them.
fn in_place(builder: SessionBuilder) -> ort::Result<SessionBuilder> {
    let builder = builder.with_optimization_level(GraphOptimizationLevel::Disable)?;
    let builder = builder.with_config_entry("session.use_ort_model_bytes_directly", "1")?;
    Ok(builder.with_config_entry("session.use_ort_model_bytes_for_initializers", "1")?)
}

/// The model in `bytes` as the runtime optimised it for this machine, in the runtime's own format. None where that does
/// not work; why not, loading it in the usual way will tell.
fn optimised(environment: &Environment, bytes: &[u8]) -> Option<&'static [u8]> {
    let digest = Sha256::digest(bytes).to_vec();
    let mut models = OPTIMISED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, model)) = models.iter().find(|(of, _)| *of == digest) {
        return Some(model);
    }
    let folder = std::env::temp_dir().join(format!("gst-emotion-{}-{:p}", std::process::id(), bytes));
    std::fs::create_dir(&folder).ok()?;
    let file = folder.join("model.ort");
    let written = RunOptions { threads: 1, ..Default::default() };
    let saved = commit(environment, written, |builder| {
        let builder = builder.with_config_entry("session.save_model_format", "ORT")?;
        builder.with_optimized_model_path(&file)?.commit_from_memory(bytes)
    });
    let model = saved.ok().and_then(|_| std::fs::read(&file).ok());
    // What cannot be removed is left to whoever cleans the folder for temporary files.
    let _ = std::fs::remove_dir_all(&folder);
    let model: &'static [u8] = model?.leak();
    models.push((digest, model));
    Some(model)
}
