// SPDX-License-Identifier: MIT OR Apache-2.0
//! The networks of a scan, identified by their contents. A name or path may refer to another network on another machine, or
//! later.

use serde::{Deserialize, Serialize};

/// The SHA-256 of the models' files, in hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Of the detector, and of its refiner after a space.
    pub detector: String,
    /// Of the expression model.
    pub classifier: String,
}

impl std::fmt::Display for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "detector {} and classifier {}", self.detector, self.classifier)
    }
}
