// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records of a frame.

use serde::{Deserialize, Serialize};

use crate::text::known;
use crate::{ByLabel, Text, Times, UnknownReason};

/// A face on an exported frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FaceLine", transform = crate::schema::Tag(crate::FACE)))]
#[serde(tag = "type", rename = "face", bound(deserialize = "'de: 'a"))]
pub struct FaceLine<'a> {
    /// Version of the fields.
    #[serde(default)]
    pub version: u32,
    /// Name of the video: the property `source`, or its stream id.
    #[serde(default)]
    pub stream: Text<'a>,
    /// Number of frames that arrived before this one.
    pub frame: u64,
    /// The times of the frame.
    #[serde(flatten)]
    pub times: Times,
    /// Track id, unique in the stream; null if faces are not tracked.
    pub id: Option<u64>,
    /// Where the face is.
    pub r#box: FaceBox,
    /// Written only if it is true: the face may be elsewhere, because an element may have moved the picture.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misplaced: bool,
    /// The detector's confidence, 0..1.
    pub confidence: Option<f64>,
    /// Name of the model that found the face.
    pub detector: Option<Text<'a>>,
    /// The detector's landmarks.
    pub landmarks: Option<Landmarks>,
    /// Apparent expression, or `unknown`; null if nothing upstream scores faces.
    pub label: Option<Text<'a>>,
    /// Index of the label in the model's order.
    pub label_id: Option<usize>,
    /// Why the label is `unknown`: `uncertain` (no score reaches the threshold), `small` (the face is too small), `turned` (it is turned
    /// away too far) or `pending` (it is not scored yet).
    #[serde(default, deserialize_with = "known")]
    pub reason: Option<UnknownReason>,
    /// Score of the label, 0..1; for `unknown` the highest score; null until the face is scored.
    pub score: Option<f64>,
    /// The most probable class after the label.
    pub second: Option<Text<'a>>,
    /// The score of each label, in the model's order.
    pub scores: Option<ByLabel<Text<'a>, f64>>,
    /// True if the scores are averaged over time.
    pub smoothed: Option<bool>,
    /// Nanoseconds since the frame on which the face was scored.
    pub age: Option<u64>,
    /// Seconds that the face's baseline rests on, to which the scores are relative; absent if they are relative to all people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// Written only for a face with a geometry. A line that is read always has it, perhaps without values.
    #[serde(flatten)]
    pub geometry: Option<Geometry<'a>>,
}

/// A frame without faces, where only changes are exported: a record holds until the next one, so the absence of faces is a record, too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FrameLine", transform = crate::schema::Tag(crate::FRAME)))]
#[serde(tag = "type", rename = "frame", bound(deserialize = "'de: 'a"))]
pub struct FrameLine<'a> {
    /// Version of the fields.
    #[serde(default)]
    pub version: u32,
    /// Name of the video, as of a face.
    #[serde(default)]
    pub stream: Text<'a>,
    /// Number of frames that arrived before this one.
    pub frame: u64,
    /// The times of the frame.
    #[serde(flatten)]
    pub times: Times,
    /// 0.
    pub faces: u64,
}

/// Left, top, width and height of a box, in 0..1 of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs, reason = "the names say it")]
pub struct FaceBox {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

/// A point in 0..1 of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs, reason = "the names say it")]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// Five landmarks; right and left are the person's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs, reason = "the names say it")]
pub struct Landmarks {
    pub right_eye: Point,
    pub left_eye: Point,
    pub nose: Point,
    pub right_mouth: Point,
    pub left_mouth: Point,
}

/// The fields of a face that `facelandmarks` has estimated. The exporter's property `geometry` says which records have them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Geometry<'a> {
    /// Where the head turns.
    pub pose: Option<Pose>,
    /// x and y in 0..1 of the frame: iBUG's 68 points, the right and the left iris.
    pub landmarks_70: Option<Vec<[f64; 2]>>,
    /// How far each of 52 blendshapes is activated, 0..1, with ARKit's names in alphabetical order.
    pub blendshapes: Option<ByLabel<Text<'a>, f64>>,
    /// How far to rely on them, 0..1.
    pub trust: Option<f64>,
    /// Nanoseconds since the frame on which they were estimated.
    pub geometry_age: Option<u64>,
}

/// The pose of a head in degrees, 0 = facing the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pose {
    /// To the person's own left.
    pub yaw: f64,
    /// Up.
    pub pitch: f64,
    /// Clockwise in the picture.
    pub roll: f64,
}
