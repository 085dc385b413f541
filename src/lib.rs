// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in video and scores their apparent expression, as a GStreamer plugin and as a library.
//!
//! ```text
//! frame → FrameView → tensor → detections → tracks → crops → landmarks, scores → FaceRecord → metadata → overlay, export
//!         image       image    detector     track    crops   landmarker        record       meta       draw, export
//!                                                            expression
//! ```
//!
//! The modules below are in this order, and each uses only those above it. All except [`meta`] and [`elements`] are the core:
//! they do not use GStreamer and build without it (`--no-default-features --features onnx`). Only [`meta`] contains names of
//! metadata. The elements are thin: they map buffers, call the core, and write the results. `docs/architecture.md`
//! describes each stage and where to add code.

// Values that all stages use.
pub mod geometry;
pub mod error;
pub mod ids;
pub mod scores;
pub mod face_geometry;
pub mod record;
pub mod statistics;
pub mod worker;
mod platform;

// The stages, in the order in which a frame passes through them.
pub mod image;
pub mod model;
pub mod detector;
pub mod track;
pub mod crops;
#[cfg(feature = "onnx")]
pub mod landmarker;
pub mod expression;
#[cfg(feature = "draw")]
pub mod draw;
pub mod export;

// The only modules that use GStreamer.
#[cfg(feature = "plugin")]
pub mod meta;
#[cfg(feature = "plugin")]
pub mod elements;

#[cfg(feature = "plugin")]
#[allow(missing_docs, clippy::undocumented_unsafe_blocks, unsafe_code)]
mod plugin {
    fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
        crate::elements::register(plugin)
    }

    gst::plugin_define!(
        emotion,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MIT/X11",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("BUILD_REL_DATE")
    );
}
#[cfg(feature = "plugin")]
pub use plugin::plugin_register_static;
