// SPDX-License-Identifier: MIT OR Apache-2.0
//! The geometry of a face in records: the fields of NDJSON, the columns of CSV, the object of DL Streamer's JSON.

use serde::Serialize;

use super::field::{coordinate, score};
use super::ndjson::ByLabel;
use crate::face_geometry::{BLENDSHAPES, FaceGeometry, HeadPose, LANDMARKS};

/// Which records have the geometry of a face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GeometryFields {
    /// NDJSON has the fields for faces that have a geometry; CSV has the columns if a face of the first record has one.
    #[default]
    Auto,
    /// Every record has them, null or empty for a face without a geometry.
    Always,
    /// None has them.
    Never,
}

impl GeometryFields {
    /// True if a table has the columns, given whether a face of its first record has a geometry.
    pub(super) fn has_columns(self, is_there: bool) -> bool {
        self == Self::Always || (self == Self::Auto && is_there)
    }
}

/// An angle in degrees, rounded to 2 decimal places.
pub(super) fn angle(degrees: f32) -> f64 {
    (f64::from(degrees) * 100.0).round() / 100.0 + 0.0
}

#[derive(Serialize)]
pub(super) struct PoseJson {
    yaw: f64,
    pitch: f64,
    roll: f64,
}

impl From<HeadPose> for PoseJson {
    fn from(pose: HeadPose) -> Self {
        let [yaw, pitch, roll] = pose.to_array().map(angle);
        Self { yaw, pitch, roll }
    }
}

/// The fields of a face in NDJSON.
#[derive(Default, Serialize)]
pub(super) struct GeometryJson {
    pose: Option<PoseJson>,
    /// x and y of each landmark.
    landmarks_70: Option<Vec<[f64; 2]>>,
    blendshapes: Option<ByLabel<'static, f64>>,
    trust: Option<f64>,
    geometry_age: Option<u64>,
}

impl GeometryJson {
    /// The fields of a face, if the record has any.
    pub(super) fn of(geometry: Option<&FaceGeometry>, fields: GeometryFields) -> Option<Self> {
        match (geometry, fields) {
            (_, GeometryFields::Never) | (None, GeometryFields::Auto) => None,
            (None, GeometryFields::Always) => Some(Self::default()),
            (Some(geometry), _) => Some(geometry.into()),
        }
    }
}

impl From<&FaceGeometry> for GeometryJson {
    fn from(geometry: &FaceGeometry) -> Self {
        Self {
            pose: Some(geometry.pose.into()),
            landmarks_70: Some(geometry.landmarks_norm.0.iter().map(|point| [coordinate(point.x), coordinate(point.y)]).collect()),
            blendshapes: Some(ByLabel(geometry.blendshapes.iter().map(|(name, value)| (name, score(value))).collect())),
            trust: Some(score(geometry.trust)),
            geometry_age: Some(age_ns(geometry)),
        }
    }
}

fn age_ns(geometry: &FaceGeometry) -> u64 {
    u64::try_from(geometry.age.as_nanos()).unwrap_or(u64::MAX)
}

/// The names of the columns of a table.
pub(super) fn columns() -> impl Iterator<Item = String> {
    let numbers = ["yaw", "pitch", "roll", "trust", "geometry_age"].map(String::from);
    let landmarks = (0..LANDMARKS).flat_map(|index| ["x", "y"].map(|axis| format!("landmark_{index}_{axis}")));
    numbers.into_iter().chain(BLENDSHAPES.map(|name| format!("blendshape_{name}"))).chain(landmarks)
}

/// The cells of a face, in the order of [`columns`].
pub(super) fn cells(geometry: &FaceGeometry) -> impl Iterator<Item = f64> {
    let pose = geometry.pose.to_array().map(angle);
    let blendshapes = geometry.blendshapes.0.map(score);
    let landmarks = geometry.landmarks_norm.0.into_iter().flat_map(|point| [coordinate(point.x), coordinate(point.y)]);
    // A double holds every number of nanoseconds up to 104 days.
    pose.into_iter().chain([score(geometry.trust), age_ns(geometry) as f64]).chain(blendshapes).chain(landmarks)
}
