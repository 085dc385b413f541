// SPDX-License-Identifier: MIT OR Apache-2.0
//! The GStreamer elements, each in a folder, and what several of them need.
//!
//! As in the crate, a module uses only those above it.

// Properties, messages, and where models are.
mod plugin_folder;
pub mod properties;
pub mod execution;
mod bus;
// Frames, what is upstream, streams and the networks that run on their frames, networks on each face.
pub mod frame;
pub mod upstream;
pub mod analyser;
pub mod face_network;
// The elements.
pub mod facedetect;
pub mod facelandmarks;
pub mod emotionclassify;
pub mod emotionoverlay;
pub mod emotionexport;
#[cfg(feature = "publish")]
pub mod emotionpublish;
#[cfg(feature = "v1_28")]
pub mod tensordecoders;

use gst::glib;

use crate::model::runtime::switch_off_telemetry;
use crate::record::UnknownReason;
use crate::scores::{FERPLUS_LABELS, UNKNOWN};

/// Registers every element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    plugin_folder::keep(plugin);
    switch_off_telemetry();
    crate::meta::custom::register();
    crate::meta::intern(FERPLUS_LABELS.into_iter().chain([UNKNOWN]).chain(UnknownReason::ALL.map(UnknownReason::as_str)));
    facedetect::register(plugin)?;
    facelandmarks::register(plugin)?;
    emotionclassify::register(plugin)?;
    emotionoverlay::register(plugin)?;
    #[cfg(feature = "v1_28")]
    tensordecoders::register(plugin)?;
    #[cfg(feature = "publish")]
    emotionpublish::register(plugin)?;
    emotionexport::register(plugin)
}
