// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces in video and the apparent expression of each, as a GStreamer plugin and as a library.
//!
//! ```text
//! frame → FrameView → tensor → detections → tracks → crops → scores → FaceRecord → metadata → overlay, export
//!         image       image    detector     track    expression       record       meta       draw, export
//! ```
//!
//! The modules below stand in that order, and each uses those above it only. All but [`meta`] and [`elements`] know nothing
//! of GStreamer and build without it (`--no-default-features --features onnx`). Only [`meta`] spells a metadata name. The
//! elements are thin shells: they map buffers, call the core once and write what comes back. `docs/architecture.md` has a
//! paragraph on each stage and says where to add what.

// Values that every stage carries.
pub mod error;
pub mod geometry;
pub mod ids;
pub mod record;
pub mod scores;
pub mod statistics;
pub mod worker;

// The stages, in the order in which a frame passes through them.
pub mod image;
pub mod model;
pub mod detector;
pub mod track;
pub mod expression;
#[cfg(feature = "draw")]
pub mod draw;
pub mod export;
pub mod evaluation;

// GStreamer.
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
