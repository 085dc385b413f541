// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages of the elements on the bus.

use gst::glib;
use gst::prelude::*;

use crate::error::Error;

/// Makes the pipeline query the latency again.
pub(super) fn post_latency(element: &impl IsA<gst::Element>) {
    let _ = element.post_message(gst::message::Latency::builder().src(element.upcast_ref()).build());
}

/// Posts `structure` as an element message.
pub(super) fn post(element: &impl IsA<gst::Element>, structure: gst::Structure) {
    // Fails only while the pipeline shuts down, when nobody reads messages any more.
    let _ = element.post_message(gst::message::Element::builder(structure).src(element.upcast_ref()).build());
}

/// Converts an error of the core to a GStreamer error message. No other place does this.
pub(super) fn error_message(error: &Error) -> gst::ErrorMessage {
    match error {
        Error::NotFound { .. } => message_of(gst::ResourceError::NotFound, error),
        Error::Io { .. } => message_of(gst::ResourceError::OpenRead, error),
        Error::Model { .. } => message_of(gst::ResourceError::Settings, error),
        Error::Runtime { .. } => message_of(gst::LibraryError::Init, error),
        Error::ModelName { .. }
        | Error::ProviderMissing { .. }
        | Error::ProviderFailed { .. }
        | Error::ProviderLibrary { .. }
        | Error::ProviderDevice { .. }
        | Error::Config(_) => message_of(gst::LibraryError::Settings, error),
        Error::Thread { .. } => message_of(gst::CoreError::Thread, error),
        Error::Image { .. } | Error::Buffer(_) => message_of(gst::StreamError::Format, error),
        Error::Inference { .. } => message_of(gst::StreamError::Failed, error),
        _ => message_of(gst::LibraryError::Failed, error),
    }
}

fn message_of(kind: impl gst::MessageErrorDomain, error: &Error) -> gst::ErrorMessage {
    // GStreamer's strings end at a NUL, which names in a model file may contain.
    let without_nul = |text: String| text.replace('\0', " ");
    let (message, details) = (without_nul(error.message()), error.details().map(without_nul));
    gst::ErrorMessage::new(&kind, Some(&message), details.as_deref(), file!(), glib::function_name!(), line!())
}
