// SPDX-License-Identifier: MIT OR Apache-2.0
//! The switches of a source.

use serde::{Deserialize, Serialize};

/// The property `prior` of `emotionclassify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prior {
    /// As frequent as in front of a camera.
    #[default]
    Natural,
    /// All alike, as in posed or selected pictures.
    Balanced,
}

/// Switches of the page that set properties of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// Draws, sends and records no individual faces.
    pub aggregate_only: bool,
    /// Makes faces in the pictures unrecognisable.
    pub blur: bool,
    /// Estimates where heads are turned, and blinks. The pipeline is built again for it.
    pub geometry: bool,
    /// How frequent the expressions are assumed to be.
    pub prior: Prior,
    /// Minimum confidence of a reported face, 0..1; `None` is the threshold of the model.
    pub threshold: Option<f64>,
    /// Frames from one search for faces to the next, 1..=[`MAX_INTERVAL`].
    pub interval: u32,
}

impl Switches {
    /// True if what was made under these switches may be seen under `other`.
    pub fn hide_as_much_as(&self, other: &Self) -> bool {
        self.blur >= other.blur && self.aggregate_only >= other.aggregate_only
    }
}

/// Maximum of [`Switches::interval`].
pub const MAX_INTERVAL: u32 = 300;

impl Default for Switches {
    fn default() -> Self {
        Self { aggregate_only: false, blur: false, geometry: false, prior: Prior::Natural, threshold: None, interval: 1 }
    }
}
