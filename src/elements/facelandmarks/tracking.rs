// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `facelandmarks` does with a frame: estimates the geometry of the faces on the buffer and writes it beside them.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::settings::Settings;
use crate::crops::results::Batch;
use crate::elements::analyser::{Analysis, Frame};
use crate::elements::bus::post;
use crate::elements::engine::{Engine, Work};
use crate::elements::face_source::{FaceSource, FaceTask};
use crate::elements::frame;
use crate::elements::properties::PostMessages;
use crate::error::Result;
use crate::face_geometry::FaceGeometry;
use crate::image::FrameView;
use crate::landmarker::estimator::{Estimate, Landmarker};
use crate::landmarker::tracker::GeometryTracker;
use crate::meta::{intern, message, write_geometries};
use crate::record::FaceRecord;
use crate::statistics::Stopwatch;

/// The category of the log lines.
pub(super) static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("facelandmarks", gst::DebugColorFlags::empty(), Some("Face geometry of the emotion plugin")));

/// With `post-messages=on-change`, a face has changed if an angle differs by more than this, in degrees, …
const POSTED_ANGLE: f32 = 5.0;
/// … or a blendshape by more than this.
const POSTED_BLENDSHAPE: f32 = 0.2;

/// The faces to estimate on a frame, then also their geometry.
pub struct Estimation {
    batch: Batch,
    estimates: Vec<Estimate>,
    /// Duration of the estimates.
    duration: Duration,
}

impl FaceTask for Estimation {
    fn batch(&self) -> &Batch {
        &self.batch
    }
}

/// The faces of a stream and their geometry.
pub struct FaceTracking {
    model_name: Arc<str>,
    model_sha256: String,
    description_sha256: String,
    tracker: GeometryTracker,
    source: FaceSource,
    /// Ids and geometries in the last message.
    posted: Vec<(u32, Option<Arc<FaceGeometry>>)>,
}

impl Analysis for FaceTracking {
    type Settings = Settings;
    type Task = Estimation;

    fn category() -> gst::DebugCategory {
        *CAT
    }

    fn load(settings: &Settings, element: &gst_base::BaseTransform) -> Result<(Self, Work<Estimation>)> {
        let landmarker = settings.load_landmarker()?;
        let model_name = landmarker.name().clone();
        gst::info!(CAT, obj = element, "estimating with {model_name}");
        intern([&*model_name]);
        let tracking = Self {
            model_sha256: landmarker.sha256().to_owned(),
            description_sha256: landmarker.description_sha256().to_owned(),
            tracker: GeometryTracker::new(model_name.clone()),
            model_name,
            source: FaceSource::new(*CAT),
            posted: Vec::new(),
        };
        Ok((tracking, estimate_with(landmarker)))
    }

    fn is_async(settings: &Settings) -> bool {
        settings.faces.asynchronous
    }

    fn set_caps(&mut self, element: &gst_base::BaseTransform, _engine: &mut Engine<Estimation>, is_resized: bool) {
        self.source.set_caps(element, is_resized);
    }

    fn model_name(&self) -> &str {
        &self.model_name
    }

    fn model_sha256(&self) -> &str {
        &self.model_sha256
    }

    fn description_sha256(&self) -> &str {
        &self.description_sha256
    }

    fn restart(&mut self, engine: &mut Engine<Estimation>) {
        self.tracker.clear();
        engine.forget();
        self.source.restart();
    }

    fn analyse(&mut self, buffer: &mut gst::BufferRef, frame: &mut Frame<Self>, settings: &Settings) -> Result<()> {
        let mut faces = self.source.read(buffer, frame.size, frame.element);
        self.measure(buffer, frame, settings, &mut faces)?;
        if !faces.is_empty() {
            write_geometries(buffer, frame.size, &faces);
        }
        if self.is_message_due(settings.faces.post_messages, &faces) {
            post(frame.element, message::geometry(&frame.times, frame.size, &faces));
        }
        Ok(())
    }
}

impl FaceTracking {
    /// Adds ids and geometry to `faces`, which are on `buffer`.
    fn measure(&mut self, buffer: &gst::BufferRef, frame: &mut Frame<Self>, settings: &Settings, faces: &mut [FaceRecord]) -> Result<()> {
        let mut options = settings.geometry_options(frame.is_live);
        let is_late = self.source.limit(&mut options.selection, faces.len(), frame);
        let mapped = frame::map(buffer, frame.info)?;
        let view = frame::view(&mapped)?;
        if self.source.is_cut(faces, &view, frame.element) {
            self.tracker.end_tracks();
        }
        let batch = self.tracker.choose(&view, faces, &options, frame.now);
        frame.statistics().faces += faces.len() as u64;
        let estimation = Estimation { batch, estimates: Vec::new(), duration: Duration::ZERO };
        if let Some(replaced) = self.source.submit(buffer, &view, frame, estimation, is_late) {
            self.tracker.give_up(&replaced.batch);
        }
        while let Some(done) = frame.engine.take().inspect_err(|_| self.tracker.give_up_all())? {
            self.tracker.store(&done.batch, done.estimates, done.duration, &options);
        }
        self.tracker.complete(faces, &options, frame.now);
        Ok(())
    }

    fn is_message_due(&mut self, wanted: PostMessages, faces: &[FaceRecord]) -> bool {
        if wanted == PostMessages::None {
            return false;
        }
        let confirmed = || faces.iter().filter(|face| face.confirmed);
        let is_same = confirmed().count() == self.posted.len()
            && confirmed()
                .zip(&self.posted)
                .all(|(face, (id, posted))| face.id == *id && !differs(face.geometry.as_ref(), posted.as_ref()));
        let is_due = wanted == PostMessages::Every || !is_same;
        if is_due {
            self.posted = confirmed().map(|face| (face.id, face.geometry.clone())).collect();
        }
        is_due
    }
}

/// True if a face differs from the last message about it.
fn differs(now: Option<&Arc<FaceGeometry>>, posted: Option<&Arc<FaceGeometry>>) -> bool {
    let (Some(now), Some(posted)) = (now, posted) else { return now.is_some() != posted.is_some() };
    let exceeds = |a: &[f32], b: &[f32], limit: f32| a.iter().zip(b).any(|(a, b)| (a - b).abs() > limit);
    exceeds(&now.pose.to_array(), &posted.pose.to_array(), POSTED_ANGLE)
        || exceeds(&now.blendshapes.0, &posted.blendshapes.0, POSTED_BLENDSHAPE)
}

fn estimate_with(mut landmarker: Landmarker) -> Work<Estimation> {
    Box::new(move |view: &FrameView, task: &mut Estimation| {
        let mut clock = Stopwatch::start();
        task.estimates = landmarker.estimate_batch(view, &task.batch)?;
        task.duration = clock.lap();
        Ok(Some(landmarker.step_times()))
    })
}
