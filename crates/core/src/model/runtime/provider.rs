// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a network is run: threads and execution provider.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ort::ep::{self, ExecutionProvider, ExecutionProviderDispatch};

use crate::error::{Error, Result};

/// How a network is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Number of threads for this network alone; 0 uses the pool of the process, which has one thread per core.
    pub threads: u32,
    /// The execution provider.
    pub provider: Provider,
}

/// How a network is run, with what only some users choose. Where this is taken, [`RunOptions`] are enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// Threads, and the provider unless `plugin` replaces it.
    pub run: RunOptions,
    /// A provider in a library of its own.
    pub plugin: Option<Plugin>,
    /// Maximum time that the pictures of a stream wait for those of other streams of the process, to be one run together; zero if
    /// each stream runs alone.
    pub batch_window: Duration,
}

impl From<RunOptions> for Execution {
    fn from(run: RunOptions) -> Self {
        Self { run, ..Self::default() }
    }
}

impl Execution {
    /// True if ONNX Runtime's own kernels for the CPU run the network.
    pub fn is_on_cpu(&self) -> bool {
        self.plugin.is_none() && self.run.provider == Provider::Cpu
    }
}

/// An execution provider in a library of its own, which ONNX Runtime loads from version 1.22 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Path of the library.
    pub path: PathBuf,
    /// A part of the description of the device to use, such as `GPU` or `10de`; for WebGPU also `low-power` or `high-performance`.
    /// `None` for the first GPU, or the first device if there is no GPU.
    pub device: Option<String>,
}

/// An execution provider of ONNX Runtime. The loaded library determines which ones are available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// ONNX Runtime's own CPU kernels.
    #[default]
    Cpu,
    /// NVIDIA CUDA.
    Cuda,
    /// NVIDIA TensorRT.
    TensorRt,
    /// Intel OpenVINO.
    OpenVino,
    /// AMD MIGraphX.
    MiGraphX,
    /// XNNPACK, on the CPU.
    Xnnpack,
}

impl Provider {
    /// All providers.
    pub const ALL: [Self; 6] = [Self::Cpu, Self::Cuda, Self::TensorRt, Self::OpenVino, Self::MiGraphX, Self::Xnnpack];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
            Self::MiGraphX => "migraphx",
            Self::Xnnpack => "xnnpack",
        }
    }

    /// True if the loaded library was built with this provider.
    fn is_available(self) -> bool {
        let available = match self {
            Self::Cpu => Ok(true),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
            Self::MiGraphX => ep::MIGraphX::is_available(),
            Self::Xnnpack => ep::XNNPACK::is_available(),
        };
        available.unwrap_or(false)
    }

    /// What a session registers for this provider; `None` for the CPU, which every session has.
    pub(super) fn dispatch(self) -> Option<ExecutionProviderDispatch> {
        let dispatch = match self {
            Self::Cpu => return None,
            Self::Cuda => ep::CUDA::default().build(),
            Self::TensorRt => ep::TensorRT::default().build(),
            Self::OpenVino => ep::OpenVINO::default().build(),
            Self::MiGraphX => ep::MIGraphX::default().build(),
            Self::Xnnpack => ep::XNNPACK::default().build(),
        };
        // Without this, `ort` logs the failure and the session silently runs on the CPU.
        Some(dispatch.error_on_failure())
    }
}

/// Returns an error that lists the available providers if `provider` is not part of the loaded `library`.
pub(super) fn check_provider(provider: Provider, library: &Path) -> Result<()> {
    if provider.is_available() {
        return Ok(());
    }
    let available = Provider::ALL.into_iter().filter(|provider| provider.is_available()).map(Provider::name).collect();
    Err(Error::ProviderMissing { provider: provider.name(), library: library.into(), available })
}
