// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is published: the properties of the elements for it.

use emotion_supervise::setting;
use gst::prelude::*;

use crate::graph::AnalysisError;
use crate::homeassistant;
use crate::options::{Options, Publish};
use crate::value::Schema;

/// The properties of the `emotionexport` of a schema.
pub fn export(schema: Schema, publish: &Publish) -> String {
    let (interval, hysteresis) = (publish.interval.as_nanos(), publish.hysteresis.as_nanos());
    match schema {
        Schema::Events => format!("format=events hysteresis={hysteresis}"),
        Schema::Faces => format!("interval={interval}"),
        Schema::Summary => format!("aggregate-only=true interval={interval}"),
        Schema::DlStreamer => format!("format=dlstreamer interval={interval}"),
    }
}

/// Sets the properties of `emotionpublish`.
pub fn set_up(publisher: gst::Element, publish: &Publish, options: &Options) -> Result<gst::Element, AnalysisError> {
    for &(property, ref text) in &publish.properties {
        setting::set(&publisher, property, text).map_err(|fault| AnalysisError::Property { property, fault })?;
    }
    if let Some(prefix) = &publish.homeassistant {
        publisher.set_property("retained-messages", homeassistant::messages(prefix, options, publish));
    }
    publisher.set_property("drain-timeout", u64::try_from(publish.drain_timeout.as_nanos()).unwrap_or(u64::MAX));
    Ok(publisher)
}
