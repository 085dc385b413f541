// SPDX-License-Identifier: MIT OR Apache-2.0
//! The GStreamer elements and what they share.

pub mod emotionoverlay;
pub mod frame;

use std::path::PathBuf;
use std::sync::OnceLock;

use gst::prelude::*;

use crate::error::Error;

/// Registers every element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    let folder = plugin.filename().and_then(|file| file.parent().map(PathBuf::from));
    PLUGIN_FOLDER.get_or_init(|| folder);
    crate::meta::custom::register();
    emotionoverlay::register(plugin)?;
    Ok(())
}

static PLUGIN_FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();

/// The folder of the plugin's library; none where the elements are linked into the program.
pub fn plugin_folder() -> Option<PathBuf> {
    PLUGIN_FOLDER.get().cloned().flatten()
}

/// The GStreamer error that tells an application what went wrong; the one map from the core's errors.
pub fn error_message(error: &Error) -> gst::ErrorMessage {
    match error {
        Error::NotFound { .. } => gst::error_msg!(gst::ResourceError::NotFound, ["{error}"]),
        Error::Io { .. } => gst::error_msg!(gst::ResourceError::OpenRead, ["{error}"]),
        Error::Model { .. } => gst::error_msg!(gst::ResourceError::Settings, ["{error}"]),
        Error::Runtime { .. } => gst::error_msg!(gst::LibraryError::Init, ["{error}"]),
        Error::Config(_) => gst::error_msg!(gst::LibraryError::Settings, ["{error}"]),
        Error::Image { .. } => gst::error_msg!(gst::StreamError::Format, ["{error}"]),
        Error::Inference { .. } => gst::error_msg!(gst::StreamError::Failed, ["{error}"]),
    }
}

/// Answers an ALLOCATION query of an element that hands buffers on as they are: what downstream offers (its pool, its
/// overlay compositions) and `GstVideoMeta`, since any stride will do.
pub fn propose_allocation(src_pad: &gst::Pad, query: &mut gst::query::Allocation) {
    // What downstream does not answer it does not offer; the upstream element then allocates for itself.
    let _ = src_pad.peer_query(query);
    if query.find_allocation_meta::<gst_video::VideoMeta>().is_none() {
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
    }
}
