// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `emotionclassify` does with a frame: scores the faces on the buffer and writes the scores beside them.

use std::sync::LazyLock;
use std::time::Duration;

use gst_base::prelude::*;

use super::settings::Settings;
use crate::crops::results::Batch;
use crate::elements::analyser::{Analysis, Frame};
use crate::elements::bus::post;
use crate::elements::detector_watch::DetectorWatch;
use crate::elements::engine::{Engine, Work};
use crate::elements::frame;
use crate::elements::picture_changes::PictureChanges;
use crate::elements::properties::PostMessages;
use crate::elements::stream::since;
use crate::error::Result;
use crate::expression::classifier::Classifier;
use crate::expression::scorer::FaceScorer;
use crate::image::FrameView;
use crate::meta::{intern, message, write_emotions};
use crate::model::Prior;
use crate::record::FaceRecord;
use crate::scores::Scores;
use crate::statistics::Stopwatch;
use crate::track::scene_cut::CutDetector;

/// The category of the log lines.
pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionclassify", gst::DebugColorFlags::empty(), Some("Expression scores of the emotion plugin"))
});

/// The faces to classify on a frame, then also their scores.
pub struct Classification {
    batch: Batch,
    prior: Prior,
    scores: Vec<Scores>,
    /// Duration of the classification.
    duration: Duration,
}

/// The faces of a stream and their scores.
pub struct FaceScoring {
    model_name: String,
    model_sha256: String,
    description_sha256: String,
    /// Minimum confidence of the model's description, for the priors natural and balanced.
    min_confidences: [f32; 2],
    /// The prior of the last frame.
    prior: Prior,
    scorer: FaceScorer,
    cuts: CutDetector,
    /// What elements after the detector did to the picture.
    picture_changes: PictureChanges,
    /// Time of the last frame that was classified.
    last_inference: Duration,
    detector_watch: DetectorWatch,
    /// Set once the log names the element that finds the faces.
    is_source_logged: bool,
    /// Ids and labels in the last message, sorted.
    posted: Vec<(u32, String)>,
}

impl Analysis for FaceScoring {
    type Settings = Settings;
    type Task = Classification;

    fn category() -> gst::DebugCategory {
        *CAT
    }

    fn load(settings: &Settings, element: &gst_base::BaseTransform) -> Result<(Self, Work<Classification>)> {
        let classifier = settings.load_classifier()?;
        gst::info!(CAT, obj = element, "classifying with {}", classifier.name());
        intern(classifier.labels().as_slice());
        let scoring = Self {
            model_name: classifier.name().to_owned(),
            model_sha256: classifier.sha256().to_owned(),
            description_sha256: classifier.description_sha256().to_owned(),
            min_confidences: [Prior::Natural, Prior::Balanced].map(|prior| classifier.min_confidence(prior)),
            prior: settings.prior.into(),
            scorer: FaceScorer::new(classifier.labels().clone()),
            cuts: CutDetector::default(),
            picture_changes: PictureChanges::default(),
            last_inference: Duration::ZERO,
            detector_watch: DetectorWatch::default(),
            is_source_logged: false,
            posted: Vec::new(),
        };
        Ok((scoring, classify_with(classifier)))
    }

    fn is_async(settings: &Settings) -> bool {
        settings.asynchronous
    }

    fn set_caps(&mut self, element: &gst_base::BaseTransform, _engine: &mut Engine<Classification>, is_resized: bool) {
        if is_resized {
            self.cuts.reset();
        }
        self.picture_changes = PictureChanges::upstream_of(element.sink_pad());
        let undetermined = self.picture_changes.undetermined();
        if !undetermined.is_empty() {
            let names = undetermined.join(", ");
            gst::warning!(
                CAT,
                obj = element,
                "the effect of {names} on the picture is unknown, so faces may be lost: move it before the detector"
            );
        }
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

    fn restart(&mut self, engine: &mut Engine<Classification>) {
        self.scorer.clear();
        engine.forget();
        self.cuts.reset();
    }

    fn analyse(&mut self, buffer: &mut gst::BufferRef, frame: &mut Frame<Self>, settings: &Settings) -> Result<()> {
        let mut faces = self.picture_changes.read_faces(buffer, frame.size);
        self.report_source(buffer, frame.element, &faces);
        self.score(buffer, frame, settings, &mut faces)?;
        if !faces.is_empty() {
            write_emotions(buffer, frame.size, &faces);
        }
        if self.is_message_due(settings.post_messages, &faces) {
            post(frame.element, message::emotion(&frame.times, frame.size, &faces));
        }
        Ok(())
    }
}

impl FaceScoring {
    /// Adds ids and scores to `faces`, which are on `buffer`.
    fn score(&mut self, buffer: &gst::BufferRef, frame: &mut Frame<Self>, settings: &Settings, faces: &mut [FaceRecord]) -> Result<()> {
        let prior = Prior::from(settings.prior);
        if std::mem::replace(&mut self.prior, prior) != prior {
            self.scorer.forget_pictures();
        }
        let mut options = settings.scoring_options(self.min_confidences[prior as usize], frame.is_live);
        let wanted = options.selection.budget.min(faces.len());
        options.selection.budget = frame.lateness.affordable(frame.times.running_time, wanted, since(self.last_inference, frame.now));
        let is_late = options.selection.budget < wanted;
        if is_late {
            gst::trace!(
                CAT,
                obj = frame.element,
                "the stream is late: {} of {wanted} classifications on this frame",
                options.selection.budget
            );
        }
        let mapped = frame::map(buffer, frame.info)?;
        let view = frame::view(&mapped)?;
        // Faces without an id are tracked here, and a scene cut ends their tracks.
        if faces.iter().any(|face| face.id == 0) && self.cuts.observe(&view) {
            gst::debug!(CAT, obj = frame.element, "scene cut");
            self.scorer.end_tracks();
        }
        let batch = self.scorer.choose(&view, faces, &options, frame.now);
        let is_gated = batch.unchanged() > 0;
        frame.statistics().faces += faces.len() as u64;
        if batch.is_empty() {
            let mut statistics = frame.statistics();
            statistics.skipped += 1;
            statistics.late += u64::from(is_late);
            statistics.unchanged += u64::from(is_gated);
        } else {
            self.last_inference = frame.now;
            frame.statistics().partial += u64::from(is_gated);
            let classification = Classification { batch, prior, scores: Vec::new(), duration: Duration::ZERO };
            if let Some(replaced) = frame.engine.submit(buffer, frame.info, &view, classification) {
                self.scorer.give_up(&replaced.batch);
                frame.statistics().skipped += 1;
            }
        }
        while let Some(done) = frame.engine.take().inspect_err(|_| self.scorer.give_up_all())? {
            self.scorer.store(&done.batch, done.scores, done.duration, &options);
        }
        self.scorer.complete(faces, frame.size, &options, frame.now);
        Ok(())
    }

    /// Logs once which element finds the faces, and warns once if none seems to.
    fn report_source(&mut self, buffer: &gst::BufferRef, element: &gst_base::BaseTransform, faces: &[FaceRecord]) {
        if let Some(face) = faces.first().filter(|_| !self.is_source_logged) {
            let source = face.detection.as_ref().map_or("an element that does not give its name", |detection| &*detection.model_name);
            gst::info!(CAT, obj = element, "scoring faces found by {source}");
            self.is_source_logged = true;
        }
        if let Some(warning) = self.detector_watch.observe(buffer) {
            gst::element_warning!(element, gst::StreamError::Failed, ("{warning}"));
        }
    }

    fn is_message_due(&mut self, wanted: PostMessages, faces: &[FaceRecord]) -> bool {
        if wanted == PostMessages::None {
            return false;
        }
        let label = |face: &FaceRecord| face.emotion.as_ref().map_or("", |emotion| emotion.label()).to_string();
        let mut labels: Vec<_> = faces.iter().filter(|face| face.confirmed).map(|face| (face.id, label(face))).collect();
        labels.sort_unstable();
        let is_changed = labels != self.posted;
        self.posted = labels;
        wanted == PostMessages::Every || is_changed
    }
}

fn classify_with(mut classifier: Classifier) -> Work<Classification> {
    Box::new(move |view: &FrameView, task: &mut Classification| {
        let mut clock = Stopwatch::start();
        classifier.set_prior(task.prior);
        task.scores = classifier.classify_batch(view, &task.batch)?;
        task.duration = clock.lap();
        Ok(Some(classifier.step_times()))
    })
}
