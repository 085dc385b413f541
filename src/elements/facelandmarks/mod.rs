// SPDX-License-Identifier: MIT OR Apache-2.0
//! # facelandmarks
//!
//! Estimates the geometry of every face on a buffer: 68 landmarks and the centres of the irises, where the head turns, and 52
//! blendshapes, which say how far an eye is closed, the mouth smiles or the jaw opens. It works behind any detector, before or
//! behind `emotionclassify`. Faces without an id are tracked and get one.
//!
//! The geometry is written to the param `geometry` of each face's region and to the buffer's `GstEmotionMeta`, which format
//! conversions keep. `emotionoverlay draw-landmarks=true draw-pose=true` draws it, and `emotionexport` writes it.
//!
//! A face that looks away is not inattentive, and one that blinks is not tired: the numbers say how a face is placed, no more.
//!
//! ## Angles and points
//!
//! All angles are in degrees, and 0 for a face that looks into the camera. `yaw` is above 0 if the person has turned to the own
//! left, which is the right of the picture; `pitch` if the head is raised; `roll` if it is tilted clockwise in the picture. The
//! landmarks are iBUG's 68 points in 0..1 of the frame, then the right and the left iris; right and left are the person's own.
//! The blendshapes have ARKit's names in alphabetical order. `tongueOut` is always 0.
//!
//! `trust`, 0..1, says how far to rely on all that. It is low for faces that are covered, blurred, very small or turned far.
//!
//! ## Smoothing
//!
//! The jitter of a still face is averaged with a half-life of `smoothing`. A landmark that moves by more than a few percent of the
//! distance between the eyes is followed at once, so blinks and turns are not delayed. `smoothing=0` shows each frame's own
//! estimate.
//!
//! ## Baseline
//!
//! The mouth of one face points down at rest, and the brows of another are low. With `baseline=track`, the blendshapes of mouth and
//! brows are relative to the face at rest, so a neutral face has them at zero. What is at rest is learnt from the track: values up to
//! 0.35 that are not undercut for most of the time. The action signal `calibrate (guint id)` says that the face is at rest now,
//! and `reset-baseline (guint id)` forgets that. A baseline is forgotten with its track.
//!
//! ## Number of faces
//!
//! All faces of a frame are estimated. In a live stream, at most 16 are on a frame, those with the oldest estimates first;
//! `max-faces-per-frame` sets another number for any stream. The landmarks of a face that is not estimated on a frame move along
//! with its box, and `age` is the time since the frame of the estimate. If the stream is late, fewer are estimated, as many as
//! there is time for. Frames are never dropped. `time-budget` limits the time that estimates take on a frame.
//!
//! ## Motion gate
//!
//! In a live stream a face is estimated only when it looks different than at its last estimate, but at least once in
//! `idle-interval`. An eyelid that moves is a difference. `motion-gate=true` does the same for files, `motion-gate=false`
//! estimates all faces on each frame.
//!
//! ## Latency
//!
//! By default a frame waits for its estimates, and the element reports this time in LATENCY queries. With `async=true` a worker
//! thread estimates the faces of the newest frame, and frames never wait.
//!
//! ## Models
//!
//! The property `model-file` selects the model. Unless it is set, `face-geometry-int8` is used on processors with AVX2 or ARM's
//! dot products, and `face-geometry`, the same network in floating-point numbers, on others. The read-only property `model-name`
//! tells which one is loaded.
//!
//! ## Statistics
//!
//! The property `stats` is a structure, as of `emotionclassify`. The percentiles of the time per frame with estimates are
//! `estimate-p50`, `estimate-p95` and `estimate-p99`.
//!
//! ## Example launch lines
//!
//! Landmarks and expressions on a camera picture:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! facelandmarks ! emotionclassify ! emotionoverlay draw-landmarks=true ! videoconvert ! autovideosink
//! ```
//!
//! A message on the bus whenever a face moves:
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=30 ! emotionfacedetect ! facelandmarks post-messages=on-change ! fakesink
//! ```
//!
//! Since: 1.0. See also: `facedetect`, `emotionclassify`, `emotionoverlay`, `emotionexport`.

mod imp;
mod settings;
mod tracking;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element `facelandmarks`.
    pub struct FaceLandmarks(ObjectSubclass<imp::FaceLandmarks>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "facelandmarks", gst::Rank::NONE, FaceLandmarks::static_type())
}
