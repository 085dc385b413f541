// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `facelandmarks` does with a face: estimates its geometry and writes it beside the face.

use std::sync::{Arc, LazyLock};

use super::settings::Settings;
use crate::choices::Baseline;
use crate::crops::results::Selection;
use crate::elements::analyser::LoadedModel;
use crate::elements::face_network::settings::FaceSettings;
use crate::elements::face_network::{FaceNetwork, Run};
use crate::error::Result;
use crate::face_geometry::FaceGeometry;
use crate::geometry::Size;
use crate::landmarker::tracker::{GeometryOptions, GeometryTracker};
use crate::meta::message::{self, BufferTimes};
use crate::meta::{intern, write_geometries};
use crate::record::FaceRecord;

/// The category of the log lines.
pub(super) static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("facelandmarks", gst::DebugColorFlags::empty(), Some("Face geometry of the emotion plugin")));

/// With `post-messages=on-change`, a face has changed if an angle differs by more than this, in degrees, …
const POSTED_ANGLE: f32 = 5.0;
/// … or a blendshape by more than this.
const POSTED_BLENDSHAPE: f32 = 0.2;

/// The geometry of the faces of a stream.
pub struct FaceTracking {
    tracker: GeometryTracker,
}

impl FaceNetwork for FaceTracking {
    type Settings = Settings;
    type Memory = GeometryTracker;
    type Request = ();

    fn category() -> gst::DebugCategory {
        *CAT
    }

    fn load(settings: &Settings) -> Result<(Self, LoadedModel, Run<Self>)> {
        let mut landmarker = settings.load_landmarker()?;
        let name = landmarker.name().clone();
        intern([&*name]);
        let model = LoadedModel {
            name: name.to_string(),
            sha256: landmarker.sha256().to_owned(),
            description_sha256: landmarker.description_sha256().to_owned(),
        };
        let run: Run<Self> = Box::new(move |view, batch, ()| Ok((landmarker.estimate_batch(view, batch)?, landmarker.step_times())));
        Ok((Self { tracker: GeometryTracker::new(name) }, model, run))
    }

    fn faces(settings: &Settings) -> &FaceSettings {
        &settings.faces
    }

    fn request(_: &Settings) {}

    fn options(&self, settings: &Settings, selection: Selection) -> GeometryOptions {
        settings.geometry_options(selection)
    }

    fn set_baseline(&mut self, settings: &Settings) {
        self.tracker.set_baseline(settings.faces.baseline == Baseline::Track);
    }

    fn memory(&mut self) -> &mut GeometryTracker {
        &mut self.tracker
    }

    fn write(buffer: &mut gst::BufferRef, size: Size, faces: &[FaceRecord]) {
        write_geometries(buffer, size, faces);
    }

    fn message(times: &BufferTimes, size: Size, faces: &[FaceRecord]) -> gst::Structure {
        message::geometry(times, size, faces)
    }

    fn differs(face: &FaceRecord, posted: &FaceRecord) -> bool {
        differs(face.geometry.as_ref(), posted.geometry.as_ref())
    }
}

fn differs(now: Option<&Arc<FaceGeometry>>, posted: Option<&Arc<FaceGeometry>>) -> bool {
    let (Some(now), Some(posted)) = (now, posted) else { return now.is_some() != posted.is_some() };
    let exceeds = |a: &[f32], b: &[f32], limit: f32| a.iter().zip(b).any(|(a, b)| (a - b).abs() > limit);
    exceeds(&now.pose.to_array(), &posted.pose.to_array(), POSTED_ANGLE)
        || exceeds(&now.blendshapes.0, &posted.blendshapes.0, POSTED_BLENDSHAPE)
}
