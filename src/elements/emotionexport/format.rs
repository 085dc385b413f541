// SPDX-License-Identifier: MIT OR Apache-2.0
//! The formats of the text, and their caps.

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

/// The caps of the source pad for a format.
pub(super) fn caps(format: Format, aggregate_only: bool) -> gst::Caps {
    let ndjson = |schema| gst::Caps::builder(NDJSON).field("schema", if aggregate_only { SUMMARY } else { schema }).build();
    match format {
        Format::Ndjson => ndjson("faces"),
        Format::Events => ndjson("events"),
        Format::DlStreamer => ndjson("dlstreamer"),
        Format::Csv => gst::Caps::new_empty_simple("text/csv"),
        Format::WebVtt | Format::WebVttMetadata => gst::Caps::new_empty_simple("application/x-subtitle-vtt"),
        Format::Text => gst::Caps::builder("text/x-raw").field("format", "utf8").build(),
        Format::Onvif => gst::Caps::builder(ONVIF).field("parsed", true).build(),
    }
}

/// The caps of all formats.
pub(super) fn all_caps() -> gst::Caps {
    let mut all = record_caps();
    for format in [Format::Csv, Format::WebVtt, Format::Text, Format::Onvif] {
        all.make_mut().append(caps(format, false));
    }
    all
}
