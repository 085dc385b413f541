// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionclassify` and their values.

use std::sync::LazyLock;
use std::time::Duration;

use gst::prelude::*;

use crate::choices::Prior;
use crate::crops::results::Selection;
use crate::elements::face_network::settings::FaceSettings;
use crate::elements::properties::When::{Playing, Ready};
use crate::elements::properties::{Properties, choice, double, field, string, uint, uint64};
use crate::error::Result;
use crate::expression::classifier::Classifier;
use crate::expression::scorer::ScoringOptions;
use crate::face_geometry::PoseLimits;
use crate::model::embedded::EXPRESSION;

/// The values of the properties.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) faces: FaceSettings,
    pub(super) prior: Prior,
    pub(super) smoothing: u64,
    pub(super) min_confidence: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            faces: FaceSettings::default(),
            prior: Prior::default(),
            smoothing: 200 * gst::ClockTime::MSECOND.nseconds(),
            min_confidence: -1.0,
        }
    }
}

impl Settings {
    /// How the selected faces are scored, with a model that has this minimum confidence and these limits.
    pub(super) fn scoring_options(&self, selection: Selection, min_confidence: f32, pose_limits: PoseLimits) -> ScoringOptions {
        ScoringOptions {
            selection,
            half_life: Duration::from_nanos(self.smoothing),
            min_confidence: if self.min_confidence < 0.0 { min_confidence } else { self.min_confidence as f32 },
            pose_limits,
        }
    }

    /// Loads the chosen model.
    pub(super) fn load_classifier(&self) -> Result<Classifier> {
        let (model, search, run) = self.faces.model(EXPRESSION)?;
        let mut classifier = Classifier::load(model, &search, run)?;
        classifier.set_batch_size(self.faces.batch_size as usize);
        Ok(classifier)
    }
}

/// The properties, besides those of [`FaceSettings`].
#[rustfmt::skip]
pub(super) static PROPERTIES: LazyLock<Properties<Settings>> = LazyLock::new(|| {
    let default = Settings::default();
    Properties::new(vec![
        field!(Settings: string("model-file", "Model file",
            "Expression model: an ONNX file with its description beside it, or a name: expression or expression-int8 (unset = \
             expression-int8 on processors with AVX2 or ARM's dot products, expression on others)", Ready), faces.model_file),
        field!(Settings: choice("prior", "Prior",
            "How frequent the expressions are assumed to be where the faces come from; a model without it ignores it",
            default.prior, Playing), prior),
        field!(Settings: uint64("smoothing", "Smoothing", "Half-life of each face's mean scores, in nanoseconds (0 = no smoothing)",
            default.smoothing, Playing), smoothing),
        field!(Settings: double("min-confidence", "Minimum confidence",
            "Label of a face is unknown if its top score is below this (-1 = the model's own, in its model.toml)",
            -1.0..=1.0, default.min_confidence, Playing), min_confidence),
        field!(Settings: uint("min-face-size", "Minimum face size",
            "Label of a face is unknown if its width or height is below this, in pixels",
            0..=u32::MAX, default.faces.min_face_size, Playing), faces.min_face_size),
    ])
});
