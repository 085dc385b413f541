// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of an interval.

use serde::{Deserialize, Serialize};

use crate::{ByLabel, Text, Times};

/// An interval. It contains no box and no id. Intervals without faces are written, too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "SummaryLine", transform = crate::schema::Tag(crate::SUMMARY)))]
#[serde(tag = "type", rename = "summary", bound(deserialize = "'de: 'a"))]
pub struct SummaryLine<'a> {
    /// Version of the fields.
    #[serde(default)]
    pub version: u32,
    /// Name of the video: the property `source`, or its stream id.
    #[serde(default)]
    pub stream: Text<'a>,
    /// The times of the first frame. The duration extends to the end of the last.
    #[serde(flatten)]
    pub times: Times,
    /// Number of frames in the interval.
    pub frames: u64,
    /// Mean number of faces on a frame.
    pub faces_mean: f64,
    /// Maximum number of faces on a frame.
    pub faces_max: u64,
    /// Number of scored faces over all frames; one face on ten frames counts ten times.
    pub faces_scored: u64,
    /// Number of scored faces with each label, and with `unknown`.
    pub counts: ByLabel<Text<'a>, u64>,
    /// Mean score of each label over the scored faces; null without any.
    pub scores: Option<ByLabel<Text<'a>, f64>>,
}
