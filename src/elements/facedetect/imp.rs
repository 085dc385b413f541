// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `facedetect`: the classes of both names.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;

use super::opencv;
use super::search::{CAT, FaceSearch};
use super::settings::PROPERTIES;
use crate::elements::analyser::{Analyser, base_transform_impl};
use crate::elements::{frame, properties};

/// The instance of `facedetect`.
#[derive(Default)]
pub struct FaceDetect {
    analyser: Analyser<FaceSearch>,
}

#[glib::object_subclass]
impl ObjectSubclass for FaceDetect {
    const NAME: &'static str = "GstEmotionFaceDetect";
    type Type = super::FaceDetect;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for FaceDetect {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let own = PROPERTIES.specs().chain(properties::read_only());
            own.chain(opencv::PROPERTIES.specs()).chain(opencv::IGNORED.specs()).collect()
        });
        &SPECS
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let (mut settings, name) = (self.analyser.settings(), pspec.name());
        let has_effect = PROPERTIES.set(&mut settings, name, value) || opencv::PROPERTIES.set(&mut settings.opencv, name, value);
        if !has_effect {
            opencv::IGNORED.set(&mut settings.opencv, name, value);
            gst::warning!(CAT, imp = self, "property {name} has no effect: {}", pspec.blurb().unwrap_or_default());
        }
        gst::info!(CAT, imp = self, "{name} = {value:?}");
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let (settings, name) = (self.analyser.settings(), pspec.name());
        let cascade = || opencv::PROPERTIES.get(&settings.opencv, name).or_else(|| opencv::IGNORED.get(&settings.opencv, name));
        let own = PROPERTIES.get(&settings, name).or_else(cascade);
        own.unwrap_or_else(|| self.analyser.read_only(name, "facedetect", "detect"))
    }
}

impl GstObjectImpl for FaceDetect {}

impl ElementImpl for FaceDetect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Face detector",
                "Filter/Analyzer/Video",
                "Finds faces, gives each an id that it keeps, and attaches boxes and landmarks to the buffer",
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

base_transform_impl!(FaceDetect);

/// Implemented by types that derive from [`FaceDetect`](super::FaceDetect).
pub trait FaceDetectImpl: BaseTransformImpl {}

// SAFETY: FaceDetect adds no virtual methods to its class, so subclasses have none to set up.
#[allow(unsafe_code)]
unsafe impl<T: FaceDetectImpl> IsSubclassable<T> for super::FaceDetect {}

impl FaceDetectImpl for FaceDetect {}

/// The instance of `emotionfacedetect`, which behaves as `facedetect`.
#[derive(Default)]
pub struct EmotionFaceDetect;

#[glib::object_subclass]
impl ObjectSubclass for EmotionFaceDetect {
    const NAME: &'static str = "GstEmotionFaceDetectTwin";
    type Type = super::EmotionFaceDetect;
    type ParentType = super::FaceDetect;
}

impl ObjectImpl for EmotionFaceDetect {}
impl GstObjectImpl for EmotionFaceDetect {}
impl ElementImpl for EmotionFaceDetect {}

impl BaseTransformImpl for EmotionFaceDetect {
    // These constants are not inherited: the class of a subclass is initialised from its own.
    const MODE: BaseTransformMode = FaceDetect::MODE;
    const PASSTHROUGH_ON_SAME_CAPS: bool = FaceDetect::PASSTHROUGH_ON_SAME_CAPS;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = FaceDetect::TRANSFORM_IP_ON_PASSTHROUGH;

    // The default implementation calls that of the parent class, which posts the error, and adds an error of its own.
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.obj().upcast_ref::<super::FaceDetect>().imp().start()
    }
}

impl FaceDetectImpl for EmotionFaceDetect {}
