// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `facedetect`: its properties, and the classes of both names.

use std::sync::LazyLock;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;

use super::opencv::{self, OpencvSettings, Updates};
use super::search::{CAT, FaceSearch};
use super::{Detector, FaceDetectImpl};
use crate::detector::network::{Family, NetworkDetector};
use crate::detector::{DetectOptions, FaceDetector};
use crate::elements::analyser::{Analyser, base_transform_impl};
use crate::elements::{
    ExecutionProvider, MAX_THREADS, PostMessages, async_param_spec, extract, frame, plugin_folder, provider_param_spec, statistics,
};
use crate::error::Result;
use crate::model::ModelFile;
use crate::model::runtime::RunOptions;
use crate::model::search_path::SearchPath;
use crate::track::finder::FindOptions;

/// Maximum `detect-size` and `tile-size`; no known camera has larger frames.
const MAX_DETECT_SIZE: u32 = 16_384;

/// The values of the properties.
#[derive(Clone, Debug)]
pub struct Settings {
    detector: Detector,
    model_file: Option<String>,
    score_threshold: f64,
    iou_threshold: f64,
    max_faces: u32,
    min_face_size: u32,
    detect_size: u32,
    pub(super) tile_size: u32,
    detect_interval: u32,
    track: bool,
    track_timeout: u64,
    threads: u32,
    provider: ExecutionProvider,
    pub(super) asynchronous: bool,
    pub(super) updates: Updates,
    pub(super) opencv: OpencvSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detector: Detector::default(),
            model_file: None,
            score_threshold: 0.5,
            iou_threshold: 0.3,
            max_faces: 0,
            min_face_size: 0,
            detect_size: 320,
            tile_size: 0,
            detect_interval: 1,
            track: true,
            track_timeout: gst::ClockTime::SECOND.nseconds(),
            threads: 0,
            provider: ExecutionProvider::default(),
            asynchronous: false,
            updates: Updates::default(),
            opencv: OpencvSettings::default(),
        }
    }
}

impl Settings {
    /// What to find on each frame.
    pub(super) fn find_options(&self) -> FindOptions {
        let detect = DetectOptions {
            score_threshold: self.score_threshold as f32,
            iou_threshold: self.iou_threshold as f32,
            max_faces: self.max_faces as usize,
            min_face_size: self.min_face_size as f32,
            cascade: self.opencv.cascade(),
        };
        FindOptions {
            detect,
            interval_frames: self.detect_interval,
            track: self.track,
            track_timeout: Duration::from_nanos(self.track_timeout),
        }
    }

    /// Loads the chosen detector.
    pub(super) fn load_detector(&self) -> Result<Box<dyn FaceDetector>> {
        let search = SearchPath::from_env(plugin_folder());
        let family = match self.detector {
            #[cfg(feature = "haar")]
            Detector::Haar => return self.load_cascade(),
            #[cfg(feature = "haar")]
            Detector::Auto if self.model_file.is_none() && self.opencv.profile.is_some() => return self.load_cascade(),
            Detector::Auto => None,
            Detector::EmotionFace => Some(Family::EmotionFace),
            Detector::CenterFace => Some(Family::CenterFace),
            Detector::UltraFace => Some(Family::UltraFace),
            Detector::YuNet => Some(Family::YuNet),
        };
        let model = match &self.model_file {
            Some(file) => ModelFile::open(file.as_ref())?,
            None => family.unwrap_or(Family::EmotionFace).default_model(&search)?,
        };
        let run = RunOptions { threads: self.threads, provider: self.provider.into() };
        Ok(Box::new(NetworkDetector::load(model, family, self.detect_size, &search, run)?))
    }

    #[cfg(feature = "haar")]
    fn load_cascade(&self) -> Result<Box<dyn FaceDetector>> {
        let profile = self.opencv.profile.as_deref().unwrap_or(crate::detector::DEFAULT_CASCADE);
        Ok(Box::new(crate::detector::haar::HaarDetector::load(profile.as_ref())?))
    }
}

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
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let default = Settings::default();
            let mut specs = vec![
                glib::ParamSpecEnum::builder_with_default("detector", default.detector)
                    .nick("Detector")
                    .blurb("Detector that finds the faces")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecString::builder("model-file")
                    .nick("Model file")
                    .blurb("ONNX file of a face detector, recognised by its outputs (unset = the default model of the detector)")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecDouble::builder("score-threshold")
                    .nick("Score threshold")
                    .blurb("Minimum confidence of a reported face")
                    .minimum(0.0)
                    .maximum(1.0)
                    .default_value(default.score_threshold)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecDouble::builder("iou-threshold")
                    .nick("IoU threshold")
                    .blurb("Boxes whose intersection over union exceeds this are one face")
                    .minimum(0.0)
                    .maximum(1.0)
                    .default_value(default.iou_threshold)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("max-faces")
                    .nick("Maximum faces")
                    .blurb("Maximum number of faces on a frame; the most confident ones are reported (0 = all, at most 1000)")
                    .default_value(default.max_faces)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("min-face-size")
                    .nick("Minimum face size")
                    .blurb("Minimum width and height of a face, in pixels of the frame")
                    .default_value(default.min_face_size)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("detect-size")
                    .nick("Detection size")
                    .blurb("Longer side of the network's input, in pixels; frames are scaled to it (0 = the frame's own size)")
                    .maximum(MAX_DETECT_SIZE)
                    .default_value(default.detect_size)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt::builder("tile-size")
                    .nick("Tile size")
                    .blurb(
                        "Maximum side of a tile, in pixels, at least 128 (0 = no tiles): to find small faces, each search also covers one \
                         tile of the frame at full resolution, in turn",
                    )
                    .maximum(MAX_DETECT_SIZE)
                    .default_value(default.tile_size)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt::builder("detect-interval")
                    .nick("Detection interval")
                    .blurb("Detect on every n-th frame; on the others the faces' positions are predicted")
                    .minimum(1)
                    .default_value(default.detect_interval)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("track")
                    .nick("Track")
                    .blurb("Track faces, and give each an id that it keeps")
                    .default_value(default.track)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt64::builder("track-timeout")
                    .nick("Track timeout")
                    .blurb("Time without a detection after which a face is forgotten, in nanoseconds")
                    .default_value(default.track_timeout)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("threads")
                    .nick("Threads")
                    .blurb("Threads of the network (0 = one per core, shared by all elements of the process)")
                    .maximum(MAX_THREADS)
                    .default_value(default.threads)
                    .mutable_ready()
                    .build(),
                provider_param_spec(),
                async_param_spec(),
                glib::ParamSpecEnum::builder_with_default("post-messages", PostMessages::default())
                    .nick("Post messages")
                    .blurb("When to post an element message with the faces")
                    .mutable_playing()
                    .build(),
                statistics::param_spec(),
            ];
            specs.extend(opencv::param_specs());
            specs
        });
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
            "track" => settings.track.to_value(),
            "track-timeout" => settings.track_timeout.to_value(),
            "threads" => settings.threads.to_value(),
            "execution-provider" => settings.provider.to_value(),
            "async" => settings.asynchronous.to_value(),
            "post-messages" => PostMessages::from(settings.updates).to_value(),
            "updates" => settings.updates.to_value(),
            "stats" => statistics::structure("application/x-facedetect-stats", "detect", &self.analyser.statistics()).to_value(),
            name => settings.opencv.get(name),
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
}

impl FaceDetectImpl for EmotionFaceDetect {}
