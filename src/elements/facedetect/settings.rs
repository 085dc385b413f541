// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `facedetect` and their values.

use std::sync::LazyLock;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use super::opencv::{OpencvSettings, Updates};
use crate::choices::Recall;
use crate::detector::haar::HaarDetector;
use crate::detector::network::{Family, NetworkDetector};
use crate::detector::{DetectOptions, FaceDetector};
use crate::elements::execution::{ExecutionSettings, execution_fields};
use crate::elements::plugin_folder::plugin_folder;
use crate::elements::properties::When::{Playing, Ready};
use crate::elements::properties::{
    self, PostMessages, Properties, Property, boolean, choice, double, extract, field, string, uint, uint64,
};
use crate::error::Result;
use crate::model::ModelFile;
use crate::model::search_path::SearchPath;
use crate::track::search::{FindOptions, MotionGate};

/// Maximum `detect-size` and `tile-size`; no known camera has larger frames.
const MAX_DETECT_SIZE: u32 = 16_384;

/// The values of the property `detector`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionFaceDetector")]
pub enum Detector {
    /// The kind of `model-file`, recognised by its outputs. Without a file, the Haar cascade if `profile` is set, else the
    /// network that is compiled in.
    #[default]
    #[enum_value(name = "Recognised from model-file; without a file haar if profile is set, else emotion-face", nick = "auto")]
    Auto,
    /// This project's network, which is compiled into the plugin.
    #[enum_value(name = "The network that is compiled into the plugin", nick = "emotion-face")]
    EmotionFace,
    /// The CenterFace network.
    #[enum_value(name = "CenterFace network", nick = "centerface")]
    CenterFace,
    /// An UltraFace network, given by `model-file`.
    #[enum_value(name = "UltraFace network, given by model-file", nick = "ultraface")]
    UltraFace,
    /// A YuNet network, given by `model-file`.
    #[enum_value(name = "YuNet network, given by model-file", nick = "yunet")]
    YuNet,
    /// OpenCV's Haar cascade, whose library is loaded at run time.
    #[enum_value(name = "OpenCV Haar cascade", nick = "haar")]
    Haar,
}

/// With [`Recall::High`]: the share of the detector's own threshold at which a large face in profile that moves fast is found in every
/// frame.
const HIGH_RECALL_THRESHOLD: f32 = 0.25;
/// With [`Recall::High`]: the second scale, as a share of `detect-size`. Faces of more than half of the frame are found at it.
const HIGH_RECALL_SCALES: &[f32] = &[0.6];
/// With [`Recall::High`]: the side of a tile, in sides of `detect-size`.
const HIGH_RECALL_TILE: u32 = 2;

/// The values of the properties.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) detector: Detector,
    pub(super) recall: Recall,
    pub(super) model_file: Option<String>,
    pub(super) score_threshold: f64,
    pub(super) iou_threshold: f64,
    pub(super) max_faces: u32,
    pub(super) min_face_size: u32,
    pub(super) detect_size: u32,
    pub(super) tile_size: u32,
    pub(super) detect_interval: u32,
    /// `None` until it is set: live streams are then gated.
    pub(super) motion_gate: Option<bool>,
    pub(super) idle_interval: u64,
    pub(super) track: bool,
    pub(super) track_timeout: u64,
    pub(super) execution: ExecutionSettings,
    pub(super) asynchronous: bool,
    pub(super) updates: Updates,
    pub(super) opencv: OpencvSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detector: Detector::default(),
            recall: Recall::default(),
            model_file: None,
            score_threshold: -1.0,
            iou_threshold: 0.3,
            max_faces: 0,
            min_face_size: 0,
            detect_size: 320,
            tile_size: 0,
            detect_interval: 1,
            motion_gate: None,
            idle_interval: properties::IDLE_INTERVAL.nseconds(),
            track: true,
            track_timeout: gst::ClockTime::SECOND.nseconds(),
            execution: ExecutionSettings::default(),
            asynchronous: false,
            updates: Updates::default(),
            opencv: OpencvSettings::default(),
        }
    }
}

impl Settings {
    /// What to find on each frame of a stream that is live or not, with a detector whose own threshold is `score_threshold`.
    pub(super) fn find_options(&self, score_threshold: f32, is_live: bool) -> FindOptions {
        let detect = DetectOptions {
            score_threshold: self.threshold(score_threshold),
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
            confirm: is_live,
            motion_gate: self.motion_gate(is_live),
        }
    }

    /// The minimum confidence, with a detector whose own is `score_threshold`.
    fn threshold(&self, score_threshold: f32) -> f32 {
        match self.recall {
            _ if self.score_threshold >= 0.0 => self.score_threshold as f32,
            Recall::Balanced => score_threshold,
            Recall::High => HIGH_RECALL_THRESHOLD * score_threshold,
        }
    }

    /// The maximum side of a tile; 0 for no tiles.
    pub(super) fn tile_size(&self) -> u32 {
        if self.recall == Recall::High && self.tile_size == 0 { HIGH_RECALL_TILE * self.detect_size } else { self.tile_size }
    }

    /// The gate of a stream that is live or not. With tiles there is none: a search then covers only one of them, so its
    /// detections do not hold for the whole frame.
    fn motion_gate(&self, is_live: bool) -> Option<MotionGate> {
        let gate = MotionGate { idle_interval: Duration::from_nanos(self.idle_interval), detect_size: self.detect_size };
        (self.motion_gate.unwrap_or(is_live) && self.tile_size() == 0).then_some(gate)
    }

    /// Loads the chosen detector.
    pub(super) fn load_detector(&self) -> Result<Box<dyn FaceDetector>> {
        let search = SearchPath::from_env(plugin_folder());
        let family = match self.detector {
            Detector::Haar => return self.load_cascade(&search),
            Detector::Auto if self.model_file.is_none() && self.opencv.profile.is_some() => return self.load_cascade(&search),
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
        let execution = self.execution.execution(&search)?;
        let detector = NetworkDetector::load(model, family, self.detect_size, &search, execution)?;
        let scales = if self.recall == Recall::High { HIGH_RECALL_SCALES } else { &[] };
        Ok(Box::new(detector.with_scales(scales)))
    }

    fn load_cascade(&self, search: &SearchPath) -> Result<Box<dyn FaceDetector>> {
        let profile = self.opencv.profile.as_deref().unwrap_or(crate::detector::DEFAULT_CASCADE);
        Ok(Box::new(HaarDetector::load(profile.as_ref(), search)?))
    }
}

/// The properties, besides those of OpenCV's element.
#[rustfmt::skip]
pub(super) static PROPERTIES: LazyLock<Properties<Settings>> = LazyLock::new(|| {
    let default = Settings::default();
    let mut properties = vec![
        field!(Settings: choice("detector", "Detector", "Detector that finds the faces", default.detector, Ready), detector),
        field!(Settings: choice("recall", "Recall",
            "How many faces may be missed; high is for hiding faces: unless they are set, a quarter of the model's own score-threshold and \
             tiles of twice detect-size, and each frame is also searched at 0.6 of detect-size", default.recall, Ready), recall),
        field!(Settings: string("model-file", "Model file",
            "ONNX file of a face detector, recognised by its outputs (unset = the default model of the detector)", Ready), model_file),
        field!(Settings: double("score-threshold", "Score threshold",
            "Minimum confidence of a reported face (-1 = the model's own, in its model.toml)",
            -1.0..=1.0, default.score_threshold, Playing), score_threshold),
        field!(Settings: double("iou-threshold", "IoU threshold",
            "Boxes whose intersection over union exceeds this are one face", 0.0..=1.0, default.iou_threshold, Playing), iou_threshold),
        field!(Settings: uint("max-faces", "Maximum faces",
            "Maximum number of faces on a frame; the most confident ones are reported (0 = all, at most 1000)",
            0..=u32::MAX, default.max_faces, Playing), max_faces),
        field!(Settings: uint("min-face-size", "Minimum face size", "Minimum width and height of a face, in pixels of the frame",
            0..=u32::MAX, default.min_face_size, Playing), min_face_size),
        field!(Settings: uint("detect-size", "Detection size",
            "Longer side of the network's input, in pixels; frames are scaled to it (0 = the frame's own size)",
            0..=MAX_DETECT_SIZE, default.detect_size, Ready), detect_size),
        field!(Settings: uint("tile-size", "Tile size",
            "Maximum side of a tile, in pixels, at least 128 (0 = no tiles): to find small faces, each search also covers one tile of the \
             frame at full resolution, in turn",
            0..=MAX_DETECT_SIZE, default.tile_size, Ready), tile_size),
        field!(Settings: uint("detect-interval", "Detection interval",
            "Detect on every n-th frame; on the others the faces' positions are predicted",
            1..=u32::MAX, default.detect_interval, Playing), detect_interval),
        Property::new(
            properties::motion_gate("Search only what changed since the last search. Unless it is set, live streams are gated and others \
                are not. Has no effect with tile-size"),
            |settings| settings.motion_gate.unwrap_or(true).to_value(),
            |settings, value| settings.motion_gate = Some(extract(value)),
        ),
        field!(Settings: properties::idle_interval("With motion-gate: maximum time between two searches of the whole frame, in \
            nanoseconds"), idle_interval),
        field!(Settings: boolean("track", "Track", "Track faces, and give each an id that it keeps", default.track, Ready), track),
        field!(Settings: uint64("track-timeout", "Track timeout",
            "Time without a detection after which a face is forgotten, in nanoseconds", default.track_timeout, Playing), track_timeout),
        field!(Settings: properties::asynchronous(), asynchronous),
        Property::new(
            properties::post_messages("When to post an element message with the faces"),
            |settings| PostMessages::from(settings.updates).to_value(),
            |settings, value| settings.updates = extract::<PostMessages>(value).into(),
        ),
        field!(Settings: choice("updates", "Updates",
            "OpenCV: when to post an element message with the faces; the same as post-messages", Updates::default(), Playing), updates),
    ];
    properties.extend(execution_fields!(Settings: execution));
    Properties::new(properties)
});
