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
//! Blurred faces:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect score-threshold=0.3 ! emotionclassify ! emotionoverlay blur-faces=pixelate ! videoconvert ! autovideosink
//! ```
//!
//! Since: 0.1. See also: `facedetect`, `emotionclassify`, `textoverlay`.

mod compose;
mod imp;
mod privacy;
mod rate;
mod settings;

use gst::glib;
use gst::prelude::*;

use crate::draw;

/// The values of the property `palette`: the colours of the expressions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionOverlayPalette")]
#[repr(i32)]
pub enum Palette {
    /// The eight colours of Okabe and Ito.
    #[default]
    #[enum_value(name = "Okabe-Ito: eight colours, safe for colour-blind viewers", nick = "okabe-ito")]
    OkabeIto = 0,
    /// Paul Tol's bright colour scheme.
    #[enum_value(name = "Tol bright: Paul Tol's bright scheme, safe for colour-blind viewers", nick = "tol-bright")]
    TolBright = 1,
    /// White for all expressions.
    #[enum_value(name = "White: only words and emoji distinguish expressions", nick = "white")]
    White = 2,
}

impl From<Palette> for draw::Palette {
    fn from(palette: Palette) -> Self {
        match palette {
            Palette::OkabeIto => Self::OkabeIto,
            Palette::TolBright => Self::TolBright,
            Palette::White => Self::White,
        }
    }
}

/// The values of the property `blur-faces`: how faces are made unrecognisable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionOverlayBlurFaces")]
#[repr(i32)]
pub enum BlurFaces {
    /// Faces are left unchanged.
    #[default]
    #[enum_value(name = "None: faces are left unchanged", nick = "none")]
    None = 0,
    /// A mosaic of a few blocks.
    #[enum_value(name = "Pixelate: a mosaic of a few blocks", nick = "pixelate")]
    Pixelate = 1,
    /// Smooth transitions between the colours of a few blocks.
    #[enum_value(name = "Blur: a smooth surface", nick = "blur")]
    Blur = 2,
}

impl From<BlurFaces> for Option<draw::Blur> {
    fn from(blur: BlurFaces) -> Self {
        match blur {
            BlurFaces::None => None,
            BlurFaces::Pixelate => Some(draw::Blur::Pixelate),
            BlurFaces::Blur => Some(draw::Blur::Smooth),
        }
    }
}

/// The values of the property `blur-unsearched`: what is shown of a frame that was not searched within `blur-max-age`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionOverlayBlurUnsearched")]
#[repr(i32)]
pub enum BlurUnsearched {
    /// The frame, blurred as a whole.
    #[default]
    #[enum_value(name = "Frame: the whole frame is blurred", nick = "frame")]
    Frame = 0,
    /// The last frame that was searched recently enough.
    #[enum_value(name = "Repeat: the last frame with blurred faces is shown again", nick = "repeat")]
    Repeat = 1,
    /// The frame with only the known faces blurred.
    #[enum_value(name = "None: only the known faces are blurred", nick = "none")]
    None = 2,
}

glib::wrapper! {
    /// The element `emotionoverlay`.
    pub struct EmotionOverlay(ObjectSubclass<imp::EmotionOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "emotionoverlay", gst::Rank::NONE, EmotionOverlay::static_type())
}
