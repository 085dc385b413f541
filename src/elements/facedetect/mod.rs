// SPDX-License-Identifier: MIT OR Apache-2.0
//! # facedetect
//!
//! Finds faces in video, gives each an id that stays with it, and attaches box, confidence and landmarks to the buffer
//! as a region of interest of type `face`. The frame is only read, straight from its planes, and never copied.
//!
//! The detector is a network that is compiled in, unless `detector`, `model-file` or `profile` says otherwise. A late
//! stream skips detections, never frames; between detections faces are predicted. At a scene cut the tracks end, and the
//! new scene is searched at once.
//!
//! The frame is searched as a whole, reduced to `detect-size` pixels, where faces of some 20 pixels are seen surely: of 120
//! in 1080p. Smaller ones are found with a larger `detect-size`, 0 being the frame's own size, at a cost that goes by its
//! square; or with `tile-size`, at that of one tile: with each search of the whole frame a part of it with sides of at most
//! so many pixels is searched at its own resolution, or enlarged to `detect-size` where that is more, the next one each
//! time. Small faces are followed until their tile's turn comes again, and are gone when it misses them twice. Tiles
//! overlap by what the whole frame shows surely, so that every face lies whole in one. A cascade, and a frame that is not
//! reduced, have no tiles; a network of a fixed size takes no larger ones.
//!
//! The work on a frame is bounded whatever the properties and the network say: overlaps are looked for among the 5,000 most
//! confident boxes, at most 1,000 faces are kept, the refiner looks at the 256 most confident ones again, and tiles have
//! sides of at least 128 pixels.
//!
//! Usually a frame waits for its detection, and the answer to a LATENCY query says for how long. With `async=true` a
//! worker detects, on the newest frame there is, and no frame ever waits: faces are put on later frames, moved to where
//! they should be by then, and their `age` says how old the detection is. It suits live sources and slow models; of a
//! short file few frames would be searched.
//!
//! `stats` is a structure of `frames`, `inferred`, `skipped` (of these `late`) and `faces` since the start, and of
//! `detect-p50`, `-p95` and `-p99`, the same of `preprocess`, `inference` and `postprocess`, in microseconds (all uint64).
//!
//! ## Example launch lines
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! emotionclassify ! emotionoverlay ! videoconvert ! autovideosink
//! ```
//!
//! Small faces in a large picture, searched on every third frame:
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=30 ! video/x-raw,width=1280,height=720 ! emotionfacedetect detect-size=960 detect-interval=3 ! fakesink
//! ```
//!
//! A crowd in 1080p, each eighth of it searched in turn:
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=30 ! video/x-raw,width=1920,height=1080 ! emotionfacedetect tile-size=640 ! fakesink
//! ```
//!
//! ## The name
//!
//! GStreamer's OpenCV plugin has an element of the same name; where both are installed, whichever the registry scanned
//! last answers. This one is also registered as `emotionfacedetect`, and takes OpenCV's properties too: `profile` and
//! what belongs to it select a Haar cascade, `updates` is `post-messages`, and those that have no effect here say so in
//! the log.
//!
//! Pixels are taken from where `GstVideoMeta` and `GstVideoCropMeta` say; a frame of which these say what cannot be, such
//! as a row outside of its memory, is passed on unsearched, with a warning in the log.
//!
//! GStreamer's memory of graphics cards (DMABuf, VAMemory, GLMemory) is not taken; put `vapostproc` or `gldownload`
//! before.
//!
//! Since: 0.1. See also: `emotionclassify`, `emotionoverlay`.

mod imp;
mod opencv;
mod search;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::prelude::*;

pub use opencv::{CascadeFlags, Updates};

glib::wrapper! {
    /// The element `facedetect`.
    pub struct FaceDetect(ObjectSubclass<imp::FaceDetect>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

glib::wrapper! {
    /// The same element as `emotionfacedetect`; a factory wants a type of its own.
    pub struct EmotionFaceDetect(ObjectSubclass<imp::EmotionFaceDetect>) @extends FaceDetect, gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Implemented by types that derive from [`FaceDetect`].
pub trait FaceDetectImpl: BaseTransformImpl {}

// SAFETY: FaceDetect adds no virtual methods to its class, so a subclass has nothing more to set up.
#[allow(unsafe_code)]
unsafe impl<T: FaceDetectImpl> IsSubclassable<T> for FaceDetect {}

/// Which detector finds the faces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionFaceDetector")]
pub enum Detector {
    /// What `model-file` is recognised as; without one the network that is compiled in, or Haar if `profile` was set.
    #[default]
    #[enum_value(name = "By model-file, else emotion-face; Haar if profile is set", nick = "auto")]
    Auto,
    /// The network of this project, which is compiled in.
    #[enum_value(name = "The network that is compiled in", nick = "emotion-face")]
    EmotionFace,
    /// The CenterFace network.
    #[enum_value(name = "CenterFace network", nick = "centerface")]
    CenterFace,
    /// An UltraFace network, given by `model-file`.
    #[enum_value(name = "UltraFace network, given by model-file", nick = "ultraface")]
    UltraFace,
    /// A YuNet network, given by `model-file`.
    #[enum_value(name = "YuNet network, given by model-file", nick = "yunet")]
    YuNet,
    /// OpenCV's cascade classifier.
    #[cfg(feature = "haar")]
    #[enum_value(name = "OpenCV Haar cascade", nick = "haar")]
    Haar,
}

/// Registers both names with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "facedetect", gst::Rank::NONE, FaceDetect::static_type())?;
    gst::Element::register(Some(plugin), "emotionfacedetect", gst::Rank::NONE, EmotionFaceDetect::static_type())
}
