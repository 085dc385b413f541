// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of elements that run a network on each face: which model, which faces, and how.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use parking_lot::Mutex;

use crate::choices::Baseline;
use crate::crops::results::Selection;
use crate::elements::execution::{ExecutionSettings, execution_fields};
use crate::elements::plugin_folder::plugin_folder;
use crate::elements::properties::When::{Playing, Ready};
use crate::elements::properties::{self, PostMessages, Properties, Property, choice, extract, field, uint, uint64};
use crate::error::Result;
use crate::model::ModelFile;
use crate::model::runtime::Execution;
use crate::model::search_path::SearchPath;
use crate::track::tracker::MAX_DETECTIONS;

/// Maximum number of faces that are analysed on a frame of a live stream, unless `max-faces-per-frame` is set. More would
/// delay the frames; the faces take turns instead. A file or a photo has time for all of them, up to [`MAX_DETECTIONS`], and a
/// photo has no later frame.
const LIVE_FACES_PER_FRAME: usize = 16;

/// What an action signal asks of a face. The next frame does it.
#[derive(Clone, Copy, Debug)]
pub enum Request {
    /// To take the face of this id for one at rest.
    Calibrate(u32),
    /// To forget its baseline.
    Reset(u32),
}

/// The values of the properties.
#[derive(Clone, Debug)]
pub struct FaceSettings {
    pub(in crate::elements) model_file: Option<String>,
    pub(in crate::elements) batch_size: u32,
    pub(in crate::elements) reclassify_interval: u32,
    pub(in crate::elements) max_faces_per_frame: u32,
    pub(in crate::elements) time_budget: u64,
    /// `None` until it is set: live streams are then gated.
    pub(in crate::elements) motion_gate: Option<bool>,
    pub(in crate::elements) idle_interval: u64,
    pub(in crate::elements) min_face_size: u32,
    pub(in crate::elements) execution: ExecutionSettings,
    pub(in crate::elements) asynchronous: bool,
    pub(in crate::elements) post_messages: PostMessages,
    pub(in crate::elements) baseline: Baseline,
    /// What the action signals asked for since the last frame.
    pub(in crate::elements) requests: Arc<Mutex<Vec<Request>>>,
}

impl Default for FaceSettings {
    fn default() -> Self {
        Self {
            model_file: None,
            batch_size: 0,
            reclassify_interval: 1,
            max_faces_per_frame: 0,
            time_budget: 0,
            motion_gate: None,
            idle_interval: properties::IDLE_INTERVAL.nseconds(),
            min_face_size: 16,
            execution: ExecutionSettings::default(),
            asynchronous: false,
            post_messages: PostMessages::default(),
            baseline: Baseline::default(),
            requests: Arc::default(),
        }
    }
}

impl FaceSettings {
    /// Which faces are analysed in a stream that is live or not.
    pub(in crate::elements) fn selection(&self, is_live: bool) -> Selection {
        let budget = match self.max_faces_per_frame {
            0 if is_live => LIVE_FACES_PER_FRAME,
            0 => MAX_DETECTIONS,
            number => number as usize,
        };
        Selection {
            interval_frames: u64::from(self.reclassify_interval),
            budget,
            min_face_size: self.min_face_size as f32,
            motion_gate: self.motion_gate.unwrap_or(is_live).then_some(Duration::from_nanos(self.idle_interval)),
            time_budget: (self.time_budget > 0).then_some(Duration::from_nanos(self.time_budget)),
        }
    }

    /// The chosen model, or the default one of the kind `default` if none is chosen, with what is needed to load it.
    pub(in crate::elements) fn model(&self, default: &str) -> Result<(ModelFile, SearchPath, Execution)> {
        let search = SearchPath::from_env(plugin_folder());
        let execution = self.execution.execution(&search)?;
        let model = match self.model_file.as_deref() {
            None => ModelFile::default_of(default, &search, execution.is_on_cpu())?,
            Some(name) if is_name(name) => ModelFile::named(name, &search)?,
            Some(file) => ModelFile::open(Path::new(file))?,
        };
        Ok((model, search, execution))
    }
}

/// True if `model` is the name of a model rather than a path: a single component without an extension, and no such file
/// exists.
fn is_name(model: &str) -> bool {
    let path = Path::new(model);
    path.components().count() == 1 && path.extension().is_none() && !path.is_file()
}

/// The properties, but for `model-file` and `min-face-size`, which mean something else in each element. Each class installs
/// descriptions of its own.
#[rustfmt::skip]
pub(in crate::elements) fn properties() -> Properties<FaceSettings> {
    let default = FaceSettings::default();
    let mut properties = vec![
        field!(FaceSettings: uint("batch-size", "Batch size",
            "Maximum number of faces in one run of the network (0 = all faces of the frame, up to 64)",
            0..=u32::MAX, default.batch_size, Ready), batch_size),
        field!(FaceSettings: uint("reclassify-interval", "Reclassification interval",
            "Run the network on each face on every n-th frame; on the others the last result holds, and landmarks move along with the box",
            1..=u32::MAX, default.reclassify_interval, Playing), reclassify_interval),
        field!(FaceSettings: uint("max-faces-per-frame", "Maximum faces per frame",
            "Maximum number of faces that the network sees on a frame, in turn; the others keep their last results (0 = all, at most \
             1000, or 16 if the stream is live)",
            0..=u32::MAX, default.max_faces_per_frame, Playing), max_faces_per_frame),
        field!(FaceSettings: uint64("time-budget", "Time budget",
            "Time in nanoseconds that the network may take on a frame, which limits the number of faces by their measured duration; it \
             runs on at least one (0 = no limit)",
            default.time_budget, Playing), time_budget),
        Property::new(
            properties::motion_gate("Run the network on a face only when it looks different than the last time. Unless it is set, live \
                streams are gated and others are not"),
            |settings| settings.motion_gate.unwrap_or(true).to_value(),
            |settings, value| settings.motion_gate = Some(extract(value)),
        ),
        field!(FaceSettings: properties::idle_interval("With motion-gate: maximum time between two runs on a face, in nanoseconds"),
            idle_interval),
        field!(FaceSettings: choice("baseline", "Baseline",
            "What scores, or the blendshapes of mouth and brows, are relative to. A face's own baseline is learnt from its track and \
             forgotten with it; the signals calibrate and reset-baseline set it",
            default.baseline, Playing), baseline),
        field!(FaceSettings: properties::asynchronous(), asynchronous),
        field!(FaceSettings: properties::post_messages("When to post an element message with the faces and their results"), post_messages),
    ];
    properties.extend(execution_fields!(FaceSettings: execution));
    Properties::new(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_analysed_faces_has_a_limit_in_every_stream() {
        let budget =
            |max_faces_per_frame, is_live| FaceSettings { max_faces_per_frame, ..FaceSettings::default() }.selection(is_live).budget;
        assert_eq!([budget(0, false), budget(0, true), budget(3, false), budget(40, true)], [1_000, 16, 3, 40]);
    }
}
