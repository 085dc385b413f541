// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionclassify` and their values.

use std::path::Path;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::crops::results::Selection;
use crate::elements::plugin_folder::plugin_folder;
use crate::elements::properties::{self, ExecutionProvider, PostMessages};
use crate::elements::stats;
use crate::error::Result;
use crate::expression::classifier::Classifier;
use crate::expression::scorer::ScoringOptions;
use crate::model::runtime::RunOptions;
use crate::model::search_path::SearchPath;
use crate::model::{self, ModelFile};
use crate::track::tracker::MAX_DETECTIONS;

/// Maximum number of faces that are classified on a frame of a live stream, unless `max-faces-per-frame` is set. More would
/// delay the frames; the faces take turns instead. A file or a photo has time for all of them, up to [`MAX_DETECTIONS`], and a
/// photo has no later frame.
const LIVE_FACES_PER_FRAME: usize = 16;

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
    pub(super) model_file: Option<String>,
    pub(super) batch_size: u32,
    pub(super) reclassify_interval: u32,
    pub(super) max_faces_per_frame: u32,
    pub(super) time_budget: u64,
    /// `None` until it is set: live streams are then gated.
    pub(super) motion_gate: Option<bool>,
    pub(super) idle_interval: u64,
    pub(super) prior: Prior,
    pub(super) smoothing: u64,
    pub(super) min_confidence: f64,
    pub(super) min_face_size: u32,
    pub(super) threads: u32,
    pub(super) provider: ExecutionProvider,
    pub(super) asynchronous: bool,
    pub(super) post_messages: PostMessages,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model_file: None,
            batch_size: 0,
            reclassify_interval: 1,
            max_faces_per_frame: 0,
            time_budget: 0,
            motion_gate: None,
            idle_interval: properties::IDLE_INTERVAL.nseconds(),
            prior: Prior::default(),
            smoothing: 200 * gst::ClockTime::MSECOND.nseconds(),
            min_confidence: -1.0,
            min_face_size: 16,
            threads: 0,
            provider: ExecutionProvider::default(),
            asynchronous: false,
            post_messages: PostMessages::default(),
        }
    }
}

impl Settings {
    /// How faces are scored in a stream that is live or not, with a model whose own minimum confidence is `min_confidence`.
    pub(super) fn scoring_options(&self, min_confidence: f32, is_live: bool) -> ScoringOptions {
        let budget = match self.max_faces_per_frame {
            0 if is_live => LIVE_FACES_PER_FRAME,
            0 => MAX_DETECTIONS,
            number => number as usize,
        };
        ScoringOptions {
            selection: Selection {
                interval_frames: u64::from(self.reclassify_interval),
                budget,
                min_face_size: self.min_face_size as f32,
                motion_gate: self.motion_gate.unwrap_or(is_live).then_some(Duration::from_nanos(self.idle_interval)),
                time_budget: (self.time_budget > 0).then_some(Duration::from_nanos(self.time_budget)),
            },
            half_life: Duration::from_nanos(self.smoothing),
            min_confidence: if self.min_confidence < 0.0 { min_confidence } else { self.min_confidence as f32 },
        }
    }

    /// Loads the chosen model.
    pub(super) fn load_classifier(&self) -> Result<Classifier> {
        let search = SearchPath::from_env(plugin_folder());
        let run = RunOptions { threads: self.threads, provider: self.provider.into() };
        let model = match self.model_file.as_deref() {
            None => ModelFile::default_expression(&search, self.provider == ExecutionProvider::default())?,
            Some(name) if is_name(name) => ModelFile::named(name, &search)?,
            Some(file) => ModelFile::open(Path::new(file))?,
        };
        let mut classifier = Classifier::load(model, &search, run)?;
        classifier.set_batch_size(self.batch_size as usize);
        Ok(classifier)
    }
}

/// True if `model` is the name of a model rather than a path: a single component without an extension, and no such file
/// exists.
fn is_name(model: &str) -> bool {
    let path = Path::new(model);
    path.components().count() == 1 && path.extension().is_none() && !path.is_file()
}

/// The properties.
pub(super) fn param_specs() -> Vec<glib::ParamSpec> {
    let default = Settings::default();
    vec![
        glib::ParamSpecString::builder("model-file")
            .nick("Model file")
            .blurb(
                "Expression model: an ONNX file with its description beside it, or a name: expression or expression-int8 \
                 (unset = expression-int8 on processors with AVX2 or ARM's dot products, expression on others)",
            )
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt::builder("batch-size")
            .nick("Batch size")
            .blurb("Maximum number of faces in one run of the network (0 = all faces of the frame, up to 64)")
            .default_value(default.batch_size)
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt::builder("reclassify-interval")
            .nick("Reclassification interval")
            .blurb("Classify each face on every n-th frame")
            .minimum(1)
            .default_value(default.reclassify_interval)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-faces-per-frame")
            .nick("Maximum faces per frame")
            .blurb(
                "Maximum number of faces classified on a frame, in turn; the others keep their last scores (0 = all, at \
                 most 1000, or 16 if the stream is live)",
            )
            .default_value(default.max_faces_per_frame)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt64::builder("time-budget")
            .nick("Time budget")
            .blurb(
                "Time in nanoseconds that classifications may take on a frame, which limits their number by their measured duration; \
                 at least one face is classified (0 = no limit)",
            )
            .default_value(default.time_budget)
            .mutable_playing()
            .build(),
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
        glib::ParamSpecUInt::builder("min-face-size")
            .nick("Minimum face size")
            .blurb("Label of a face is unknown if its width or height is below this, in pixels")
            .default_value(default.min_face_size)
            .mutable_playing()
            .build(),
        properties::threads(),
        properties::execution_provider(),
        properties::asynchronous(),
        glib::ParamSpecEnum::builder_with_default("post-messages", default.post_messages)
            .nick("Post messages")
            .blurb("When to post an element message with the faces and their scores")
            .mutable_playing()
            .build(),
        properties::model_name(),
        properties::model_sha256(),
        properties::model_description_sha256(),
        stats::param_spec(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_classified_faces_has_a_limit_in_every_stream() {
        let budget = |max_faces_per_frame, is_live| {
            Settings { max_faces_per_frame, ..Settings::default() }.scoring_options(0.5, is_live).selection.budget
        };
        assert_eq!([budget(0, false), budget(0, true), budget(3, false), budget(40, true)], [1_000, 16, 3, 40]);
    }
}
