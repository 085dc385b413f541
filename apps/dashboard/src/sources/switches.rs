// SPDX-License-Identifier: MIT OR Apache-2.0
//! The switches of a source.

use clap::ValueEnum;
use emotion_supervise::chain::{self, Baseline, DETECTOR, MAX_INTERVAL, Prior};
use emotion_supervise::kept;
use emotion_supervise::setting::Setting;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::hiding::Hidden;

/// Switches of the page that set properties of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// Draws, sends and records no individual faces.
    pub aggregate_only: bool,
    /// Makes faces in the pictures unrecognisable.
    pub blur: bool,
    /// Estimates where heads are turned, and blinks. The pipeline is built again for it.
    pub geometry: bool,
    /// How frequent the expressions are assumed to be.
    #[schemars(schema_with = "choices::<Prior>")]
    pub prior: Prior,
    /// What the scores of a face are relative to.
    #[schemars(schema_with = "choices::<Baseline>")]
    pub baseline: Baseline,
    /// Minimum confidence of a reported face, 0..1; null is the threshold of the model.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// Frames from one search for faces to the next, 1 to 300.
    #[schemars(range(min = 1, max = MAX_INTERVAL))]
    pub interval: u32,
}

/// Why switches stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// There is no such switch, or its value has another type.
    #[error(transparent)]
    Unknown(#[from] serde_json::Error),
    #[error("expected a threshold of 0 to 1")]
    Threshold,
    #[error("expected an interval of 1 to {MAX_INTERVAL} frames")]
    Interval,
}

impl Switches {
    /// These switches with what `change` sets. The others stay, because another viewer may have set them.
    ///
    /// # Errors
    /// If `change` has an unknown switch, or a value that is out of range.
    pub fn changed(&self, change: Map<String, Value>) -> Result<Self, SwitchError> {
        let switches = kept::changed(self, change)?;
        if switches.threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            return Err(SwitchError::Threshold);
        }
        if !(1..=MAX_INTERVAL).contains(&switches.interval) {
            return Err(SwitchError::Interval);
        }
        Ok(switches)
    }

    /// Those that hide faces.
    pub fn hidden(&self) -> Hidden {
        Hidden { aggregate_only: self.aggregate_only, blur: self.blur }
    }

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
            chain::prior(self.prior),
            chain::baseline(self.baseline),
        ]
    }
}

/// The schema of a value of the command line.
pub fn choices<T: ValueEnum>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": T::value_variants().iter().map(chain::name_of).collect::<Vec<_>>()})
}

impl Default for Switches {
    fn default() -> Self {
        let (aggregate_only, blur, geometry, prior, baseline, threshold) = Default::default();
        Self { aggregate_only, blur, geometry, prior, baseline, threshold, interval: 1 }
    }
}
