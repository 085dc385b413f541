// SPDX-License-Identifier: MIT OR Apache-2.0
//! # emotionclassify
//!
//! Scores the apparent expression of every face on a buffer, whoever put the face there: `facedetect`, the element of
//! that name of GStreamer's OpenCV plugin, or an application that added regions of interest of type `face`. A face
//! without an id gets one. The scores of each face are a mean over time (`smoothing`), and its label changes when another
//! class is a quarter more probable; they go onto the face's region and, once more for all faces together, into the
//! buffer's `GstEmotionMeta`, which survives conversions.
//!
//! The model is the plugin's own `expression` unless `model-file` names another: `expression-int8`, the same in 8
//! bits, `expression-tiny`, smaller and right less often, or the path of a file, with a `model.toml` that describes it.
//!
//! On a frame at most `max-faces-per-frame` are classified, those whose scores are oldest first; while the stream is late
//! fewer, as much as it takes. Frames are never skipped.
//!
//! Usually a frame waits for its scores, and the answer to a LATENCY query says for how long. With `async=true` a worker
//! classifies, on the newest frame there is, and no frame ever waits: scores are put on later frames of the same face, and
//! `age` says how old they are.
//!
//! `stats` is a structure of `frames`, `inferred`, `skipped` (of these `late`) and `faces` since the start, and of
//! `classify-p50`, `-p95` and `-p99`, the same of `preprocess`, `inference` and `postprocess`, in microseconds (all uint64).
//!
//! ## Example launch lines
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! emotionclassify ! emotionoverlay ! videoconvert ! autovideosink
//! ```
//!
//! What changes, as messages on the bus:
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=30 ! emotionfacedetect ! emotionclassify post-messages=on-change ! fakesink
//! ```
//!
//! Since: 0.1. See also: `facedetect`, `emotionoverlay`, `emotionexport`.

mod imp;
mod scoring;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element `emotionclassify`.
    pub struct EmotionClassify(ObjectSubclass<imp::EmotionClassify>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "emotionclassify", gst::Rank::NONE, EmotionClassify::static_type())
}
