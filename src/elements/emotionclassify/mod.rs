// SPDX-License-Identifier: MIT OR Apache-2.0
//! # emotionclassify
//!
//! Scores the apparent expression of every face on a buffer. The faces may come from `facedetect`, from the element of that
//! name in GStreamer's OpenCV plugin, or from an application that adds regions of interest of type `face`. Faces without an
//! id are tracked and get one.
//!
//! The scores of a face are a mean over time (`smoothing`). Its label changes when another class is more probable by a
//! quarter. The scores are written to the region of each face, and those of all faces also to the buffer's
//! `GstEmotionMeta`, which format conversions keep.
//!
//! Single frames of a mouth that speaks look like surprise or happiness. While a mouth moves to and fro, the half-life of the
//! mean is therefore longer, up to three times `smoothing`. For a still mouth it is about half of `smoothing`.
//!
//! ## Prior
//!
//! In front of a camera two of three faces are neutral or happy; in a collection of posed or selected pictures all expressions
//! are alike. `prior=natural`, the default, is for the first: in cases of doubt it prefers the frequent expressions, so a calm
//! face is rarely called sad or angry. `prior=balanced` is for the second: it finds more anger, disgust, fear and sadness, and
//! calls more neutral faces by these names. The network is the same, and so is the time that it takes.
//!
//! ## Baseline
//!
//! The network answers for the mean of all people, but some faces look sad or angry at rest. With `baseline=track`, the scores of a
//! face are relative to its own: the element compares its scores with those that faces of each class have on average, and subtracts
//! the mean difference. The more different expressions a face has shown, the more this counts; an expression that is held counts once,
//! and a mouth that speaks counts little. The field `baseline` says how many seconds it rests on. A photo has none.
//!
//! The action signal `calibrate (guint id)` says that the face looks neutral now, which counts as 12 seconds, and
//! `reset-baseline (guint id)` forgets what is known of it. Both take effect on the next frame.
//!
//! A baseline is a few numbers about scores. It is forgotten with its track, is compared with no other, and recognises nobody.
//! `baseline=track` assumes that expressions are as frequent as `prior` says: in front of a camera, use it with `prior=natural`, or
//! calibrate. The model's card has figures.
//!
//! ## Unknown
//!
//! A face has the label `unknown` if nothing can be said about its expression, and the field `reason` says why: `uncertain` (no
//! score reaches `min-confidence`), `small` (it is below `min-face-size`), `turned` (see below) or `pending` (it was not
//! classified yet).
//!
//! ## Behind facelandmarks
//!
//! Where `facelandmarks` has estimated a face, its landmarks level the crop, also if the detector gives none. A face that is turned
//! beyond the limits of the model, `max_yaw` and `max_pitch` in its `model.toml`, has the label `unknown` and the reason `turned`.
//! Its scores are still written.
//!
//! ## Models
//!
//! The property `model-file` selects the model. Unless it is set, `expression-int8` is used on processors with AVX2 or ARM's dot
//! products, and `expression` on others. The read-only property `model-name` tells which one is loaded.
//!
//! - `expression`, in floating-point numbers.
//! - `expression-int8`, the same network in 8 bits: as accurate, and twice as fast with VNNI.
//! - The path of an ONNX file with a `model.toml` that describes it.
//!
//! All faces of a frame are classified, so that a photo of many people has a label for each. In a live stream, at most 16
//! are classified on a frame, those with the oldest scores first; `max-faces-per-frame` sets another number for any stream.
//! If the stream is late, fewer are classified, as many as there is time for. Frames are never dropped. `time-budget` limits
//! the time that classifications take on a frame.
//!
//! ## Motion gate
//!
//! In a live stream a face is classified only when it looks different than at its last classification, but at least once in
//! `idle-interval`. Otherwise its last scores hold: smoothing goes on with them, and `age` is the time since they were
//! computed. The comparison is of a coarse picture of the face relative to its mean brightness, so light that changes evenly
//! does not count. `motion-gate=true` does the same for files, `motion-gate=false` classifies all faces on each frame of a
//! live stream, as far as `max-faces-per-frame` allows.
//!
//! ## Latency
//!
//! By default a frame waits for its scores, and the element reports this time in LATENCY queries. With `async=true` a worker
//! thread classifies the faces of the newest frame, and frames never wait. The scores are attached to the same face on later
//! frames, and `age` is the time since the classified frame.
//!
//! ## Statistics
//!
//! The property `stats` is a structure. Since the start it counts `frames`, `inferred` and `skipped` frames, `late` ones
//! (skipped because the stream was late), `unchanged` ones (all faces were left out by the motion gate), `partial` ones (some
//! were), and `faces`. It also has the percentiles `classify-p50`, `classify-p95` and
//! `classify-p99` of the time per frame with classifications in microseconds, and those of its steps `preprocess`,
//! `inference` and `postprocess`. All fields are uint64.
//!
//! ## Example launch lines
//!
//! Boxes and expressions on a camera picture:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! emotionclassify ! emotionoverlay ! videoconvert ! autovideosink
//! ```
//!
//! A message on the bus whenever a face or its label changes:
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=30 ! emotionfacedetect ! emotionclassify post-messages=on-change ! fakesink
//! ```
//!
//! Since: 1.0. See also: `facedetect`, `facelandmarks`, `emotionoverlay`, `emotionexport`.

mod imp;
mod scoring;
mod settings;

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
