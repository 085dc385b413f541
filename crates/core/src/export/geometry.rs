// SPDX-License-Identifier: MIT OR Apache-2.0
//! The geometry of a face in records: the fields of NDJSON, the columns of CSV, the object of DL Streamer's JSON.

use emotion_records::{Geometry, Pose};

use super::field::{angle, coordinate, score};
use crate::face_geometry::{BLENDSHAPES, FaceGeometry, LANDMARKS};

/// Which records have the geometry of a face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "glib", derive(glib::Enum), enum_type(name = "GstEmotionExportGeometry"))]
pub enum GeometryFields {
    /// NDJSON has the fields for faces that have a geometry; CSV has the columns if a face of the first record has one.
    #[default]
    #[cfg_attr(
        feature = "glib",
        enum_value(name = "Those of faces that have one; CSV has the columns if its first record has one", nick = "auto")
    )]
    Auto,
    /// Every record has them, null or empty for a face without a geometry.
    #[cfg_attr(feature = "glib", enum_value(name = "All, with empty values for faces without one", nick = "always"))]
    Always,
    /// None has them.
    #[cfg_attr(feature = "glib", enum_value(name = "None", nick = "never"))]
    Never,
}

impl GeometryFields {
    /// True if a table has the columns, given whether a face of its first record has a geometry.
    pub(super) fn has_columns(self, is_there: bool) -> bool {
        self == Self::Always || (self == Self::Auto && is_there)
    }
}

/// The fields of a face in NDJSON, if the record has any.
pub(super) fn geometry_of(geometry: Option<&FaceGeometry>, fields: GeometryFields) -> Option<Geometry<'static>> {
    match (geometry, fields) {
        (_, GeometryFields::Never) | (None, GeometryFields::Auto) => None,
        (None, GeometryFields::Always) => Some(Geometry::default()),
        (Some(geometry), _) => Some(geometry.into()),
    }
}

impl From<&FaceGeometry> for Geometry<'static> {
    fn from(geometry: &FaceGeometry) -> Self {
        let [yaw, pitch, roll] = geometry.pose.to_array().map(angle);
        Self {
            pose: Some(Pose { yaw, pitch, roll }),
            landmarks_70: Some(geometry.landmarks_norm.0.iter().map(|point| [point.x, point.y].map(coordinate)).collect()),
            blendshapes: Some(geometry.blendshapes.iter().map(|(name, value)| (name, score(value))).collect()),
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
    let landmarks = geometry.landmarks_norm.0.into_iter().flat_map(|point| [point.x, point.y].map(coordinate));
    // A double holds every number of nanoseconds up to 104 days.
    pose.into_iter().chain([score(geometry.trust), age_ns(geometry) as f64]).chain(blendshapes).chain(landmarks)
}
