// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionfacetensordec`.

use std::sync::LazyLock;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::VideoInfo;
use parking_lot::{Mutex, MutexGuard};

use super::caps::{KLASS, caps_of, pad_templates};
use super::complaint::Complaint;
use crate::detector::emotionface::{CHANNELS, decode_level};
use crate::detector::network::Family;
use crate::detector::{DetectOptions, select};
use crate::elements::properties::extract;
use crate::geometry::Size;
use crate::meta::{tensors, write_search};
use crate::record::{DetectionInfo, FaceRecord, SearchAge};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionfacetensordec", gst::DebugColorFlags::empty(), Some("Decoder of the face network's tensors"))
});

/// The strides of the network's outputs, in pixels of its input.
const STRIDES: [usize; 4] = [4, 8, 16, 32];

/// The instance of `emotionfacetensordec`.
#[derive(Default)]
pub struct EmotionFaceTensorDec {
    options: Mutex<DetectOptions>,
    frame: Mutex<Option<Size>>,
    complaint: Complaint,
}

impl EmotionFaceTensorDec {
    fn options(&self) -> MutexGuard<'_, DetectOptions> {
        self.options.lock()
    }

    /// The faces in the tensors of a frame of this size.
    ///
    /// # Errors
    /// A message if a tensor is missing or does not fit the frame.
    fn faces(&self, buffer: &gst::BufferRef, frame: Size) -> Result<Vec<FaceRecord>, String> {
        let options = *self.options();
        let mut found = Vec::new();
        for stride in STRIDES {
            let id = tensors::id(tensors::FACE_GROUP, &format!("stride_{stride}"));
            let tensor = tensors::read(buffer, &id).ok_or_else(|| format!("no tensor {id}"))?;
            let expected = [1, CHANNELS, frame.height as usize / stride, frame.width as usize / stride];
            if tensor.dims != expected || tensor.values.is_empty() {
                return Err(format!("{id}: expected the axes {expected:?}, found {:?}", tensor.dims));
            }
            decode_level(&tensor.values, stride, expected[3], options.score_threshold, &mut found);
        }
        select(&mut found, &options, frame);
        let name: std::sync::Arc<str> = Family::EmotionFace.name().into();
        let face = |found: crate::detector::Detection| FaceRecord {
            id: 0,
            rect_norm: found.rect.clamp_to(frame).to_norm(frame),
            detection: Some(DetectionInfo {
                confidence: found.confidence,
                landmarks_norm: found.landmarks.map(|landmarks| landmarks.to_norm(frame)),
                model_name: name.clone(),
                age: Duration::ZERO,
            }),
            emotion: None,
            geometry: None,
            confirmed: true,
        };
        Ok(found.into_iter().map(face).collect())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionFaceTensorDec {
    const NAME: &'static str = "GstEmotionFaceTensorDec";
    type Type = super::EmotionFaceTensorDec;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for EmotionFaceTensorDec {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let default = DetectOptions::default();
            let property = |name, nick, blurb, default: f32| {
                let builder = glib::ParamSpecDouble::builder(name).nick(nick).blurb(blurb).minimum(0.0).maximum(1.0);
                builder.default_value(default.into()).mutable_playing().build()
            };
            vec![
                property("score-threshold", "Score threshold", "Minimum confidence of a reported face", default.score_threshold),
                property(
                    "iou-threshold",
                    "IoU threshold",
                    "Boxes with a higher intersection over union are one face",
                    default.iou_threshold,
                ),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let number = extract::<f64>(value) as f32;
        match pspec.name() {
            "score-threshold" => self.options().score_threshold = number,
            "iou-threshold" => self.options().iou_threshold = number,
            name => unreachable!("property {name} is not installed"),
        }
        gst::info!(CAT, imp = self, "{} = {number}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "score-threshold" => f64::from(self.options().score_threshold).to_value(),
            "iou-threshold" => f64::from(self.options().iou_threshold).to_value(),
            name => unreachable!("property {name} is not installed"),
        }
    }
}

impl GstObjectImpl for EmotionFaceTensorDec {}

impl ElementImpl for EmotionFaceTensorDec {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            let what = "Decodes the tensors of this plugin's face network, as onnxinference attaches them, to faces";
            gst::subclass::ElementMetadata::new("Face tensor decoder", KLASS, what, env!("CARGO_PKG_AUTHORS"))
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| pad_templates(&caps_of(emotion_models::FACE_MODELINFO)));
        &TEMPLATES
    }
}

impl BaseTransformImpl for EmotionFaceTensorDec {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps).map_err(|error| gst::loggable_error!(CAT, "{error}"))?;
        *self.frame.lock() = Some(Size::new(info.width(), info.height()));
        Ok(())
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let frame = self.frame.lock().ok_or(gst::FlowError::NotNegotiated)?;
        let faces = self.faces(buffer, frame);
        self.complaint.note(*CAT, &*self.obj(), faces.as_ref().err());
        // A frame without usable tensors was not searched.
        let searched = if faces.is_ok() { SearchAge::Ago(Duration::ZERO) } else { SearchAge::Never };
        let faces = faces.unwrap_or_default();
        gst::log!(CAT, imp = self, "{} faces", faces.len());
        write_search(buffer, frame, &faces, searched);
        Ok(gst::FlowSuccess::Ok)
    }
}
