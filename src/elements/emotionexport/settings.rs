// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionexport` and their values.

use gst::glib;
use gst::prelude::*;

use super::EmotionExportFormat;

/// The values of the properties.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    pub(super) format: EmotionExportFormat,
    pub(super) interval: u64,
    pub(super) on_change: bool,
    pub(super) aggregate_only: bool,
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
    ]
}
