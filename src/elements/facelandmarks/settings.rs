// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `facelandmarks` and their values.

use std::sync::LazyLock;
use std::time::Duration;

use gst::prelude::*;

use crate::crops::results::Selection;
use crate::elements::face_network::settings::FaceSettings;
use crate::elements::properties::When::{Playing, Ready};
use crate::elements::properties::{Properties, field, string, uint, uint64};
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

/// The properties, besides those of [`FaceSettings`].
#[rustfmt::skip]
pub(super) static PROPERTIES: LazyLock<Properties<Settings>> = LazyLock::new(|| {
    let default = Settings::default();
    Properties::new(vec![
        field!(Settings: string("model-file", "Model file",
            "Geometry model: an ONNX file with its description beside it, or a name: face-geometry or face-geometry-int8 (unset = \
             face-geometry-int8 on processors with AVX2 or ARM's dot products, face-geometry on others)", Ready), faces.model_file),
        field!(Settings: uint64("smoothing", "Smoothing",
            "Half-life of the mean geometry of a still face, in nanoseconds; movement is followed at once (0 = no smoothing)",
            default.smoothing, Playing), smoothing),
        field!(Settings: uint("min-face-size", "Minimum face size",
            "A face whose width or height is below this has no geometry, in pixels",
            0..=u32::MAX, default.faces.min_face_size, Playing), faces.min_face_size),
    ])
});
