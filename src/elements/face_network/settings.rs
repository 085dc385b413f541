// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of elements that run a network on each face: which model, which faces, and how.

use std::path::Path;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::crops::results::Selection;
use crate::elements::plugin_folder::plugin_folder;
use crate::elements::properties::{self, ExecutionProvider, PostMessages, extract};
use crate::error::Result;
use crate::model::ModelFile;
use crate::model::runtime::RunOptions;
use crate::model::search_path::SearchPath;
use crate::track::tracker::MAX_DETECTIONS;

/// Maximum number of faces that are analysed on a frame of a live stream, unless `max-faces-per-frame` is set. More would
/// delay the frames; the faces take turns instead. A file or a photo has time for all of them, up to [`MAX_DETECTIONS`], and a
/// photo has no later frame.
const LIVE_FACES_PER_FRAME: usize = 16;

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
    pub(in crate::elements) threads: u32,
    pub(in crate::elements) provider: ExecutionProvider,
    pub(in crate::elements) asynchronous: bool,
    pub(in crate::elements) post_messages: PostMessages,
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
            threads: 0,
            provider: ExecutionProvider::default(),
            asynchronous: false,
            post_messages: PostMessages::default(),
        }
    }
}

impl FaceSettings {
    /// Sets the property `name`, which must be one of these.
    pub(in crate::elements) fn set(&mut self, name: &str, value: &glib::Value) {
        match name {
            "model-file" => self.model_file = extract(value),
            "batch-size" => self.batch_size = extract(value),
            "reclassify-interval" => self.reclassify_interval = extract(value),
            "max-faces-per-frame" => self.max_faces_per_frame = extract(value),
            "time-budget" => self.time_budget = extract(value),
            "motion-gate" => self.motion_gate = Some(extract(value)),
            "idle-interval" => self.idle_interval = extract(value),
            "min-face-size" => self.min_face_size = extract(value),
            "threads" => self.threads = extract(value),
            "execution-provider" => self.provider = extract(value),
            "async" => self.asynchronous = extract(value),
            "post-messages" => self.post_messages = extract(value),
            name => unreachable!("property {name} is not installed"),
        }
    }

    /// The value of the property `name`, which must be one of these.
    pub(in crate::elements) fn get(&self, name: &str) -> glib::Value {
        match name {
            "model-file" => self.model_file.to_value(),
            "batch-size" => self.batch_size.to_value(),
            "reclassify-interval" => self.reclassify_interval.to_value(),
            "max-faces-per-frame" => self.max_faces_per_frame.to_value(),
            "time-budget" => self.time_budget.to_value(),
            "motion-gate" => self.motion_gate.unwrap_or(true).to_value(),
            "idle-interval" => self.idle_interval.to_value(),
            "min-face-size" => self.min_face_size.to_value(),
            "threads" => self.threads.to_value(),
            "execution-provider" => self.provider.to_value(),
            "async" => self.asynchronous.to_value(),
            "post-messages" => self.post_messages.to_value(),
            name => unreachable!("property {name} is not installed"),
        }
    }

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
    pub(in crate::elements) fn model(&self, default: &str) -> Result<(ModelFile, SearchPath, RunOptions)> {
        let search = SearchPath::from_env(plugin_folder());
        let run = RunOptions { threads: self.threads, provider: self.provider.into() };
        let model = match self.model_file.as_deref() {
            None => ModelFile::default_of(default, &search, self.provider == ExecutionProvider::default())?,
            Some(name) if is_name(name) => ModelFile::named(name, &search)?,
            Some(file) => ModelFile::open(Path::new(file))?,
        };
        Ok((model, search, run))
    }
}

/// True if `model` is the name of a model rather than a path: a single component without an extension, and no such file
/// exists.
fn is_name(model: &str) -> bool {
    let path = Path::new(model);
    path.components().count() == 1 && path.extension().is_none() && !path.is_file()
}

/// A property with an unsigned number.
fn number(name: &str, nick: &str, blurb: &str, minimum: u32, default: u32) -> glib::ParamSpec {
    let builder = glib::ParamSpecUInt::builder(name).nick(nick).blurb(blurb).minimum(minimum).default_value(default);
    builder.mutable_playing().build()
}

/// The property `model-file`.
pub(in crate::elements) fn model_file(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecString::builder("model-file").nick("Model file").blurb(blurb).mutable_ready().build()
}

/// The property `batch-size`.
pub(in crate::elements) fn batch_size() -> glib::ParamSpec {
    glib::ParamSpecUInt::builder("batch-size")
        .nick("Batch size")
        .blurb("Maximum number of faces in one run of the network (0 = all faces of the frame, up to 64)")
        .default_value(FaceSettings::default().batch_size)
        .mutable_ready()
        .build()
}

/// The property `reclassify-interval`.
pub(in crate::elements) fn reclassify_interval(blurb: &str) -> glib::ParamSpec {
    let default = FaceSettings::default().reclassify_interval;
    number("reclassify-interval", "Reclassification interval", blurb, 1, default)
}

/// The property `max-faces-per-frame`.
pub(in crate::elements) fn max_faces_per_frame(blurb: &str) -> glib::ParamSpec {
    number("max-faces-per-frame", "Maximum faces per frame", blurb, 0, FaceSettings::default().max_faces_per_frame)
}

/// The property `min-face-size`.
pub(in crate::elements) fn min_face_size(blurb: &str, default: u32) -> glib::ParamSpec {
    number("min-face-size", "Minimum face size", blurb, 0, default)
}

/// The property `time-budget`.
pub(in crate::elements) fn time_budget(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder("time-budget")
        .nick("Time budget")
        .blurb(blurb)
        .default_value(FaceSettings::default().time_budget)
        .mutable_playing()
        .build()
}

/// The property `post-messages`.
pub(in crate::elements) fn post_messages(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecEnum::builder_with_default("post-messages", PostMessages::default())
        .nick("Post messages")
        .blurb(blurb)
        .mutable_playing()
        .build()
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
