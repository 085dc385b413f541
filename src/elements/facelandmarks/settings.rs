// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `facelandmarks` and their values.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::crops::results::Selection;
use crate::elements::analyser::stats;
use crate::elements::face_network::settings::{self as face_settings, FaceSettings};
use crate::elements::properties;
use crate::error::Result;
use crate::landmarker::estimator::Landmarker;
use crate::landmarker::tracker::GeometryOptions;
use crate::model::embedded::GEOMETRY;

/// The values of the properties.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) faces: FaceSettings,
    pub(super) smoothing: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // Of smaller faces, eyes and mouth are a few pixels.
            faces: FaceSettings { min_face_size: 20, ..FaceSettings::default() },
            smoothing: 100 * gst::ClockTime::MSECOND.nseconds(),
        }
    }
}

impl Settings {
    /// How the selected faces are estimated.
    pub(super) fn geometry_options(&self, selection: Selection) -> GeometryOptions {
        GeometryOptions { selection, half_life: Duration::from_nanos(self.smoothing) }
    }

    /// Loads the chosen model.
    pub(super) fn load_landmarker(&self) -> Result<Landmarker> {
        let (model, search, run) = self.faces.model(GEOMETRY)?;
        let mut landmarker = Landmarker::load(model, &search, run)?;
        landmarker.set_batch_size(self.faces.batch_size as usize);
        Ok(landmarker)
    }
}

/// The properties.
pub(super) fn param_specs() -> Vec<glib::ParamSpec> {
    let default = Settings::default();
    vec![
        face_settings::model_file(
            "Geometry model: an ONNX file with its description beside it, or a name: face-geometry or face-geometry-int8 (unset = \
             face-geometry-int8 on processors with AVX2 or ARM's dot products, face-geometry on others)",
        ),
        face_settings::batch_size(),
        face_settings::reclassify_interval("Estimate each face on every n-th frame; on the others its landmarks move along with the box"),
        face_settings::max_faces_per_frame(
            "Maximum number of faces estimated on a frame, in turn; the others keep their last geometry (0 = all, at most 1000, or \
             16 if the stream is live)",
        ),
        face_settings::time_budget(
            "Time in nanoseconds that estimates may take on a frame, which limits their number by their measured duration; at least \
             one face is estimated (0 = no limit)",
        ),
        properties::motion_gate(
            "Estimate a face only when it looks different than at its last estimate. Unless it is set, live streams are gated and \
             others are not",
        ),
        properties::idle_interval("With motion-gate: maximum time between two estimates of a face, in nanoseconds"),
        glib::ParamSpecUInt64::builder("smoothing")
            .nick("Smoothing")
            .blurb("Half-life of the mean geometry of a still face, in nanoseconds; movement is followed at once (0 = no smoothing)")
            .default_value(default.smoothing)
            .mutable_playing()
            .build(),
        face_settings::min_face_size("A face whose width or height is below this has no geometry, in pixels", default.faces.min_face_size),
        properties::threads(),
        properties::execution_provider(),
        properties::asynchronous(),
        face_settings::post_messages("When to post an element message with the faces and their geometry"),
        properties::model_name(),
        properties::model_sha256(),
        properties::model_description_sha256(),
        stats::param_spec(),
    ]
}
