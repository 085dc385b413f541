// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionexport` and their values.

use std::sync::LazyLock;

use gst::prelude::*;

use super::format;
use crate::elements::properties::When::{Playing, Ready};
use crate::elements::properties::{Properties, boolean, choice, field, string, uint64};
use crate::elements::upstream::keeps_place;
use crate::export::Options;

/// The values of the properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) options: Options,
    pub(super) source: Option<String>,
    pub(super) keeps_place: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let hysteresis_ns = gst::ClockTime::from_mseconds(500).nseconds();
        Self { options: Options { hysteresis_ns, ..Options::default() }, source: None, keeps_place: None }
    }
}

impl Settings {
    /// The caps of the source pad.
    pub(super) fn caps(&self) -> gst::Caps {
        format::caps(self.options.format, self.options.aggregate_only)
    }
}

/// The properties.
#[rustfmt::skip]
pub(super) static PROPERTIES: LazyLock<Properties<Settings>> = LazyLock::new(|| {
    let default = Settings::default().options;
    Properties::new(vec![
        field!(Settings: choice("format", "Format", "Format of the text", default.format, Ready), options.format),
        field!(Settings: uint64("interval", "Interval",
            "Export one frame, or one summary, per interval of this length, in nanoseconds (0 = every frame)",
            default.interval_ns, Ready), options.interval_ns),
        field!(Settings: boolean("on-change", "On change",
            "Export a frame only when a face appears, disappears or changes its label, and a summary only when its counts change; each \
             record is valid until the next one", default.on_change, Ready), options.on_change),
        field!(Settings: boolean("aggregate-only", "Aggregate only",
            "Export only counts and mean scores of each interval, without boxes and ids", default.aggregate_only, Ready),
            options.aggregate_only),
        field!(Settings: string("source", "Source",
            "Name of the video in the field `stream` of every record (unset = the stream id)", Playing), source),
        field!(Settings: uint64("hysteresis", "Hysteresis",
            "With format=events: how long a face must be in view, be gone, show another expression or do something else before that is \
             reported, in nanoseconds", default.hysteresis_ns, Ready), options.hysteresis_ns),
        field!(Settings: choice("geometry", "Geometry",
            "Which records have pose, landmarks and blendshapes, which facelandmarks estimates", default.geometry, Ready),
            options.geometry),
        field!(Settings: keeps_place(Ready), keeps_place),
    ])
});
