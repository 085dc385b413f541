// SPDX-License-Identifier: MIT OR Apache-2.0
//! # emotionoverlay
//!
//! Draws what is known of every face on a video: a box in the colour of its apparent expression, a label with emoji,
//! name, percentage and id, and a bar for the score of each class. Put it behind `facedetect` and `emotionclassify`,
//! or behind anything else that leaves regions of type `face` on buffers.
//!
//! Where downstream takes overlay compositions (`meta:GstVideoOverlayComposition` in its caps and its ALLOCATION
//! answer), the pictures are attached and the sink composes them; else they are blended into the frame's own planes.
//! A frame without faces is passed on as it came, neither mapped nor copied.
//!
//! `blur-faces` makes faces unrecognisable in the frame itself, an ellipse around each box of which only the mean colours
//! of a few blocks are left. Boxes and labels are drawn over it. What no detector found is not blurred: for privacy give
//! `facedetect` a low `score-threshold` and leave `track` on. A frame that cannot be blurred is an error and is not shown.
//!
//! ## Example launch line
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! emotionclassify ! emotionoverlay ! videoconvert ! autovideosink
//! ```
//!
//! Words in another language, and boxes without graphs:
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=60 ! emotionoverlay labels="happiness=Freude,anger=Ärger" draw-scores=false draw-stats=true ! videoconvert ! autovideosink
//! ```
//!
//! A picture that may be shown:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect score-threshold=0.3 ! emotionclassify ! emotionoverlay blur-faces=pixelate ! videoconvert ! autovideosink
//! ```
//!
//! Since: 0.1. See also: `facedetect`, `emotionclassify`, `textoverlay`.

mod compose;
mod imp;

use gst::glib;
use gst::prelude::*;

use crate::draw;

/// Colours of the expressions, the values of property `palette`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionOverlayPalette")]
#[repr(i32)]
pub enum Palette {
    /// Okabe and Ito's eight colours.
    #[default]
    #[enum_value(name = "Okabe-Ito: eight colours for every kind of colour vision", nick = "okabe-ito")]
    OkabeIto = 0,
    /// Paul Tol's bright scheme.
    #[enum_value(name = "Tol bright: Paul Tol's bright scheme for every kind of colour vision", nick = "tol-bright")]
    TolBright = 1,
    /// White for all.
    #[enum_value(name = "White: words and emoji alone tell expressions apart", nick = "white")]
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

/// How faces are made unrecognisable, the values of property `blur-faces`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionOverlayBlurFaces")]
#[repr(i32)]
pub enum BlurFaces {
    /// Not at all.
    #[default]
    #[enum_value(name = "None: faces are left as they are", nick = "none")]
    None = 0,
    /// As a mosaic of a few blocks.
    #[enum_value(name = "Pixelate: a mosaic of a few blocks", nick = "pixelate")]
    Pixelate = 1,
    /// As a smooth surface.
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

glib::wrapper! {
    /// The element `emotionoverlay`.
    pub struct EmotionOverlay(ObjectSubclass<imp::EmotionOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "emotionoverlay", gst::Rank::NONE, EmotionOverlay::static_type())
}
