// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `emotionclassify` does with a face: scores it and writes the scores beside it.

use std::sync::{Arc, LazyLock};

use super::settings::Settings;
use crate::choices::{Baseline, Prior};
use crate::crops::results::Selection;
use crate::elements::analyser::LoadedModel;
use crate::elements::face_network::settings::FaceSettings;
use crate::elements::face_network::{FaceNetwork, Run};
use crate::error::Result;
use crate::expression::baseline::ClassMeans;
use crate::expression::scorer::{FaceScorer, ScoringOptions};
use crate::face_geometry::PoseLimits;
use crate::geometry::Size;
use crate::meta::message::{self, BufferTimes};
use crate::meta::{intern, write_emotions};
use crate::record::FaceRecord;

/// The category of the log lines.
pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionclassify", gst::DebugColorFlags::empty(), Some("Expression scores of the emotion plugin"))
});

/// The scores of the faces of a stream.
pub struct FaceScoring {
    /// Minimum confidence of the model's description, for the priors natural and balanced.
    min_confidences: [f32; 2],
    /// The limits of the model's description.
    pose_limits: PoseLimits,
    scorer: FaceScorer,
    /// What baselines are measured against, for the priors natural and balanced.
    means: [Option<Arc<ClassMeans>>; 2],
}

impl FaceNetwork for FaceScoring {
    type Settings = Settings;
    type Memory = FaceScorer;
    type Request = Prior;

    fn category() -> gst::DebugCategory {
        *CAT
    }

    fn load(settings: &Settings) -> Result<(Self, LoadedModel, Run<Self>)> {
        let mut classifier = settings.load_classifier()?;
        intern(classifier.labels().as_slice());
        let model = LoadedModel {
            name: classifier.name().to_owned(),
            sha256: classifier.sha256().to_owned(),
            description_sha256: classifier.description_sha256().to_owned(),
        };
        let scoring = Self {
            min_confidences: [Prior::Natural, Prior::Balanced].map(|prior| classifier.min_confidence(prior)),
            pose_limits: classifier.pose_limits(),
            means: [Prior::Natural, Prior::Balanced].map(|prior| classifier.class_means(prior).map(Arc::new)),
            scorer: FaceScorer::new(classifier.labels().clone()),
        };
        let run: Run<Self> = Box::new(move |view, batch, prior| {
            classifier.set_prior(prior);
            Ok((classifier.classify_batch(view, batch)?, classifier.step_times()))
        });
        Ok((scoring, model, run))
    }

    fn faces(settings: &Settings) -> &FaceSettings {
        &settings.faces
    }

    fn request(settings: &Settings) -> Prior {
        settings.prior
    }

    fn options(&self, settings: &Settings, selection: Selection) -> ScoringOptions {
        settings.scoring_options(selection, self.min_confidences[Self::request(settings) as usize], self.pose_limits)
    }

    fn set_baseline(&mut self, settings: &Settings) {
        let is_wanted = settings.faces.baseline == Baseline::Track;
        self.scorer.set_baseline(self.means[Self::request(settings) as usize].clone().filter(|_| is_wanted));
    }

    fn memory(&mut self) -> &mut FaceScorer {
        &mut self.scorer
    }

    fn write(buffer: &mut gst::BufferRef, size: Size, faces: &[FaceRecord]) {
        write_emotions(buffer, size, faces);
    }

    fn message(times: &BufferTimes, size: Size, faces: &[FaceRecord]) -> gst::Structure {
        message::emotion(times, size, faces)
    }

    fn differs(face: &FaceRecord, posted: &FaceRecord) -> bool {
        label(face) != label(posted)
    }
}

fn label(face: &FaceRecord) -> Option<&str> {
    face.emotion.as_ref().map(|emotion| emotion.label())
}
