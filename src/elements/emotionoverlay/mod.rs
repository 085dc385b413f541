// SPDX-License-Identifier: MIT OR Apache-2.0
//! # emotionoverlay
//!
//! Draws the faces on a video: a box in the colour of the apparent expression, a label with emoji, name, percentage and id,
//! and a bar for the score of each class. It can also blur faces. Put it after `facedetect` and `emotionclassify`, or after
//! any other element that adds regions of interest of type `face` to buffers.
//!
//! If downstream draws overlay compositions, the pictures are attached to the buffer and the frame stays unchanged.
//! Downstream says so by `meta:GstVideoOverlayComposition` in its caps and in its answer to the ALLOCATION query. Otherwise
//! the pictures are blended into the frame. A frame on which nothing is drawn or blurred is neither mapped nor copied.
//!
//! If a frame has more than 256 faces, only the 256 largest are drawn. `blur-faces` blurs all of them; if the blurred areas add
//! up to more than 8 times the area of the frame, the whole frame is blurred instead.
//!
//! ## Blurring faces
//!
//! `blur-faces` replaces an ellipse around each face with the mean colours of a few blocks. Boxes and labels are drawn on
//! top. If a frame cannot be blurred, the element posts an error and does not pass the frame on.
//!
//! A frame may show people who were not detected yet: at the start of a scene with `async=true`, or while a late stream
//! skips detections. `facedetect` therefore writes to each buffer when the scene was last searched for faces. If that was
//! more than `blur-max-age` ago, or before a scene cut, `blur-unsearched` decides what is shown:
//!
//! - `frame` blurs the whole frame.
//! - `repeat` shows the last frame with blurred faces again. This costs a copy of each frame.
//! - `none` blurs only the known faces.
//!
//! The same applies if an element between `facedetect` and this one changes the picture in a way that leaves the position of
//! a face unknown. Detectors of other projects do not write when they searched. With them the known faces are blurred, and
//! one warning is posted.
//!
//! If searches are regularly further apart than `blur-max-age`, for example with `detect-interval=30`, all frames are hidden
//! so that the picture does not flicker, and a warning is posted. A face that the detector misses is not blurred: give
//! `facedetect` a low `score-threshold`, and leave `track` on.
//!
//! A detector finds a face a moment after it has appeared, and may lose it before it has left. `blur-delay` holds all frames back for
//! that time, so that a face is hidden from before it was found until after it was lost. A live stream gets that much more latency.
//!
//! ## Example launch lines
//!
//! Boxes, labels and scores on a camera picture:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! emotionclassify ! emotionoverlay ! videoconvert ! autovideosink
//! ```
//!
//! Labels in another language, without score bars:
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=60 ! emotionoverlay labels="happiness=Freude,anger=Ärger" draw-scores=false draw-stats=true ! videoconvert ! autovideosink
//! ```
//!
//! Contours through the landmarks that `facelandmarks` estimates, and the direction in which each face looks. Contours are drawn where
//! `trust` is at least 0.5, and the direction where it is at least 0.1:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! facelandmarks ! emotionoverlay draw-landmarks=true draw-pose=true ! videoconvert ! autovideosink
//! ```
//!
//! Blurred faces:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect score-threshold=0.3 ! emotionclassify ! emotionoverlay blur-faces=pixelate blur-delay=500000000 ! videoconvert ! autovideosink
//! ```
//!
//! Since: 1.0. See also: `facedetect`, `facelandmarks`, `emotionclassify`, `textoverlay`.

mod compose;
mod delay;
mod imp;
mod privacy;
mod rate;
mod settings;

use gst::glib;
use gst::prelude::*;

pub use privacy::BlurUnsearched;

glib::wrapper! {
    /// The element `emotionoverlay`.
    pub struct EmotionOverlay(ObjectSubclass<imp::EmotionOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "emotionoverlay", gst::Rank::NONE, EmotionOverlay::static_type())
}
