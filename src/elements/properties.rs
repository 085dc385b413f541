// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties that several elements have, and how values are read.

use gst::glib;
use gst::prelude::*;

use crate::model::runtime::Provider;

/// The value of a property.
pub(super) fn extract<'a, T: glib::value::FromValue<'a>>(value: &'a glib::Value) -> T {
    value.get().unwrap_or_else(|_| unreachable!("GObject checks the type before it sets a property"))
}

/// The values of the property `post-messages`: when an element posts its results on the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionPostMessages")]
pub enum PostMessages {
    /// Never.
    #[default]
    #[enum_value(name = "Post no messages", nick = "none")]
    None,
    /// When the result differs from the last message.
    #[enum_value(name = "Post a message when the result changes", nick = "on-change")]
    OnChange,
    /// For every frame.
    #[enum_value(name = "Post a message for every frame", nick = "every")]
    Every,
}

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
}

impl From<ExecutionProvider> for Provider {
    fn from(value: ExecutionProvider) -> Self {
        match value {
            ExecutionProvider::Cpu => Self::Cpu,
            ExecutionProvider::Cuda => Self::Cuda,
            ExecutionProvider::TensorRt => Self::TensorRt,
            ExecutionProvider::OpenVino => Self::OpenVino,
            ExecutionProvider::MiGraphX => Self::MiGraphX,
            ExecutionProvider::Xnnpack => Self::Xnnpack,
        }
    }
}

/// Maximum of the property `threads`.
const MAX_THREADS: u32 = 1_024;

/// The property `threads`.
pub(super) fn threads() -> glib::ParamSpec {
    glib::ParamSpecUInt::builder("threads")
        .nick("Threads")
        .blurb("Threads of the network (0 = one per core, shared by all elements of the process)")
        .maximum(MAX_THREADS)
        .default_value(0)
        .mutable_ready()
        .build()
}

/// The property `execution-provider`.
pub(super) fn execution_provider() -> glib::ParamSpec {
    glib::ParamSpecEnum::builder_with_default("execution-provider", ExecutionProvider::default())
        .nick("Execution provider")
        .blurb("What runs the network; the ONNX Runtime library must be built with it")
        .mutable_ready()
        .build()
}

/// The property `async`.
pub(super) fn asynchronous() -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder("async")
        .nick("Asynchronous")
        .blurb("Run the network on a worker thread: frames never wait, and results are attached to later frames with their age")
        .mutable_ready()
        .build()
}

/// The property `motion-gate`, with what it does in the element.
pub(super) fn motion_gate(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder("motion-gate").nick("Motion gate").blurb(blurb).default_value(true).mutable_playing().build()
}

/// The property `model-name`.
pub(super) fn model_name() -> glib::ParamSpec {
    glib::ParamSpecString::builder("model-name")
        .nick("Model name")
        .blurb("Name of the loaded model (unset unless the element is started)")
        .read_only()
        .build()
}

/// The property `model-sha256`.
pub(super) fn model_sha256() -> glib::ParamSpec {
    glib::ParamSpecString::builder("model-sha256")
        .nick("Model's SHA-256")
        .blurb("SHA-256 of the loaded model's file, then of a refiner's that belongs to it (unset unless the element is started)")
        .read_only()
        .build()
}

/// The property `model-description-sha256`.
pub(super) fn model_description_sha256() -> glib::ParamSpec {
    glib::ParamSpecString::builder("model-description-sha256")
        .nick("SHA-256 of the model's description")
        .blurb("SHA-256 of the loaded model's model.toml, then of a refiner's that belongs to it (unset unless the element is started)")
        .read_only()
        .build()
}

/// Default of the property `idle-interval`.
pub(super) const IDLE_INTERVAL: gst::ClockTime = gst::ClockTime::SECOND;

/// The property `idle-interval`, with what it limits in the element.
pub(super) fn idle_interval(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder("idle-interval")
        .nick("Idle interval")
        .blurb(blurb)
        .default_value(IDLE_INTERVAL.nseconds())
        .mutable_playing()
        .build()
}
