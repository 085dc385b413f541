// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties that say what runs the networks of an element.

use std::time::Duration;

use gst::glib;

use super::properties::When::Ready;
use super::properties::{choice, string, uint, uint64};
use crate::error::Result;
use crate::model::runtime::{Execution, Plugin, Provider, RunOptions};
use crate::model::search_path::SearchPath;

/// Maximum of the property `threads`.
const MAX_THREADS: u32 = 1_024;

/// The values of the property `execution-provider`: what runs the networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionExecutionProvider")]
pub enum ExecutionProvider {
    /// The CPU.
    #[default]
    #[enum_value(name = "CPU", nick = "cpu")]
    Cpu,
    /// NVIDIA's CUDA.
    #[enum_value(name = "NVIDIA CUDA", nick = "cuda")]
    Cuda,
    /// NVIDIA's TensorRT.
    #[enum_value(name = "NVIDIA TensorRT", nick = "tensorrt")]
    TensorRt,
    /// Intel's OpenVINO.
    #[enum_value(name = "Intel OpenVINO", nick = "openvino")]
    OpenVino,
    /// AMD's MIGraphX.
    #[enum_value(name = "AMD MIGraphX", nick = "migraphx")]
    MiGraphX,
    /// XNNPACK, on the CPU.
    #[enum_value(name = "XNNPACK on the CPU", nick = "xnnpack")]
    Xnnpack,
    /// WebGPU, which runs on Vulkan, Direct3D 12 or Metal.
    #[enum_value(name = "WebGPU, on any GPU with a driver for Vulkan, Direct3D 12 or Metal", nick = "webgpu")]
    WebGpu,
}

/// The values of the properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ExecutionSettings {
    pub(super) threads: u32,
    pub(super) provider: ExecutionProvider,
    pub(super) provider_library: Option<String>,
    pub(super) device: Option<String>,
    pub(super) batch_window: u64,
}

impl ExecutionSettings {
    /// How the networks are run. Looks for the provider's library if there is one.
    pub(super) fn execution(&self, search: &SearchPath) -> Result<Execution> {
        let path = match (&self.provider_library, self.provider) {
            (Some(path), _) => Some(path.into()),
            (None, ExecutionProvider::WebGpu) => Some(search.provider_library("webgpu")?),
            (None, _) => None,
        };
        Ok(Execution {
            run: RunOptions { threads: self.threads, provider: self.linked_provider() },
            plugin: path.map(|path| Plugin { path, device: self.device.clone() }),
            batch_window: Duration::from_nanos(self.batch_window),
        })
    }

    /// The provider to use of those that ONNX Runtime was built with.
    fn linked_provider(&self) -> Provider {
        match self.provider {
            ExecutionProvider::Cpu | ExecutionProvider::WebGpu => Provider::Cpu,
            ExecutionProvider::Cuda => Provider::Cuda,
            ExecutionProvider::TensorRt => Provider::TensorRt,
            ExecutionProvider::OpenVino => Provider::OpenVino,
            ExecutionProvider::MiGraphX => Provider::MiGraphX,
            ExecutionProvider::Xnnpack => Provider::Xnnpack,
        }
    }
}

/// The properties of an element whose settings have [`ExecutionSettings`] in a field: `execution_fields!(Settings: FIELD)`.
macro_rules! execution_fields {
    ($settings:ty: $field:ident) => {{
        use $crate::elements::execution;
        use $crate::elements::properties::field;
        [
            field!($settings: execution::threads(), $field.threads),
            field!($settings: execution::provider(), $field.provider),
            field!($settings: execution::library(), $field.provider_library),
            field!($settings: execution::device(), $field.device),
            field!($settings: execution::batch_window(), $field.batch_window),
        ]
    }};
}
pub(super) use execution_fields;

/// The property `threads`.
pub(super) fn threads() -> glib::ParamSpec {
    let blurb = "Threads of the network (0 = one per core, shared by all elements of the process)";
    uint("threads", "Threads", blurb, 0..=MAX_THREADS, 0, Ready)
}

/// The property `execution-provider`.
pub(super) fn provider() -> glib::ParamSpec {
    let blurb = "What runs the network; the ONNX Runtime library must be built with it, but for webgpu, which has a library of its own";
    choice("execution-provider", "Execution provider", blurb, ExecutionProvider::default(), Ready)
}

/// The property `provider-library`.
pub(super) fn library() -> glib::ParamSpec {
    let blurb = "Library of an execution provider that runs the network instead of execution-provider, such as \
        libonnxruntime_providers_webgpu.so; needs ONNX Runtime 1.22 (unset = for webgpu it is searched)";
    string("provider-library", "Provider library", blurb, Ready)
}

/// The property `provider-device`.
pub(super) fn device() -> glib::ParamSpec {
    let blurb = "Device of the provider in a library: a part of its description, such as GPU, NPU or 10de; for webgpu low-power or \
        high-performance (unset = the first GPU)";
    string("provider-device", "Provider device", blurb, Ready)
}

/// The property `batch-window`.
pub(super) fn batch_window() -> glib::ParamSpec {
    let blurb = "Maximum time in nanoseconds that a run of the network waits for other streams of the process, to run on their pictures \
        together (0 = each stream runs alone)";
    uint64("batch-window", "Batch window", blurb, 0, Ready)
}
