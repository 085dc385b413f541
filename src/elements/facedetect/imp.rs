// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `facedetect`: the classes of both names.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;

use super::search::{CAT, FaceSearch};
use super::settings;
use crate::elements::analyser::{Analyser, base_transform_impl};
use crate::elements::frame;
use crate::elements::properties::{PostMessages, extract};

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
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(settings::param_specs);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.analyser.settings();
        match pspec.name() {
            "detector" => settings.detector = extract(value),
            "model-file" => settings.model_file = extract(value),
            "score-threshold" => settings.score_threshold = extract(value),
            "iou-threshold" => settings.iou_threshold = extract(value),
            "max-faces" => settings.max_faces = extract(value),
            "min-face-size" => settings.min_face_size = extract(value),
            "detect-size" => settings.detect_size = extract(value),
            "tile-size" => settings.tile_size = extract(value),
            "detect-interval" => settings.detect_interval = extract(value),
            "motion-gate" => settings.motion_gate = Some(extract(value)),
            "idle-interval" => settings.idle_interval = extract(value),
            "track" => settings.track = extract(value),
            "track-timeout" => settings.track_timeout = extract(value),
            "threads" => settings.threads = extract(value),
            "execution-provider" => settings.provider = extract(value),
            "async" => settings.asynchronous = extract(value),
            "post-messages" => settings.updates = extract::<PostMessages>(value).into(),
            "updates" => settings.updates = extract(value),
            name => {
                if !settings.opencv.set(name, value) {
                    gst::warning!(CAT, imp = self, "property {name} has no effect: {}", pspec.blurb().unwrap_or_default());
                }
            }
        }
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.analyser.settings();
        match pspec.name() {
            "detector" => settings.detector.to_value(),
            "model-file" => settings.model_file.to_value(),
            "score-threshold" => settings.score_threshold.to_value(),
            "iou-threshold" => settings.iou_threshold.to_value(),
            "max-faces" => settings.max_faces.to_value(),
            "min-face-size" => settings.min_face_size.to_value(),
            "detect-size" => settings.detect_size.to_value(),
            "tile-size" => settings.tile_size.to_value(),
            "detect-interval" => settings.detect_interval.to_value(),
            "motion-gate" => settings.motion_gate.unwrap_or(true).to_value(),
            "idle-interval" => settings.idle_interval.to_value(),
            "track" => settings.track.to_value(),
            "track-timeout" => settings.track_timeout.to_value(),
            "threads" => settings.threads.to_value(),
            "execution-provider" => settings.provider.to_value(),
            "async" => settings.asynchronous.to_value(),
            "post-messages" => PostMessages::from(settings.updates).to_value(),
            "updates" => settings.updates.to_value(),
            name => self.analyser.read_only(name, "facedetect", "detect").unwrap_or_else(|| settings.opencv.get(name)),
        }
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
