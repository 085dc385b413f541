// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds faces in video frames and scores their apparent expression: the core of the GStreamer plugin `emotion`.
//!
//! This crate neither uses nor needs GStreamer. A frame is borrowed as a [`FrameView`](image::FrameView), a detector finds the
//! faces, and a classifier scores them:
//!
//! ```no_run
//! use emotion_core::crops::framing::CropFace;
//! use emotion_core::detector::network::{Family, NetworkDetector};
//! use emotion_core::detector::{DetectOptions, Detection, FaceDetector};
//! use emotion_core::expression::classifier::Classifier;
//! use emotion_core::geometry::Size;
//! use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
//! use emotion_core::model::{ModelFile, runtime::RunOptions, search_path::SearchPath};
//!
//! # fn main() -> emotion_core::error::Result<()> {
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
//! ONNX Runtime is loaded at run time: from `ORT_DYLIB_PATH`, the folders of [`SearchPath`](model::search_path::SearchPath), or
//! the system. The networks are compiled in. In a video, [`track::finder::FaceFinder`] gives faces ids and
//! [`expression::scorer::FaceScorer`] averages scores over time; [`behaviour`] follows what faces do, and [`export`]
//! writes all of it as text.
//!
//! # The way of a frame
//!
//! ```text
//! frame → FrameView → tensor → detections → tracks → crops → landmarks, scores → FaceRecord → overlay, export
//!         image       image    detector     track    crops   landmarker        record       draw, behaviour, export
//!                                                            expression
//! ```
//!
//! The modules below are in this order, and each uses only those above it. `gst-plugin-emotion` exports the part of this crate
//! that programs may rely on; everything else can change with any version.
//!
//! # Cargo features
//!
//! | feature | adds |
//! |---|---|
//! | `draw` | drawing of labels, bars and emoji |

// Values that all stages use.
pub mod choices;
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
pub mod landmarker;
pub mod expression;
#[cfg(feature = "draw")]
pub mod draw;
pub mod behaviour;
pub mod export;
