// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `emotionclassify` does with a frame: scores the faces on the buffer and writes the scores beside them.

use std::sync::LazyLock;
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
use crate::expression::classifier::Classifier;
use crate::expression::scorer::FaceScorer;
use crate::face_geometry::PoseLimits;
use crate::image::FrameView;
use crate::meta::{intern, message, write_emotions};
use crate::model::Prior;
use crate::record::FaceRecord;
use crate::scores::Scores;
use crate::statistics::Stopwatch;

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

impl FaceTask for Classification {
    fn batch(&self) -> &Batch {
        &self.batch
    }
}

/// The faces of a stream and their scores.
pub struct FaceScoring {
    model_name: String,
    model_sha256: String,
    description_sha256: String,
    /// Minimum confidence of the model's description, for the priors natural and balanced.
    min_confidences: [f32; 2],
    /// The limits of the model's description.
    pose_limits: PoseLimits,
    /// The prior of the last frame.
    prior: Prior,
    scorer: FaceScorer,
    source: FaceSource,
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
            pose_limits: classifier.pose_limits(),
            prior: settings.prior.into(),
            scorer: FaceScorer::new(classifier.labels().clone()),
            source: FaceSource::new(*CAT),
            posted: Vec::new(),
        };
        Ok((scoring, classify_with(classifier)))
    }

    fn is_async(settings: &Settings) -> bool {
        settings.faces.asynchronous
    }

    fn set_caps(&mut self, element: &gst_base::BaseTransform, _engine: &mut Engine<Classification>, is_resized: bool) {
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

    fn restart(&mut self, engine: &mut Engine<Classification>) {
        self.scorer.clear();
        engine.forget();
        self.source.restart();
    }

    fn analyse(&mut self, buffer: &mut gst::BufferRef, frame: &mut Frame<Self>, settings: &Settings) -> Result<()> {
        let mut faces = self.source.read(buffer, frame.size, frame.element);
        self.score(buffer, frame, settings, &mut faces)?;
        if !faces.is_empty() {
            write_emotions(buffer, frame.size, &faces);
        }
        if self.is_message_due(settings.faces.post_messages, &faces) {
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
        let mut options = settings.scoring_options(self.min_confidences[prior as usize], self.pose_limits, frame.is_live);
        let is_late = self.source.limit(&mut options.selection, faces.len(), frame);
        let mapped = frame::map(buffer, frame.info)?;
        let view = frame::view(&mapped)?;
        if self.source.is_cut(faces, &view, frame.element) {
            self.scorer.end_tracks();
        }
        let batch = self.scorer.choose(&view, faces, &options, frame.now);
        frame.statistics().faces += faces.len() as u64;
        let classification = Classification { batch, prior, scores: Vec::new(), duration: Duration::ZERO };
        if let Some(replaced) = self.source.submit(buffer, &view, frame, classification, is_late) {
            self.scorer.give_up(&replaced.batch);
        }
        while let Some(done) = frame.engine.take().inspect_err(|_| self.scorer.give_up_all())? {
            self.scorer.store(&done.batch, done.scores, done.duration, &options);
        }
        self.scorer.complete(faces, frame.size, &options, frame.now);
        Ok(())
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
