// SPDX-License-Identifier: MIT OR Apache-2.0
//! The networks of a scan, identified by their contents. A name or path may refer to another network on another machine, or
//! later.

use serde::{Deserialize, Serialize};

/// The SHA-256 of the models' files and of their descriptions, in hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Of the detector, and of its refiner after a space.
    pub detector: String,
    /// Of the expression model.
    pub classifier: String,
    /// Of the description of the detector, and of that of its refiner after a space. Other descriptions of the same weights give
    /// other boxes.
    pub detector_description: String,
    /// Of the description of the expression model.
    pub classifier_description: String,
    /// Of the geometry model; empty without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub geometry: String,
    /// Of the description of the geometry model; empty without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub geometry_description: String,
}

impl std::fmt::Display for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { detector, classifier, detector_description, classifier_description, geometry, geometry_description } = self;
        write!(f, "detector {detector} with description {detector_description}, ")?;
        write!(f, "classifier {classifier} with description {classifier_description}")?;
        if geometry.is_empty() { Ok(()) } else { write!(f, ", geometry {geometry} with description {geometry_description}") }
    }
}
