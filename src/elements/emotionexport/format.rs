// SPDX-License-Identifier: MIT OR Apache-2.0
//! The formats of the text, and their caps.

use gst::glib;

use crate::export::Format;

/// The media type of lines that are JSON objects.
const NDJSON: &str = "application/x-ndjson";
/// The media type of ONVIF metadata.
const ONVIF: &str = "application/x-onvif-metadata";
/// The schema of records that describe intervals.
const SUMMARY: &str = "summary";
/// The values of the caps' field `schema`.
const SCHEMAS: [&str; 4] = ["faces", "events", "dlstreamer", SUMMARY];

/// The caps of records in JSON.
pub(in crate::elements) fn record_caps() -> gst::Caps {
    gst::Caps::builder(NDJSON).field("schema", gst::List::new(SCHEMAS)).build()
}

/// The values of the property `format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionExportFormat")]
#[non_exhaustive]
pub enum EmotionExportFormat {
    /// `application/x-ndjson`.
    #[default]
    #[enum_value(name = "NDJSON: one JSON object per line", nick = "ndjson")]
    Ndjson,
    /// `text/csv`.
    #[enum_value(name = "CSV: a table with a header line", nick = "csv")]
    Csv,
    /// `application/x-subtitle-vtt`, captions for viewers.
    #[enum_value(name = "WebVTT: captions for viewers", nick = "webvtt")]
    Webvtt,
    /// `application/x-subtitle-vtt`, metadata cues for scripts.
    #[enum_value(name = "WebVTT: metadata cues with JSON", nick = "webvtt-metadata")]
    WebvttMetadata,
    /// `text/x-raw`.
    #[enum_value(name = "Text: one line per face, for muxers and textoverlay", nick = "text")]
    Text,
    /// `application/x-ndjson`, one object for each event.
    #[enum_value(name = "Events: one JSON object when a face appears, changes its expression or leaves", nick = "events")]
    Events,
    /// `application/x-ndjson`, one object for each frame.
    #[enum_value(name = "DL Streamer: the JSON of gvametaconvert, one object per frame", nick = "dlstreamer")]
    Dlstreamer,
    /// `application/x-onvif-metadata`, one XML document for each frame.
    #[enum_value(name = "ONVIF: XML metadata, one document per frame", nick = "onvif-metadata")]
    OnvifMetadata,
}

impl EmotionExportFormat {
    /// The caps of the source pad.
    pub(super) fn caps(self, aggregate_only: bool) -> gst::Caps {
        let ndjson = |schema| gst::Caps::builder(NDJSON).field("schema", if aggregate_only { SUMMARY } else { schema }).build();
        match self {
            Self::Ndjson => ndjson("faces"),
            Self::Events => ndjson("events"),
            Self::Dlstreamer => ndjson("dlstreamer"),
            Self::Csv => gst::Caps::new_empty_simple("text/csv"),
            Self::Webvtt | Self::WebvttMetadata => gst::Caps::new_empty_simple("application/x-subtitle-vtt"),
            Self::Text => gst::Caps::builder("text/x-raw").field("format", "utf8").build(),
            Self::OnvifMetadata => gst::Caps::builder(ONVIF).field("parsed", true).build(),
        }
    }

    /// The caps of all formats.
    pub(super) fn all_caps() -> gst::Caps {
        let mut caps = record_caps();
        for format in [Self::Csv, Self::Webvtt, Self::Text, Self::OnvifMetadata] {
            caps.make_mut().append(format.caps(false));
        }
        caps
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
            EmotionExportFormat::Events => Self::Events,
            EmotionExportFormat::Dlstreamer => Self::DlStreamer,
            EmotionExportFormat::OnvifMetadata => Self::Onvif,
        }
    }
}
