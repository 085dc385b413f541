// SPDX-License-Identifier: MIT OR Apache-2.0
//! The export formats and their writers.

use super::{Content, GeometryFields, RecordWriter, csv, dlstreamer, ndjson, onvif, text, webvtt};

/// An export format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "glib", derive(glib::Enum), enum_type(name = "GstEmotionExportFormat"))]
pub enum Format {
    /// One JSON object per line.
    #[default]
    #[cfg_attr(feature = "glib", enum_value(name = "NDJSON: one JSON object per line", nick = "ndjson"))]
    Ndjson,
    /// A table with a header line, RFC 4180.
    #[cfg_attr(feature = "glib", enum_value(name = "CSV: a table with a header line", nick = "csv"))]
    Csv,
    /// WebVTT captions for viewers.
    #[cfg_attr(feature = "glib", enum_value(name = "WebVTT: captions for viewers", nick = "webvtt"))]
    WebVtt,
    /// WebVTT metadata cues, each carrying one JSON object.
    #[cfg_attr(feature = "glib", enum_value(name = "WebVTT: metadata cues with JSON", nick = "webvtt-metadata"))]
    WebVttMetadata,
    /// Plain text, one line per face.
    #[cfg_attr(feature = "glib", enum_value(name = "Text: one line per face, for muxers and textoverlay", nick = "text"))]
    Text,
    /// Events, one JSON object per line.
    #[cfg_attr(
        feature = "glib",
        enum_value(name = "Events: one JSON object when a face appears, changes its expression or leaves", nick = "events")
    )]
    Events,
    /// The JSON of DL Streamer's `gvametaconvert`, one object per line.
    #[cfg_attr(feature = "glib", enum_value(name = "DL Streamer: the JSON of gvametaconvert, one object per frame", nick = "dlstreamer"))]
    DlStreamer,
    /// ONVIF metadata, one XML document per line.
    #[cfg_attr(feature = "glib", enum_value(name = "ONVIF: XML metadata, one document per frame", nick = "onvif-metadata"))]
    Onvif,
}

impl Format {
    /// Creates a writer of this format. Only formats with JSON and CSV have fields for the geometry of faces.
    pub fn writer(self, content: Content, geometry: GeometryFields) -> Box<dyn RecordWriter> {
        match self {
            Self::Ndjson | Self::Events => Box::new(ndjson::NdjsonWriter { geometry }),
            Self::Csv => Box::new(csv::CsvWriter::new(content, geometry)),
            Self::WebVtt => Box::new(webvtt::CaptionWriter),
            Self::WebVttMetadata => Box::new(webvtt::MetadataWriter { geometry }),
            Self::Text => Box::new(text::TextWriter),
            Self::DlStreamer => Box::new(dlstreamer::DlStreamerWriter { geometry }),
            Self::Onvif => Box::new(onvif::OnvifWriter),
        }
    }
}
