// SPDX-License-Identifier: MIT OR Apache-2.0
//! The GStreamer elements and what they share.

pub mod analyser;
mod detector_watch;
pub mod emotionclassify;
pub mod emotionexport;
pub mod emotionoverlay;
pub mod engine;
pub mod facedetect;
pub mod frame;
mod layout;
mod picture_changes;
pub mod stats;
pub mod stream;

use std::path::PathBuf;
use std::sync::OnceLock;

use gst::glib;
use gst::prelude::*;

use crate::error::Error;
use crate::model::runtime::Provider;
use crate::scores::{FERPLUS_LABELS, UNKNOWN};

/// Registers every element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let folder = plugin.filename().and_then(|file| file.parent().map(PathBuf::from));
    PLUGIN_FOLDER.get_or_init(|| folder);
    crate::meta::custom::register();
    crate::meta::intern(FERPLUS_LABELS.iter().chain([&UNKNOWN]));
    facedetect::register(plugin)?;
    emotionclassify::register(plugin)?;
    emotionoverlay::register(plugin)?;
    emotionexport::register(plugin)
}

static PLUGIN_FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();

/// The folder of the plugin's library; none where the elements are linked into the program.
pub fn plugin_folder() -> Option<PathBuf> {
    PLUGIN_FOLDER.get().cloned().flatten()
}

/// Largest value of the property `threads`.
const MAX_THREADS: u32 = 1_024;

/// The value of a property; GObject has checked its type against the property's.
fn given<'a, T: glib::value::FromValue<'a>>(value: &'a glib::Value) -> T {
    value.get().unwrap_or_else(|_| unreachable!("GObject checks the type of a property"))
}

/// When an element posts what it found as a message on the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionPostMessages")]
pub enum PostMessages {
    /// Never.
    #[default]
    #[enum_value(name = "Post no messages", nick = "none")]
    None,
    /// When it differs from the last message.
    #[enum_value(name = "Post a message when the result changes", nick = "on-change")]
    OnChange,
    /// For every frame.
    #[enum_value(name = "Post a message for every frame", nick = "every")]
    Every,
}

/// What computes the networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionExecutionProvider")]
pub enum ExecutionProvider {
    /// The processor.
    #[default]
    #[enum_value(name = "Processor", nick = "cpu")]
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
    /// XNNPACK.
    #[enum_value(name = "XNNPACK on the processor", nick = "xnnpack")]
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

/// The property `execution-provider`.
fn provider_param_spec() -> glib::ParamSpec {
    glib::ParamSpecEnum::builder_with_default("execution-provider", ExecutionProvider::default())
        .nick("Execution provider")
        .blurb("What computes the network, as far as the ONNX Runtime library that is found was built with it")
        .mutable_ready()
        .build()
}

/// The property `async`.
fn async_param_spec() -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder("async")
        .nick("Asynchronous")
        .blurb("Infer on a thread of its own: the stream is never held, results are put on later frames and say how old they are")
        .mutable_ready()
        .build()
}

/// Has the pipeline ask for latencies anew.
fn post_latency(element: &impl IsA<gst::Element>) {
    let _ = element.post_message(gst::message::Latency::builder().src(element.upcast_ref()).build());
}

/// Posts `structure` as an element message.
fn post(element: &impl IsA<gst::Element>, structure: gst::Structure) {
    // The bus refuses messages only while the pipeline is shut down, when nobody reads them.
    let _ = element.post_message(gst::message::Element::builder(structure).src(element.upcast_ref()).build());
}

/// The GStreamer error that tells an application what went wrong; the one map from the core's errors.
pub fn error_message(error: &Error) -> gst::ErrorMessage {
    // A message to GStreamer ends with a NUL; names in a model file may have one in the middle.
    let text = error.to_string().replace('\0', " ");
    match error {
        Error::NotFound { .. } => gst::error_msg!(gst::ResourceError::NotFound, ["{text}"]),
        Error::Io { .. } => gst::error_msg!(gst::ResourceError::OpenRead, ["{text}"]),
        Error::Model { .. } => gst::error_msg!(gst::ResourceError::Settings, ["{text}"]),
        Error::Runtime { .. } => gst::error_msg!(gst::LibraryError::Init, ["{text}"]),
        Error::Config(_) => gst::error_msg!(gst::LibraryError::Settings, ["{text}"]),
        Error::Image { .. } => gst::error_msg!(gst::StreamError::Format, ["{text}"]),
        Error::Inference { .. } => gst::error_msg!(gst::StreamError::Failed, ["{text}"]),
    }
}

/// Answers an ALLOCATION query of an element that hands buffers on as they are: downstream's pools and overlay
/// compositions, and `GstVideoMeta`, since any stride will do. Other metadata that downstream takes is not offered, as
/// these elements would not heed it: a `GstVideoCropMeta` would change what the picture is.
pub fn propose_allocation(src_pad: &gst::Pad, query: &mut gst::query::Allocation) {
    // What downstream does not answer it does not offer; the upstream element then allocates for itself.
    let _ = src_pad.peer_query(query);
    let heeded = [gst_video::VideoMeta::meta_api(), gst_video::VideoOverlayCompositionMeta::meta_api()];
    let offered: Vec<_> = query.allocation_metas().map(|(api, _)| api).collect();
    // From the last, since each removal moves those behind it.
    for (index, api) in offered.iter().enumerate().rev() {
        if !heeded.contains(api) {
            query.remove_nth_allocation_meta(index as u32);
        }
    }
    if query.find_allocation_meta::<gst_video::VideoMeta>().is_none() {
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
    }
}
