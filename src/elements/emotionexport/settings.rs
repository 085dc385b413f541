// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionexport` and their values.

use gst::glib;
use gst::prelude::*;

use super::format::EmotionExportFormat;
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
pub(super) fn param_specs() -> Vec<glib::ParamSpec> {
    let default = Settings::default();
    vec![
        glib::ParamSpecEnum::builder_with_default("format", default.format)
            .nick("Format")
            .blurb("Format of the text")
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt64::builder("interval")
            .nick("Interval")
            .blurb("Export one frame, or one summary, per interval of this length, in nanoseconds (0 = every frame)")
            .default_value(default.interval)
            .mutable_ready()
            .build(),
        glib::ParamSpecBoolean::builder("on-change")
            .nick("On change")
            .blurb(
                "Export a frame only when a face appears, disappears or changes its label, and a summary only when its counts \
                 change; each record is valid until the next one",
            )
            .default_value(default.on_change)
            .mutable_ready()
            .build(),
        glib::ParamSpecBoolean::builder("aggregate-only")
            .nick("Aggregate only")
            .blurb("Export only counts and mean scores of each interval, without boxes and ids")
            .default_value(default.aggregate_only)
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("source")
            .nick("Source")
            .blurb("Name of the video in the field `stream` of every record (unset = the stream id)")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt64::builder("hysteresis")
            .nick("Hysteresis")
            .blurb(
                "With format=events: how long a face must be in view, be gone, show another expression or do something else before \
                 that is reported, in nanoseconds",
            )
            .default_value(default.hysteresis)
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("geometry", default.geometry)
            .nick("Geometry")
            .blurb("Which records have pose, landmarks and blendshapes, which facelandmarks estimates")
            .mutable_ready()
            .build(),
    ]
}
