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
use crate::elements::properties::When::Playing;
use crate::elements::properties::{Properties, Property, double, extract};
use crate::geometry::Size;
use crate::meta::{tensors, write_search};
use crate::record::{DetectionInfo, FaceRecord, SearchAge};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionfacetensordec", gst::DebugColorFlags::empty(), Some("Decoder of the face network's tensors"))
});

/// The strides of the network's outputs, in pixels of its input.
const STRIDES: [usize; 4] = [4, 8, 16, 32];

/// The properties.
#[rustfmt::skip]
static PROPERTIES: LazyLock<Properties<DetectOptions>> = LazyLock::new(|| {
    let default = DetectOptions::default();
    Properties::new(vec![
        Property::new(
            double("score-threshold", "Score threshold", "Minimum confidence of a reported face",
                0.0..=1.0, default.score_threshold.into(), Playing),
            |options| f64::from(options.score_threshold).to_value(),
            |options, value| options.score_threshold = extract::<f64>(value) as f32,
        ),
        Property::new(
            double("iou-threshold", "IoU threshold", "Boxes with a higher intersection over union are one face",
                0.0..=1.0, default.iou_threshold.into(), Playing),
            |options| f64::from(options.iou_threshold).to_value(),
            |options, value| options.iou_threshold = extract::<f64>(value) as f32,
        ),
    ])
});

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
        static SPECS: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| PROPERTIES.specs().collect());
        &SPECS
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        PROPERTIES.set(&mut self.options(), pspec.name(), value);
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        PROPERTIES.get(&self.options(), pspec.name()).expect("the property is installed")
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
