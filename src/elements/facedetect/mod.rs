// SPDX-License-Identifier: MIT OR Apache-2.0
//! # facedetect
//!
//! Finds faces in video, tracks them, and attaches boxes, confidences and landmarks to the buffer as regions of interest of
//! type `face`. Each track has an id. The frame is only read, directly from its planes, and never copied.
//!
//! The default detector is a network that is compiled into the plugin; `detector`, `model-file` and `profile` select others.
//! Frames are never dropped: if the stream is late, detections are skipped. Between detections the positions of the faces
//! are predicted. A scene cut ends all tracks, and the new scene is searched immediately.
//!
//! ## New faces of a live stream
//!
//! In a live stream, a face that was found once is attached with the field `confirmed=false`, and the next frame is searched
//! regardless of `detect-interval`. Two hits in three successive searches confirm the face. `emotionoverlay` blurs an
//! unconfirmed face but does not draw it, and the other elements leave it out, since most false detections come only once.
//! Faces of a file or a photo are confirmed at once, and so are all faces with `track=false`.
//!
//! ## Small faces
//!
//! The network searches the whole frame, scaled down to `detect-size` pixels on its longer side. There it finds faces from
//! about 20 pixels reliably, which are 120 pixels in 1080p. Two properties let it find smaller faces:
//!
//! - A larger `detect-size` (0 = the frame's own size). The cost grows with its square.
//! - `tile-size`. Each search also covers one tile of the frame, the next one each time, at the cost of that tile. A tile
//!   has sides of at most `tile-size` pixels. It is searched at full resolution, or enlarged to `detect-size` if that is
//!   larger. Small faces are tracked until the next search of their tile and forgotten when it misses them twice. Tiles
//!   overlap by the smallest face that is found reliably in the scaled frame, so every smaller face lies completely in one
//!   tile.
//!
//! A Haar cascade has no tiles, and neither has a frame that is not scaled down. A network with a fixed input size limits
//! the size of its tiles.
//!
//! The work for a frame is bounded, whatever the properties and the network's outputs are: overlaps are checked among the
//! 5,000 most confident boxes, at most 1,000 faces are reported, the refiner checks the 256 most confident ones, and the
//! sides of a tile have at least 128 pixels.
//!
//! ## To hide faces
//!
//! `recall=high` misses as few faces as possible, and takes more other things for faces. The threshold is a quarter of the model's own, each
//! frame is also searched at 0.6 of `detect-size`, where large faces in profile are found, and tiles of twice `detect-size` find small
//! ones. A search then takes five times as long. `score-threshold` and `tile-size` that are set apply instead. Use it with `blur-faces`
//! and `blur-delay` of `emotionoverlay`.
//!
//! ## Interlaced and HDR video
//!
//! Of an interlaced frame (`interlace-mode=interleaved`, or `mixed` with the buffer's flag) the top field is read, so that a
//! moving face is not there twice; `deinterlace` is not needed. If the `colorimetry` has the transfer function PQ or HLG, samples
//! are mapped to SDR, and diffuse white becomes nearly white. `emotionclassify` does the same. `videoconvert`, which reduces
//! video of more than 8 bits to a format that the elements take, passes both on.
//!
//! ## Motion gate
//!
//! In a live stream only what changed is searched. The element compares the brightness of small cells with that of the last
//! searched frame. If nothing changed, the faces of that search stay, at no cost; if a part changed, that part is searched, and
//! the faces outside of it stay; otherwise the frame is searched. If all faces hardly move and nothing changed except around
//! them, every second frame is searched. An unconfirmed face, a scene cut and the end of
//! `idle-interval` make the element search the whole frame. A frame on which nothing changed counts as searched: its faces and
//! its `GstEmotionMeta` have the age 0.
//!
//! `motion-gate=true` does the same for files, `motion-gate=false` searches each frame of a live stream. There is no gate with
//! `tile-size`, and a cascade or a network with a fixed input size does not search parts.
//!
//! ## Latency
//!
//! By default a frame waits for its detection, and the element reports this time in LATENCY queries. With `async=true` a
//! worker thread searches the newest frame, and frames never wait. Its faces are attached to later frames, at their
//! predicted positions, and `age` is the time since the searched frame. Use it for live sources and slow models; in a short
//! file it would search only a few frames.
//!
//! ## Statistics
//!
//! The property `stats` is a structure. Since the start it counts `frames`, `inferred` and `skipped` frames, `late` ones
//! (skipped because the stream was late), `unchanged` ones (skipped by the motion gate), `partial` ones (searched in part), and
//! `faces`. It also has the percentiles `detect-p50`, `detect-p95` and
//! `detect-p99` of the time per detection in microseconds, and those of its steps `preprocess`, `inference` and
//! `postprocess`. All fields are uint64.
//!
//! ## Example launch lines
//!
//! Boxes and expressions on a camera picture:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! emotionclassify ! emotionoverlay ! videoconvert ! autovideosink
//! ```
//!
//! Small faces in a large picture, with a search on every third frame:
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=30 ! video/x-raw,width=1280,height=720 ! emotionfacedetect detect-size=960 detect-interval=3 ! fakesink
//! ```
//!
//! A crowd in 1080p, in eight tiles that are searched in turn:
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=30 ! video/x-raw,width=1920,height=1080 ! emotionfacedetect tile-size=640 ! fakesink
//! ```
//!
//! ## The name
//!
//! GStreamer's OpenCV plugin also has an element named `facedetect`. If both plugins are installed, GStreamer uses the one
//! that was scanned last. Write `emotionfacedetect`, the second name of this element, to be sure of it. The element accepts
//! the properties of the OpenCV element: `profile` and the properties of the cascade select and configure a Haar cascade,
//! `updates` is the same as `post-messages`, and a property without effect here logs a warning when it is set.
//!
//! ## Buffers
//!
//! The layout of the pixels is taken from `GstVideoMeta` and `GstVideoCropMeta`. If these are invalid, for example if a row
//! lies outside the buffer's memory, the frame is passed on without a search, and a warning is logged.
//!
//! Frames in graphics memory (DMABuf, VAMemory, GLMemory) are not accepted: put `vapostproc` or `gldownload` before the
//! element.
//!
//! Since: 1.0. See also: `emotionclassify`, `emotionoverlay`.

mod imp;
mod opencv;
mod search;
mod settings;

use gst::glib;
use gst::prelude::*;

pub use imp::FaceDetectImpl;
pub use opencv::{CascadeFlags, Updates};
pub use settings::Detector;

glib::wrapper! {
    /// The element `facedetect`.
    pub struct FaceDetect(ObjectSubclass<imp::FaceDetect>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

glib::wrapper! {
    /// The element `emotionfacedetect`, which is the same. Each element name needs a type of its own.
    pub struct EmotionFaceDetect(ObjectSubclass<imp::EmotionFaceDetect>) @extends FaceDetect, gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`, under both names.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "facedetect", gst::Rank::NONE, FaceDetect::static_type())?;
    gst::Element::register(Some(plugin), "emotionfacedetect", gst::Rank::NONE, EmotionFaceDetect::static_type())
}
