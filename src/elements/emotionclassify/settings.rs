// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionclassify` and their values.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::crops::results::Selection;
use crate::elements::analyser::stats;
use crate::elements::face_network::settings::{self as face_settings, FaceSettings};
use crate::elements::properties;
use crate::error::Result;
use crate::expression::classifier::Classifier;
use crate::expression::scorer::ScoringOptions;
use crate::face_geometry::PoseLimits;
use crate::model::{self, embedded::EXPRESSION};

/// The values of the property `prior`: how frequent the expressions are assumed to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionPrior")]
pub enum Prior {
    /// [`model::Prior::Natural`].
    #[default]
    #[enum_value(name = "As frequent as in front of a camera: mostly neutral and happy", nick = "natural")]
    Natural,
    /// [`model::Prior::Balanced`].
    #[enum_value(name = "All alike, as in posed or selected pictures", nick = "balanced")]
    Balanced,
}

impl From<Prior> for model::Prior {
    fn from(prior: Prior) -> Self {
        match prior {
            Prior::Natural => Self::Natural,
            Prior::Balanced => Self::Balanced,
        }
    }
}

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

/// The properties.
pub(super) fn param_specs() -> Vec<glib::ParamSpec> {
    let default = Settings::default();
    vec![
        face_settings::model_file(
            "Expression model: an ONNX file with its description beside it, or a name: expression or expression-int8 (unset = \
             expression-int8 on processors with AVX2 or ARM's dot products, expression on others)",
        ),
        face_settings::batch_size(),
        face_settings::reclassify_interval("Classify each face on every n-th frame"),
        face_settings::max_faces_per_frame(
            "Maximum number of faces classified on a frame, in turn; the others keep their last scores (0 = all, at most 1000, or \
             16 if the stream is live)",
        ),
        face_settings::time_budget(
            "Time in nanoseconds that classifications may take on a frame, which limits their number by their measured duration; at \
             least one face is classified (0 = no limit)",
        ),
        properties::motion_gate(
            "Classify a face only when it looks different than at its last classification. Unless it is set, live streams are gated \
             and others are not",
        ),
        properties::idle_interval("With motion-gate: maximum time between two classifications of a face, in nanoseconds"),
        glib::ParamSpecEnum::builder_with_default("prior", default.prior)
            .nick("Prior")
            .blurb("How frequent the expressions are assumed to be where the faces come from; a model without it ignores it")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt64::builder("smoothing")
            .nick("Smoothing")
            .blurb("Half-life of each face's mean scores, in nanoseconds (0 = no smoothing)")
            .default_value(default.smoothing)
            .mutable_playing()
            .build(),
        glib::ParamSpecDouble::builder("min-confidence")
            .nick("Minimum confidence")
            .blurb("Label of a face is unknown if its top score is below this (-1 = the model's own, in its model.toml)")
            .minimum(-1.0)
            .maximum(1.0)
            .default_value(default.min_confidence)
            .mutable_playing()
            .build(),
        face_settings::min_face_size(
            "Label of a face is unknown if its width or height is below this, in pixels",
            default.faces.min_face_size,
        ),
        properties::threads(),
        properties::execution_provider(),
        properties::asynchronous(),
        face_settings::post_messages("When to post an element message with the faces and their scores"),
        properties::model_name(),
        properties::model_sha256(),
        properties::model_description_sha256(),
        stats::param_spec(),
    ]
}
