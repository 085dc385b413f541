// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionexport` and their values.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;

use super::format::EmotionExportFormat;
use crate::elements::properties::When::{Playing, Ready};
use crate::elements::properties::{Properties, boolean, choice, field, string, uint64};
use crate::elements::upstream::keeps_place;
use crate::export::GeometryFields;

/// The values of the property `geometry`: which records have the geometry of a face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionExportGeometry")]
pub enum EmotionExportGeometry {
    /// [`GeometryFields::Auto`].
    #[default]
    #[enum_value(name = "Those of faces that have one; CSV has the columns if its first record has one", nick = "auto")]
    Auto,
    /// [`GeometryFields::Always`].
    #[enum_value(name = "All, with empty values for faces without one", nick = "always")]
    Always,
    /// [`GeometryFields::Never`].
    #[enum_value(name = "None", nick = "never")]
    Never,
}

impl From<EmotionExportGeometry> for GeometryFields {
    fn from(geometry: EmotionExportGeometry) -> Self {
        match geometry {
            EmotionExportGeometry::Auto => Self::Auto,
            EmotionExportGeometry::Always => Self::Always,
            EmotionExportGeometry::Never => Self::Never,
        }
    }
}

/// The values of the properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) format: EmotionExportFormat,
    pub(super) interval: u64,
    pub(super) on_change: bool,
    pub(super) aggregate_only: bool,
    pub(super) source: Option<String>,
    pub(super) hysteresis: u64,
    pub(super) geometry: EmotionExportGeometry,
    pub(super) keeps_place: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: EmotionExportFormat::default(),
            interval: 0,
            on_change: false,
            aggregate_only: false,
            source: None,
            hysteresis: gst::ClockTime::from_mseconds(500).nseconds(),
            geometry: EmotionExportGeometry::default(),
            keeps_place: None,
        }
    }
}

impl Settings {
    /// The caps of the source pad.
    pub(super) fn caps(&self) -> gst::Caps {
        self.format.caps(self.aggregate_only)
    }
}

/// The properties.
#[rustfmt::skip]
pub(super) static PROPERTIES: LazyLock<Properties<Settings>> = LazyLock::new(|| {
    let default = Settings::default();
    Properties::new(vec![
        field!(Settings: choice("format", "Format", "Format of the text", default.format, Ready), format),
        field!(Settings: uint64("interval", "Interval",
            "Export one frame, or one summary, per interval of this length, in nanoseconds (0 = every frame)",
            default.interval, Ready), interval),
        field!(Settings: boolean("on-change", "On change",
            "Export a frame only when a face appears, disappears or changes its label, and a summary only when its counts change; each \
             record is valid until the next one", default.on_change, Ready), on_change),
        field!(Settings: boolean("aggregate-only", "Aggregate only",
            "Export only counts and mean scores of each interval, without boxes and ids", default.aggregate_only, Ready), aggregate_only),
        field!(Settings: string("source", "Source",
            "Name of the video in the field `stream` of every record (unset = the stream id)", Playing), source),
        field!(Settings: uint64("hysteresis", "Hysteresis",
            "With format=events: how long a face must be in view, be gone, show another expression or do something else before that is \
             reported, in nanoseconds", default.hysteresis, Ready), hysteresis),
        field!(Settings: choice("geometry", "Geometry",
            "Which records have pose, landmarks and blendshapes, which facelandmarks estimates", default.geometry, Ready), geometry),
        field!(Settings: keeps_place(Ready), keeps_place),
    ])
});
