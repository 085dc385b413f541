// SPDX-License-Identifier: MIT OR Apache-2.0
//! # emotionexport
//!
//! Converts the faces on video buffers to timed text: NDJSON, events, CSV, WebVTT, ONVIF metadata or plain subtitles. It reads the metadata that a
//! detector and `emotionclassify` wrote. The video ends here, so put the element on a branch of a `tee` or at the end of the
//! pipeline.
//!
//! [`crate::export`] lists the fields of a record. The property `source` names the video in the field `stream` of every
//! record. Without it that is the stream id, which GStreamer generates. The caps of NDJSON have a field `schema` that names
//! what a record is: `faces`, `events`, `dlstreamer` or `summary`.
//!
//! ## Events
//!
//! `format=events` reports that a face has appeared or left, or that its expression has changed. Behind `facelandmarks` it also
//! reports that a face has turned away, closed its eyes, blinked or speaks. Each is reported after it has lasted for `hysteresis`, with the time at which it happened. At the end of the stream every face leaves. After a
//! seek the faces in view are new ones. `interval` and `on-change` have no effect.
//!
//! ## Geometry
//!
//! Behind `facelandmarks`, NDJSON has the pose, landmarks and blendshapes of each face, and CSV has columns for them if a face of the
//! first record has them. With `facelandmarks async=true` the first faces have none yet: `geometry=always` adds the columns from the
//! start. `geometry=never` leaves all of it out, about 3 KB for each face.
//!
//! ## ONVIF
//!
//! `format=onvif-metadata` writes an XML document for each frame with faces, and one without objects at the start and when the
//! last face has gone. Only in a live pipeline, or with a `GstReferenceTimestampMeta`, does `UtcTime` have the time of day.
//! Each document has the same time as a `GstReferenceTimestampMeta`, which `onvifmetadataparse` and `onvifmetadatacombiner` of
//! gst-plugins-rs need.
//!
//! ## Timestamps
//!
//! A record has its times in seconds (`time_s`, `duration_s`) and in nanoseconds. `time_s` is the position in the media, as
//! a player shows it: 0 at the start, whatever the timestamps of the file start at.
//!
//! Every text buffer has a timestamp and a duration. Buffers do not overlap, and GAP events fill the time between them, so a
//! muxer does not have to wait for text. If neither the frame nor the caps give a frame's duration, its text is sent when
//! the next frame arrives.
//!
//! With `interval`, the first frame with faces in each interval is exported, and its text lasts until the interval ends.
//! With `aggregate-only`, the summary of an interval is sent when the interval is over and has that time as its timestamp.
//! The record contains the time of the interval itself.
//!
//! `utc` is known in two cases: if the buffer has a `GstReferenceTimestampMeta` in Unix or NTP time, and in a live pipeline,
//! where it is computed from the system clock. For a file it is unknown: the time at which a file is read is not the
//! time at which it was recorded.
//!
//! ## Files
//!
//! Each buffer ends at the end of a line. With `filesink buffer-mode=unbuffered` each buffer is written at once, so all lines
//! are complete even if the process is killed. Add `o-sync=true` to survive power failures.
//!
//! The header of CSV and WebVTT is sent once, as a separate buffer with the flag `HEADER`. From then on the caps also contain
//! it as `streamheader`: `multifilesink` writes it at the start of each file, and `tcpserversink` sends it to each new
//! client. With `multifilesink next-file=key-unit-event` the application decides where a new file starts, by a
//! force-key-unit event. The element passes the event on and sends the header again if the event asks for all headers.
//!
//! `splitmuxsink` (tested with 1.22) ignores GAP events. With the text as a track of its own it stalls during long times
//! without faces. For a recording in fragments, write the text to separate files: `emotion-camera --files-folder` starts a
//! new file for both at the same frame.
//!
//! ## Example launch lines
//!
//! A CSV file:
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=90 ! facedetect ! emotionclassify ! emotionexport format=csv source=test ! filesink location=faces.csv
//! ```
//!
//! A CSV file for each second:
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=90 ! facedetect ! emotionclassify ! emotionexport format=csv ! multifilesink next-file=max-duration max-file-duration=1000000000 location=faces-%03d.csv
//! ```
//!
//! Since: 1.0. See also: `facedetect`, `emotionclassify`, `emotionoverlay`.

mod events;
mod format;
mod imp;
mod push;
mod settings;
mod state;
mod times;

use gst::glib;
use gst::prelude::*;

#[cfg(feature = "publish")]
pub(super) use format::record_caps;

use crate::export::Format;

glib::wrapper! {
    /// The element `emotionexport`.
    pub struct EmotionExport(ObjectSubclass<imp::EmotionExport>) @extends gst::Element, gst::Object;
}

/// Registers the element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    Format::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "emotionexport", gst::Rank::NONE, EmotionExport::static_type())
}
