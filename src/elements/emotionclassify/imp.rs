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
use crate::elements::face_network::FaceAnalysis;
use crate::elements::frame;
use crate::elements::properties::extract;

/// The instance of `emotionclassify`.
#[derive(Default)]
pub struct EmotionClassify {
    analyser: Analyser<FaceAnalysis<FaceScoring>>,
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
            "prior" => settings.prior = extract(value),
            "smoothing" => settings.smoothing = extract(value),
            "min-confidence" => settings.min_confidence = extract(value),
            name => settings.faces.set(name, value),
        }
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.analyser.settings();
        match pspec.name() {
            "prior" => settings.prior.to_value(),
            "smoothing" => settings.smoothing.to_value(),
            "min-confidence" => settings.min_confidence.to_value(),
            name => self.analyser.read_only(name, "emotionclassify", "classify").unwrap_or_else(|| settings.faces.get(name)),
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
