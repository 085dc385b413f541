// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in video and scores their apparent expression, as a GStreamer plugin and as a library.
//!
//! # As a plugin
//!
//! A program that links this crate registers the elements with [`plugin_register_static`] and reads faces from buffers with
//! [`meta::read_faces`]; see `examples/faces.rs`. [`elements`] lists the elements with their launch lines.
//!
//! # As a library
//!
//! With `default-features = false, features = ["onnx"]` the crate neither uses nor needs GStreamer. A frame is borrowed as a
//! [`FrameView`](image::FrameView), a detector finds the faces, and a classifier scores them:
//!
//! ```no_run
//! use gstemotion::crops::framing::Face;
//! use gstemotion::detector::network::{Family, NetworkDetector};
//! use gstemotion::detector::{DetectOptions, Detection, FaceDetector};
//! use gstemotion::expression::classifier::Classifier;
//! use gstemotion::geometry::Size;
//! use gstemotion::image::{Colorimetry, FrameView, PixelFormat, Plane};
//! use gstemotion::model::{ModelFile, runtime::RunOptions, search_path::SearchPath};
//!
//! # fn main() -> gstemotion::error::Result<()> {
//! # let pixels = vec![0; 640 * 480 * 3];
//! let (search, run) = (SearchPath::from_env(None), RunOptions::default());
//! let mut detector = NetworkDetector::load(Family::EmotionFace.default_model(&search)?, None, 320, &search, run)?;
//! let mut classifier = Classifier::load(ModelFile::named("expression", &search)?, &search, run)?;
//! let labels = classifier.labels().clone();
//!
//! let rows = [Plane { data: &pixels, stride: 640 * 3 }];
//! let frame = FrameView::new(PixelFormat::Rgb, Size::new(640, 480), &rows, Colorimetry::default())?;
//! let mut found = Vec::new();
//! detector.detect(&frame, &DetectOptions::default(), &mut found)?;
//! let face = |at: &Detection| Face { rect: at.rect, detector: Some(detector.name()), landmarks: at.landmarks };
//! for scores in classifier.classify(&frame, &found.iter().map(face).collect::<Vec<_>>())? {
//!     let (class, score) = scores.top();
//!     println!("{} {score:.2}", labels.as_slice()[class]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ONNX Runtime is loaded at run time: from `ORT_DYLIB_PATH`, the folders of [`SearchPath`](model::search_path::SearchPath), or
//! the system. The networks are compiled in. In a video, [`track::finder::FaceFinder`] gives faces ids and
//! [`expression::scorer::FaceScorer`] averages scores over time; [`behaviour`] follows what faces do, and [`export`] writes both as text.
//!
//! # The way of a frame
//!
//! ```text
//! frame → FrameView → tensor → detections → tracks → crops → landmarks, scores → FaceRecord → metadata → overlay, export
//!         image       image    detector     track    crops   landmarker        record       meta       draw, behaviour, export
//!                                                            expression
//! ```
//!
//! The modules below are in this order, and each uses only those above it. All except [`meta`] and [`elements`] are the core:
//! they do not use GStreamer and build without it. Only [`meta`] contains names of metadata. The elements are thin: they map
//! buffers, call the core, and write the results. `docs/architecture.md` describes each stage and where to add code, and
//! `docs/stability.md` says which parts stay as they are.
//!
//! # Cargo features
//!
//! | feature | adds |
//! |---|---|
//! | `plugin` (default) | the elements, with `draw` and `onnx` |
//! | `onnx` (default) | networks, run by ONNX Runtime |
//! | `haar` (default) | OpenCV's cascade classifier as a detector |
//! | `draw` | drawing of labels, bars and emoji |
//! | `publish` | the element `emotionpublish`, for MQTT, NATS and OSC |
//! | `v1_24`, `v1_26`, `v1_28` | analytics relation metadata and more, from that version of GStreamer on |

// The core.
#[cfg(feature = "draw")]
pub use emotion_core::draw;
#[cfg(feature = "onnx")]
pub use emotion_core::landmarker;
pub use emotion_core::{
    behaviour, crops, detector, error, export, expression, face_geometry, geometry, ids, image, model, record, scores, statistics, track,
    worker,
};

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
