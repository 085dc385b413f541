// SPDX-License-Identifier: MIT OR Apache-2.0
//! The GStreamer elements, and code that several of them use.

pub mod analyser;
mod detector_watch;
pub mod emotionclassify;
pub mod emotionexport;
pub mod emotionoverlay;
#[cfg(feature = "publish")]
pub mod emotionpublish;
pub mod engine;
pub mod facedetect;
pub mod frame;
mod layout;
pub mod picture_changes;
pub mod statistics;
pub mod stream;
#[cfg(feature = "v1_28")]
pub mod tensordecoders;

use std::path::PathBuf;
use std::sync::OnceLock;

use gst::glib;
use gst::prelude::*;

use crate::error::Error;
use crate::model::runtime::{Provider, switch_off_telemetry};
use crate::record::UnknownReason;
use crate::scores::{FERPLUS_LABELS, UNKNOWN};

/// Registers every element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let folder = plugin.filename().and_then(|file| file.parent().map(PathBuf::from));
    PLUGIN_FOLDER.get_or_init(|| folder);
    switch_off_telemetry();
    crate::meta::custom::register();
    crate::meta::intern(FERPLUS_LABELS.into_iter().chain([UNKNOWN]).chain(UnknownReason::ALL.map(UnknownReason::as_str)));
    facedetect::register(plugin)?;
    emotionclassify::register(plugin)?;
    emotionoverlay::register(plugin)?;
    #[cfg(feature = "v1_28")]
    tensordecoders::register(plugin)?;
    #[cfg(feature = "publish")]
    emotionpublish::register(plugin)?;
    emotionexport::register(plugin)
}

static PLUGIN_FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();

/// The folder of the plugin's library; none if the elements are linked into the program.
pub fn plugin_folder() -> Option<PathBuf> {
    PLUGIN_FOLDER.get().cloned().flatten()
}

/// Maximum of the property `threads`.
const MAX_THREADS: u32 = 1_024;

/// Extracts the value of a property.
fn extract<'a, T: glib::value::FromValue<'a>>(value: &'a glib::Value) -> T {
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

/// The property `threads`.
fn threads_param_spec() -> glib::ParamSpec {
    glib::ParamSpecUInt::builder("threads")
        .nick("Threads")
        .blurb("Threads of the network (0 = one per core, shared by all elements of the process)")
        .maximum(MAX_THREADS)
        .default_value(0)
        .mutable_ready()
        .build()
}

/// The property `execution-provider`.
fn provider_param_spec() -> glib::ParamSpec {
    glib::ParamSpecEnum::builder_with_default("execution-provider", ExecutionProvider::default())
        .nick("Execution provider")
        .blurb("What runs the network; the ONNX Runtime library must be built with it")
        .mutable_ready()
        .build()
}

/// The property `async`.
fn async_param_spec() -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder("async")
        .nick("Asynchronous")
        .blurb("Run the network on a worker thread: frames never wait, and results are attached to later frames with their age")
        .mutable_ready()
        .build()
}

fn motion_gate_param_spec(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder("motion-gate").nick("Motion gate").blurb(blurb).default_value(true).mutable_playing().build()
}

fn model_name_param_spec() -> glib::ParamSpec {
    glib::ParamSpecString::builder("model-name")
        .nick("Model name")
        .blurb("Name of the loaded model (unset unless the element is started)")
        .read_only()
        .build()
}

fn model_sha256_param_spec() -> glib::ParamSpec {
    glib::ParamSpecString::builder("model-sha256")
        .nick("Model's SHA-256")
        .blurb("SHA-256 of the loaded model's file, then of a refiner's that belongs to it (unset unless the element is started)")
        .read_only()
        .build()
}

/// Default of the property `idle-interval`.
const IDLE_INTERVAL: gst::ClockTime = gst::ClockTime::SECOND;

fn idle_interval_param_spec(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder("idle-interval")
        .nick("Idle interval")
        .blurb(blurb)
        .default_value(IDLE_INTERVAL.nseconds())
        .mutable_playing()
        .build()
}

/// Makes the pipeline query the latency again.
fn post_latency(element: &impl IsA<gst::Element>) {
    let _ = element.post_message(gst::message::Latency::builder().src(element.upcast_ref()).build());
}

/// Posts `structure` as an element message.
fn post(element: &impl IsA<gst::Element>, structure: gst::Structure) {
    // Fails only while the pipeline shuts down, when nobody reads messages any more.
    let _ = element.post_message(gst::message::Element::builder(structure).src(element.upcast_ref()).build());
}

/// Converts an error of the core to a GStreamer error message. No other place does this.
pub fn error_message(error: &Error) -> gst::ErrorMessage {
    match error {
        Error::NotFound { .. } => message_of(gst::ResourceError::NotFound, error),
        Error::Io { .. } => message_of(gst::ResourceError::OpenRead, error),
        Error::Model { .. } => message_of(gst::ResourceError::Settings, error),
        Error::Runtime { .. } => message_of(gst::LibraryError::Init, error),
        Error::Config(_) => message_of(gst::LibraryError::Settings, error),
        Error::Image { .. } => message_of(gst::StreamError::Format, error),
        Error::Inference { .. } => message_of(gst::StreamError::Failed, error),
    }
}

fn message_of(kind: impl gst::MessageErrorDomain, error: &Error) -> gst::ErrorMessage {
    // GStreamer's strings end at a NUL, which names in a model file may contain.
    let without_nul = |text: String| text.replace('\0', " ");
    let (message, details) = (without_nul(error.message()), error.details().map(without_nul));
    gst::ErrorMessage::new(&kind, Some(&message), details.as_deref(), file!(), glib::function_name!(), line!())
}

/// Answers an ALLOCATION query to an in-place element. Downstream's pools are offered to upstream, and two kinds of
/// metadata: overlay compositions if downstream supports them, and `GstVideoMeta`, since the elements handle any stride.
/// Other kinds are removed, because the elements would ignore them: a `GstVideoCropMeta`, for example, changes which part
/// of the pixels is the picture.
pub fn propose_allocation(src_pad: &gst::Pad, query: &mut gst::query::Allocation) {
    // If downstream does not answer, nothing is offered, and upstream allocates its own buffers.
    let _ = src_pad.peer_query(query);
    let supported = [gst_video::VideoMeta::meta_api(), gst_video::VideoOverlayCompositionMeta::meta_api()];
    let offered: Vec<_> = query.allocation_metas().map(|(api, _)| api).collect();
    // From the last to the first, since a removal shifts the indices after it.
    for (index, api) in offered.iter().enumerate().rev() {
        if !supported.contains(api) {
            query.remove_nth_allocation_meta(index as u32);
        }
    }
    if query.find_allocation_meta::<gst_video::VideoMeta>().is_none() {
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
    }
}
