// SPDX-License-Identifier: MIT OR Apache-2.0
//! The export formats and their writers.

use super::{Content, GeometryFields, RecordWriter, csv, dlstreamer, ndjson, onvif, text, webvtt};

/// An export format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    #[default]
    Ndjson,
    /// A table with a header line, RFC 4180.
    Csv,
    /// WebVTT captions for viewers.
    WebVtt,
    /// WebVTT metadata cues, each carrying one JSON object.
    WebVttMetadata,
    /// Plain text, one line per face.
    Text,
    /// Events, one JSON object per line.
    Events,
    /// The JSON of DL Streamer's `gvametaconvert`, one object per line.
    DlStreamer,
    /// ONVIF metadata, one XML document per line.
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
