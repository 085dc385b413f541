// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a network is run: threads and execution provider.

use std::path::Path;

use ort::ep::{self, ExecutionProvider, ExecutionProviderDispatch};

use crate::error::{Error, Result};

/// How a network is to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Threads of its own; 0 shares the process-wide pool, which has as many as the machine has cores.
    pub threads: u32,
    /// What computes.
    pub provider: Provider,
}

/// What computes a network: an execution provider of ONNX Runtime. Which there are depends on how its library was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// The processor.
    #[default]
    Cpu,
    /// NVIDIA's CUDA.
    Cuda,
    /// NVIDIA's TensorRT.
    TensorRt,
    /// Intel's OpenVINO.
    OpenVino,
    /// AMD's MIGraphX.
    MiGraphX,
    /// XNNPACK, for the processor.
    Xnnpack,
}

impl Provider {
    /// All of them.
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

    /// True if the loaded runtime was built with it.
    fn is_offered(self) -> bool {
        let offered = match self {
            Self::Cpu => Ok(true),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
            Self::MiGraphX => ep::MIGraphX::is_available(),
            Self::Xnnpack => ep::XNNPACK::is_available(),
        };
        offered.unwrap_or(false)
    }

    /// What a session is to register; the processor is always there.
    pub(super) fn dispatch(self) -> Option<ExecutionProviderDispatch> {
        let dispatch = match self {
            Self::Cpu => return None,
            Self::Cuda => ep::CUDA::default().build(),
            Self::TensorRt => ep::TensorRT::default().build(),
            Self::OpenVino => ep::OpenVINO::default().build(),
            Self::MiGraphX => ep::MIGraphX::default().build(),
            Self::Xnnpack => ep::XNNPACK::default().build(),
        };
        Some(dispatch.error_on_failure())
    }
}

pub(super) fn check_provider(provider: Provider, library: &Path) -> Result<()> {
    if provider.is_offered() {
        return Ok(());
    }
    let offered: Vec<_> = Provider::ALL.into_iter().filter(|provider| provider.is_offered()).map(Provider::name).collect();
    let (name, library, offered) = (provider.name(), library.display(), offered.join(", "));
    Err(Error::Config(format!("execution provider {name} is not part of the ONNX Runtime library {library}, which offers {offered}")))
}
