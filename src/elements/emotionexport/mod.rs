// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionexport`: video with faces in, timed text out.
//!
//! It reads the metadata that a detector and `emotionclassify` put on the buffers and sends text: NDJSON, CSV, WebVTT
//! or plain subtitles. It takes the video and gives none back, so it sits on a branch of a `tee`, or at the end.
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=90 ! facedetect ! emotionclassify ! emotionexport format=csv ! filesink location=faces.csv
//! ```
//!
//! The fields of a record are listed in [`crate::export`].
//!
//! # Time
//!
//! Every buffer has a timestamp and a duration. A frame without a duration, in caps without a rate, lasts until the next
//! one: its text is sent when that one comes. Buffers do not overlap, and what they leave free is told by GAP events,
//! so a muxer need not wait. With `interval`, the first frame with faces in each interval is exported and its text holds
//! until the interval ends. The summary of an interval is sent when the interval is over and stamped with that time; the
//! record inside says which time it is about.
//!
//! `utc` is known where the buffer has a `GstReferenceTimestampMeta` in Unix or NTP time, and in a live pipeline, where
//! it is taken from the system's clock; the time of day at which a file is read is not when it was filmed.
//!
//! # Files
//!
//! Each buffer ends with the end of a line. `filesink buffer-mode=unbuffered` writes each one at once, so a process that
//! is killed leaves every line whole; `o-sync=true` beside it is for power cuts.
//!
//! The header of CSV and WebVTT is sent once, as a buffer of its own with the flag `HEADER`, and from then on stands in
//! the caps as `streamheader`: `multifilesink` begins each of its files with it, and `tcpserversink` greets each client.
//! With `next-file=key-unit-event` an application decides where a file ends: the event passes through, and if it asks for
//! all headers the header is sent after it.
//!
//! `splitmuxsink` (seen in 1.22) does not count GAP events: with text as a track of its own it stops where there are no
//! faces for long. Beside a recording in fragments the text belongs into files of its own; `pipelines/segments.sh` changes
//! both at the same frame.
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=90 ! facedetect ! emotionclassify ! emotionexport format=csv ! multifilesink next-file=max-duration max-file-duration=1000000000 location=faces-%03d.csv
//! ```

mod imp;
mod state;

use gst::glib;
use gst::prelude::*;

use crate::export::Format;

/// The formats of `emotionexport`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionExportFormat")]
#[non_exhaustive]
pub enum EmotionExportFormat {
    /// `application/x-ndjson`.
    #[default]
    #[enum_value(name = "NDJSON: one JSON object a line", nick = "ndjson")]
    Ndjson,
    /// `text/csv`.
    #[enum_value(name = "CSV: a table with a header line", nick = "csv")]
    Csv,
    /// `application/x-subtitle-vtt`, for people.
    #[enum_value(name = "WebVTT: captions for people", nick = "webvtt")]
    Webvtt,
    /// `application/x-subtitle-vtt`, for scripts.
    #[enum_value(name = "WebVTT: metadata cues that carry JSON", nick = "webvtt-metadata")]
    WebvttMetadata,
    /// `text/x-raw`.
    #[enum_value(name = "Text: one line a face, for muxers and textoverlay", nick = "text")]
    Text,
}

impl EmotionExportFormat {
    /// Caps of the source pad.
    fn caps(self) -> gst::Caps {
        match self {
            Self::Ndjson => gst::Caps::new_empty_simple("application/x-ndjson"),
            Self::Csv => gst::Caps::new_empty_simple("text/csv"),
            Self::Webvtt | Self::WebvttMetadata => gst::Caps::new_empty_simple("application/x-subtitle-vtt"),
            Self::Text => gst::Caps::builder("text/x-raw").field("format", "utf8").build(),
        }
    }
}

impl From<EmotionExportFormat> for Format {
    fn from(format: EmotionExportFormat) -> Self {
        match format {
            EmotionExportFormat::Ndjson => Self::Ndjson,
            EmotionExportFormat::Csv => Self::Csv,
            EmotionExportFormat::Webvtt => Self::WebVtt,
            EmotionExportFormat::WebvttMetadata => Self::WebVttMetadata,
            EmotionExportFormat::Text => Self::Text,
        }
    }
}

glib::wrapper! {
    /// The element `emotionexport`.
    pub struct EmotionExport(ObjectSubclass<imp::EmotionExport>) @extends gst::Element, gst::Object;
}

/// Registers `emotionexport` with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    EmotionExportFormat::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "emotionexport", gst::Rank::NONE, EmotionExport::static_type())
}
