// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionclassify`: its class.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;

use super::scoring::{CAT, FaceScoring};
use super::settings;
use crate::elements::analyser::{Analyser, base_transform_impl};
use crate::elements::properties::extract;
use crate::elements::{frame, stats};

/// The instance of `emotionclassify`.
#[derive(Default)]
pub struct EmotionClassify {
    analyser: Analyser<FaceScoring>,
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionClassify {
    const NAME: &'static str = "GstEmotionClassify";
    type Type = super::EmotionClassify;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for EmotionClassify {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(settings::param_specs);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.analyser.settings();
        match pspec.name() {
            "model-file" => settings.model_file = extract(value),
            "batch-size" => settings.batch_size = extract(value),
            "reclassify-interval" => settings.reclassify_interval = extract(value),
            "max-faces-per-frame" => settings.max_faces_per_frame = extract(value),
            "time-budget" => settings.time_budget = extract(value),
            "motion-gate" => settings.motion_gate = Some(extract(value)),
            "idle-interval" => settings.idle_interval = extract(value),
            "prior" => settings.prior = extract(value),
            "smoothing" => settings.smoothing = extract(value),
            "min-confidence" => settings.min_confidence = extract(value),
            "min-face-size" => settings.min_face_size = extract(value),
            "threads" => settings.threads = extract(value),
            "execution-provider" => settings.provider = extract(value),
            "async" => settings.asynchronous = extract(value),
            "post-messages" => settings.post_messages = extract(value),
            name => unreachable!("property {name} is not installed"),
        }
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.analyser.settings();
        match pspec.name() {
            "model-file" => settings.model_file.to_value(),
            "batch-size" => settings.batch_size.to_value(),
            "reclassify-interval" => settings.reclassify_interval.to_value(),
            "max-faces-per-frame" => settings.max_faces_per_frame.to_value(),
            "time-budget" => settings.time_budget.to_value(),
            "motion-gate" => settings.motion_gate.unwrap_or(true).to_value(),
            "idle-interval" => settings.idle_interval.to_value(),
            "prior" => settings.prior.to_value(),
            "smoothing" => settings.smoothing.to_value(),
            "min-confidence" => settings.min_confidence.to_value(),
            "min-face-size" => settings.min_face_size.to_value(),
            "threads" => settings.threads.to_value(),
            "execution-provider" => settings.provider.to_value(),
            "async" => settings.asynchronous.to_value(),
            "post-messages" => settings.post_messages.to_value(),
            "model-name" => self.analyser.model_name().to_value(),
            "model-sha256" => self.analyser.model_sha256().to_value(),
            "model-description-sha256" => self.analyser.description_sha256().to_value(),
            "stats" => stats::structure("application/x-emotionclassify-stats", "classify", &self.analyser.statistics()).to_value(),
            name => unreachable!("property {name} is not installed"),
        }
    }
}

impl GstObjectImpl for EmotionClassify {}

impl ElementImpl for EmotionClassify {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Expression classifier",
                "Filter/Analyzer/Video",
                "Scores the apparent expression of every face found by an element upstream",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(frame::pad_templates);
        &TEMPLATES
    }
}

base_transform_impl!(EmotionClassify);
