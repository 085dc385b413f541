// SPDX-License-Identifier: MIT OR Apache-2.0
//! The switches of a source.

use emotion_supervise::chain::{Baseline, DETECTOR, Prior};
use emotion_supervise::setting::Setting;
use serde::{Deserialize, Serialize};

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
    /// What the scores of a face are relative to.
    pub baseline: Baseline,
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

    /// The settings of the elements that find faces and score them.
    pub fn settings(&self) -> [Setting; 4] {
        [
            // Below 0 is the threshold of the model.
            Setting::new(DETECTOR.0, "score-threshold", self.threshold.unwrap_or(-1.0)),
            Setting::new(DETECTOR.0, "detect-interval", self.interval),
            self.prior.setting(),
            self.baseline.setting(),
        ]
    }
}

/// Maximum of [`Switches::interval`].
pub const MAX_INTERVAL: u32 = 300;

impl Default for Switches {
    fn default() -> Self {
        let (aggregate_only, blur, geometry, prior, baseline, threshold) = Default::default();
        Self { aggregate_only, blur, geometry, prior, baseline, threshold, interval: 1 }
    }
}
