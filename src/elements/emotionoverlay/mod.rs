// SPDX-License-Identifier: MIT OR Apache-2.0
//! # emotionoverlay
//!
//! Draws what is known of every face on a video: a box in the colour of its apparent expression, a label with emoji,
//! name, percentage and id, and a bar for the score of each class. Put it behind `facedetect` and `emotionclassify`,
//! or behind anything else that leaves regions of type `face` on buffers.
//!
//! Where downstream takes overlay compositions (`meta:GstVideoOverlayComposition` in its caps and its ALLOCATION
//! answer), the pictures are attached and the sink composes them; else they are blended into the frame's own planes.
//! A frame on which nothing is drawn or blurred is passed on as it came, neither mapped nor copied.
//!
//! Of more than 256 faces on a frame the largest are drawn. All of them are blurred where that is asked for; where their
//! boxes together would cover the frame more than 8 times over, the whole frame is blurred instead.
//!
//! ## Blurred faces
//!
//! `blur-faces` replaces an ellipse around each face with the mean colours of a few blocks. Boxes and labels are drawn
//! over it. A frame that cannot be blurred is an error and is not shown.
//!
//! A frame may show someone whom nobody has searched for yet: at the start of a scene with `async=true`, or while a late
//! stream skips searches. `facedetect` writes when it last searched. If that was more than `blur-max-age` ago, or a scene
//! cut lies between, `blur-unsearched` decides: `frame` blurs the whole frame, `repeat` shows the last frame with blurred
//! faces again (which costs a copy of each frame), `none` blurs the known faces alone. The same holds where an element
//! between `facedetect` and this one has moved the picture so that a face cannot be placed. With another project's
//! detector nothing tells when it searched: the known faces are blurred, and one warning is posted.
//!
//! If searches are regularly further apart than `blur-max-age`, as with `detect-interval=30`, all frames are hidden, and a
//! warning says so: the picture does not flicker. A face that a search misses is not blurred: give `facedetect` a low
//! `score-threshold` and leave `track` on.
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
mod labels;
mod privacy;

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

/// What is shown of a frame that was not searched recently enough, the values of property `blur-unsearched`.
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
    /// The frame, of which only the known faces are blurred.
    #[enum_value(name = "None: only the known faces are blurred", nick = "none")]
    None = 2,
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
