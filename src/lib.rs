// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in video and scores their apparent expression, as a GStreamer plugin and as a library.
//!
//! # As a plugin
//!
//! A program that links this crate registers the elements with [`plugin_register_static`] and reads faces from buffers with
//! [`read_faces`]. `examples/faces.rs` reads the same metadata without this crate, and `docs/properties.md` lists the elements.
//!
//! # As a library
//!
//! A frame is borrowed as a [`FrameView`], a detector finds the faces, and a classifier scores them. None of this needs a pipeline:
//!
//! ```no_run
//! use gstemotion::{
//!     Classifier, Colorimetry, CropFace, DetectOptions, Detection, FaceDetector, Family, FrameView, ModelFile, NetworkDetector,
//!     PixelFormat, Plane, RunOptions, SearchPath, Size,
//! };
//!
//! # fn main() -> gstemotion::Result<()> {
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
//! let face = |at: &Detection| CropFace { rect: at.rect, detector: Some(detector.name()), landmarks: at.landmarks };
//! for scores in classifier.classify(&frame, &found.iter().map(face).collect::<Vec<_>>())? {
//!     let (class, score) = scores.top();
//!     println!("{} {score:.2}", labels.as_slice()[class]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ONNX Runtime is loaded at run time: from `ORT_DYLIB_PATH`, the folders of [`SearchPath`], or the system. The networks are
//! compiled in. In a video, [`FaceFinder`] gives faces ids, [`FaceScorer`] averages scores over time, and [`Exporter`] writes them
//! as text.
//!
//! The items below are the public API, which `docs/stability.md` promises. They are those of the crate `emotion-core`, which does not
//! use GStreamer, and of the module that reads and writes metadata. `docs/architecture.md` describes both.
//!
//! # Cargo features
//!
//! | feature | adds |
//! |---|---|
//! | `publish` | the element `emotionpublish`, for MQTT, NATS and OSC |
//! | `v1_24`, `v1_26`, `v1_28` | analytics relation metadata and more, from that version of GStreamer on |

// Frames, models and errors.
pub use emotion_core::choices::Prior;
pub use emotion_core::error::{Error, Result};
pub use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
pub use emotion_core::image::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Transfer};
pub use emotion_core::model::runtime::{Execution, Plugin as ProviderPlugin, Provider, RunOptions};
pub use emotion_core::model::search_path::SearchPath;
pub use emotion_core::model::{ModelDescription, ModelFile};
// From a frame to faces, and to tracks.
pub use emotion_core::detector::haar::HaarDetector;
pub use emotion_core::detector::network::{Family, NetworkDetector};
pub use emotion_core::detector::tiles::TiledDetector;
pub use emotion_core::detector::{CascadeOptions, DetectOptions, Detection, FaceDetector};
pub use emotion_core::track::finder::FaceFinder;
pub use emotion_core::track::search::{FindOptions, MotionGate, Search};
// From a face to its geometry and its scores.
pub use emotion_core::crops::framing::CropFace;
pub use emotion_core::crops::results::{Batch, FaceMemory, Selection};
pub use emotion_core::expression::classifier::Classifier;
pub use emotion_core::expression::scorer::{FaceScorer, ScoringOptions};
pub use emotion_core::face_geometry::{BLENDSHAPES, Blendshapes, FaceGeometry, HeadPose, Landmarks70, PoseLimits};
pub use emotion_core::landmarker::estimator::{Estimate, Landmarker};
pub use emotion_core::landmarker::tracker::{GeometryOptions, GeometryTracker};
pub use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
// Records, metadata and text.
pub use emotion_core::export::{Chunk, Exporter, Format, FrameReport, FrameTime, Options as ExportOptions, Output};
pub use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord, FrameRecord, SearchAge, UnknownReason};
pub use meta::{read_faces, write_detections};

use once_cell::sync::OnceCell;

// What the modules of this crate use of the core.
use emotion_core::{
    choices, crops, detector, draw, error, export, expression, face_geometry, geometry, ids, image, landmarker, model, record, scores,
    statistics, track, worker,
};

// For the tests and programs of this repository.
#[doc(hidden)]
pub mod meta;
#[doc(hidden)]
pub mod elements;

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

/// Registers the elements in this process. Further calls change nothing, so a program and the libraries that it uses can each make
/// sure that the elements are there.
///
/// # Errors
/// If GStreamer refuses an element, as before `gst::init`.
pub fn plugin_register_static() -> std::result::Result<(), gst::glib::BoolError> {
    // A second registration would free the factories to which elements that are in use still point.
    static REGISTERED: OnceCell<()> = OnceCell::new();
    REGISTERED.get_or_try_init(plugin::plugin_register_static).map(|&()| ())
}
