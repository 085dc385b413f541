// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `facelandmarks`: its class.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;

use super::settings;
use super::tracking::{CAT, FaceTracking};
use crate::elements::analyser::{Analyser, base_transform_impl};
use crate::elements::face_network::FaceAnalysis;
use crate::elements::frame;
use crate::elements::properties::extract;

/// The instance of `facelandmarks`.
#[derive(Default)]
pub struct FaceLandmarks {
    analyser: Analyser<FaceAnalysis<FaceTracking>>,
}

#[glib::object_subclass]
impl ObjectSubclass for FaceLandmarks {
    const NAME: &'static str = "GstEmotionFaceLandmarks";
    type Type = super::FaceLandmarks;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for FaceLandmarks {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(settings::param_specs);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.analyser.settings();
        match pspec.name() {
            "smoothing" => settings.smoothing = extract(value),
            name => settings.faces.set(name, value),
        }
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.analyser.settings();
        match pspec.name() {
            "smoothing" => settings.smoothing.to_value(),
            name => self.analyser.read_only(name, "facelandmarks", "estimate").unwrap_or_else(|| settings.faces.get(name)),
        }
    }
}

impl GstObjectImpl for FaceLandmarks {}

impl ElementImpl for FaceLandmarks {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Face landmarks",
                "Filter/Analyzer/Video",
                "Estimates landmarks, head pose and blendshapes of every face found by an element upstream",
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

base_transform_impl!(FaceLandmarks);
