// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionclassify`.

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use gst_video::VideoInfo;

use crate::elements::detector_watch::DetectorWatch;
use crate::elements::engine::{Engine, Work, catch_panic};
use crate::elements::stats;
use crate::elements::stream::{HoldTime, Lateness, StreamClock, buffer_times, frame_step, since};
use crate::elements::{
    ExecutionProvider, MAX_THREADS, PostMessages, async_param_spec, error_message, frame, given, plugin_folder, post, post_latency,
    propose_allocation, provider_param_spec,
};
use crate::error::{Error, Result};
use crate::expression::classifier::Classifier;
use crate::expression::scorer::{Batch, FaceScorer, ScoringOptions};
use crate::geometry::Size;
use crate::image::FrameView;
use crate::meta::message::{self, BufferTimes};
use crate::meta::{Moved, intern, write_emotions};
use crate::model::runtime::RunOptions;
use crate::model::search_path::SearchPath;
use crate::model::{ModelFile, embedded};
use crate::record::FaceRecord;
use crate::scores::Scores;
use crate::statistics::Statistics;
use crate::track::scene_cut::CutDetector;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionclassify", gst::DebugColorFlags::empty(), Some("Expression scores of the emotion plugin"))
});

#[derive(Clone, Debug)]
struct Settings {
    model_file: Option<String>,
    batch_size: u32,
    reclassify_interval: u32,
    max_faces_per_frame: u32,
    smoothing: u64,
    min_confidence: f64,
    min_face_size: u32,
    threads: u32,
    provider: ExecutionProvider,
    asynchronous: bool,
    post_messages: PostMessages,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model_file: None,
            batch_size: 0,
            reclassify_interval: 1,
            max_faces_per_frame: 16,
            smoothing: 200 * gst::ClockTime::MSECOND.nseconds(),
            min_confidence: 0.0,
            min_face_size: 16,
            threads: 0,
            provider: ExecutionProvider::default(),
            asynchronous: false,
            post_messages: PostMessages::default(),
        }
    }
}

impl Settings {
    fn scoring_options(&self) -> ScoringOptions {
        ScoringOptions {
            reclassify_interval: u64::from(self.reclassify_interval),
            budget: self.max_faces_per_frame as usize,
            half_life: Duration::from_nanos(self.smoothing),
            min_confidence: self.min_confidence as f32,
            min_face_size: self.min_face_size as f32,
        }
    }

    fn load_classifier(&self) -> Result<Classifier> {
        let search = SearchPath::from_env(plugin_folder());
        let run = RunOptions { threads: self.threads, provider: self.provider.into() };
        let mut classifier = match &self.model_file {
            Some(name) if is_name(name) => Classifier::load(ModelFile::named(name, &search)?, &search, run)?,
            Some(file) => Classifier::load(ModelFile::open(Path::new(file))?, &search, run)?,
            None => Classifier::load(ModelFile::named(embedded::EXPRESSION, &search)?, &search, run)?,
        };
        classifier.set_batch_size(self.batch_size as usize);
        Ok(classifier)
    }
}

/// True if `model` is the name of a model rather than a path: one word without an ending that no file has.
fn is_name(model: &str) -> bool {
    let path = Path::new(model);
    path.components().count() == 1 && path.extension().is_none() && !path.is_file()
}

/// Faces to be classified, and what came out.
struct Classification {
    batch: Batch,
    scores: Vec<Scores>,
}

/// What the stream made of the settings.
struct State {
    engine: Engine<Classification>,
    scorer: FaceScorer,
    cuts: CutDetector,
    time: StreamClock,
    info: Option<VideoInfo>,
    /// What lies between the picture that faces were found on and this one.
    moved: Moved,
    /// Time of the last inference.
    inferred: Duration,
    detector_watch: DetectorWatch,
    /// True once the log says who finds the faces.
    source_named: bool,
    /// Ids and labels of the last message.
    posted: Vec<(u32, String)>,
    /// True while frames cannot be read, so that a streak of them is told once.
    failing: bool,
}

/// The instance of `emotionclassify`.
#[derive(Default)]
pub struct EmotionClassify {
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
    lateness: Lateness,
    hold_time: HoldTime,
    statistics: Arc<Mutex<Statistics>>,
}

impl EmotionClassify {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn statistics(&self) -> MutexGuard<'_, Statistics> {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds ids and scores to `faces`, which are on `buffer`.
    fn score(
        &self,
        state: &mut State,
        settings: &Settings,
        buffer: &gst::BufferRef,
        times: &BufferTimes,
        faces: &mut [FaceRecord],
    ) -> Result<()> {
        let Some(info) = state.info.clone() else { return Ok(()) };
        let (size, now, mut options) =
            (frame::size(&info), state.time.advance(times.running_time, frame_step(&info)), settings.scoring_options());
        let wanted = options.budget.min(faces.len());
        options.budget = self.lateness.affords(times.running_time, wanted, since(state.inferred, now));
        let late = options.budget < wanted;
        if late {
            gst::trace!(CAT, imp = self, "{} of {wanted} classifications on this frame: late", options.budget);
        }
        if faces.iter().any(|face| face.id == 0) {
            // Faces that nobody follows are followed here.
            let mapped = frame::map(buffer, &info)?;
            if state.cuts.observe(&frame::view(&mapped)?) {
                gst::debug!(CAT, imp = self, "scene cut");
                state.scorer.end_tracks();
            }
        }
        let batch = state.scorer.choose(faces, size, &options, now);
        self.statistics().faces += faces.len() as u64;
        if batch.is_empty() {
            let mut statistics = self.statistics();
            statistics.skipped += 1;
            statistics.late += u64::from(late);
        } else {
            state.inferred = now;
            let mapped = frame::map(buffer, &info)?;
            let classification = Classification { batch, scores: Vec::new() };
            if let Some(replaced) = state.engine.submit(buffer, &info, &frame::view(&mapped)?, classification) {
                state.scorer.give_up(&replaced.batch);
                self.statistics().skipped += 1;
            }
        }
        while let Some(done) = state.engine.take().inspect_err(|_| state.scorer.give_up_all())? {
            state.scorer.take(&done.batch, done.scores, &options);
        }
        state.scorer.complete(faces, size, &options, now);
        Ok(())
    }

    /// Says once who finds the faces, and warns once if nobody seems to.
    fn note_source(&self, state: &mut State, buffer: &gst::BufferRef, faces: &[FaceRecord]) {
        if let Some(face) = faces.first().filter(|_| !state.source_named) {
            let source = face.detection.as_ref().map_or("an element that does not name itself", |detection| &*detection.model_name);
            gst::info!(CAT, imp = self, "scoring faces found by {source}");
            state.source_named = true;
        }
        if let Some(warning) = state.detector_watch.observe(buffer) {
            gst::element_imp_warning!(self, gst::StreamError::Failed, ["{warning}"]);
        }
    }

    fn post(&self, state: &mut State, wanted: PostMessages, times: &BufferTimes, size: Size, faces: &[FaceRecord]) {
        if wanted == PostMessages::None {
            return;
        }
        let mut shown: Vec<_> =
            faces.iter().map(|face| (face.id, face.emotion.as_ref().map_or("", |emotion| emotion.label()).to_string())).collect();
        shown.sort_unstable();
        if wanted == PostMessages::Every || shown != state.posted {
            post(&*self.obj(), message::emotion(times, size, faces));
        }
        state.posted = shown;
    }
}

fn classifying_with(mut classifier: Classifier) -> Work<Classification> {
    Box::new(move |view: &FrameView, task: &mut Classification| {
        task.scores = task.batch.classify(&mut classifier, view)?;
        Ok(Some(classifier.step_times()))
    })
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionClassify {
    const NAME: &'static str = "GstEmotionClassify";
    type Type = super::EmotionClassify;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for EmotionClassify {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let default = Settings::default();
            vec![
                glib::ParamSpecString::builder("model-file")
                    .nick("Model file")
                    .blurb("ONNX file of an expression model with its description beside it, or the name of one: expression (default), expression-int8, expression-tiny")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt::builder("batch-size")
                    .nick("Batch size")
                    .blurb("Most faces in one run of the network (0 = all of the frame)")
                    .default_value(default.batch_size)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt::builder("reclassify-interval")
                    .nick("Reclassification interval")
                    .blurb("Frames from one classification of a face to the next")
                    .minimum(1)
                    .default_value(default.reclassify_interval)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("max-faces-per-frame")
                    .nick("Maximum faces per frame")
                    .blurb("Most faces that are classified on one frame, in turn; the others keep their last scores")
                    .minimum(1)
                    .default_value(default.max_faces_per_frame)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt64::builder("smoothing")
                    .nick("Smoothing")
                    .blurb("Half-life of each face's mean scores in nanoseconds (0 = none)")
                    .default_value(default.smoothing)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecDouble::builder("min-confidence")
                    .nick("Minimum confidence")
                    .blurb("A face whose top score is below is unknown")
                    .minimum(0.0)
                    .maximum(1.0)
                    .default_value(default.min_confidence)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("min-face-size")
                    .nick("Minimum face size")
                    .blurb("A face whose width or height is below, in pixels, is unknown")
                    .default_value(default.min_face_size)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("threads")
                    .nick("Threads")
                    .blurb("Threads of the network (0 = as many as cores, shared by all elements of the process)")
                    .maximum(MAX_THREADS)
                    .default_value(default.threads)
                    .mutable_ready()
                    .build(),
                provider_param_spec(),
                async_param_spec(),
                glib::ParamSpecEnum::builder_with_default("post-messages", default.post_messages)
                    .nick("Post messages")
                    .blurb("When to post an element message with the faces and their scores")
                    .mutable_playing()
                    .build(),
                stats::param_spec(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.settings();
        match pspec.name() {
            "model-file" => settings.model_file = given(value),
            "batch-size" => settings.batch_size = given(value),
            "reclassify-interval" => settings.reclassify_interval = given(value),
            "max-faces-per-frame" => settings.max_faces_per_frame = given(value),
            "smoothing" => settings.smoothing = given(value),
            "min-confidence" => settings.min_confidence = given(value),
            "min-face-size" => settings.min_face_size = given(value),
            "threads" => settings.threads = given(value),
            "execution-provider" => settings.provider = given(value),
            "async" => settings.asynchronous = given(value),
            _ => settings.post_messages = given(value),
        }
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.settings();
        match pspec.name() {
            "model-file" => settings.model_file.to_value(),
            "batch-size" => settings.batch_size.to_value(),
            "reclassify-interval" => settings.reclassify_interval.to_value(),
            "max-faces-per-frame" => settings.max_faces_per_frame.to_value(),
            "smoothing" => settings.smoothing.to_value(),
            "min-confidence" => settings.min_confidence.to_value(),
            "min-face-size" => settings.min_face_size.to_value(),
            "threads" => settings.threads.to_value(),
            "execution-provider" => settings.provider.to_value(),
            "async" => settings.asynchronous.to_value(),
            "stats" => stats::structure("application/x-emotionclassify-stats", "classify", &self.statistics()).to_value(),
            _ => settings.post_messages.to_value(),
        }
    }
}

impl GstObjectImpl for EmotionClassify {}

impl ElementImpl for EmotionClassify {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Expression classifier",
                "Filter/Analyzer/Video",
                "Scores the apparent expression of every face that an element before it found",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(frame::pad_templates);
        &TEMPLATES
    }
}

impl BaseTransformImpl for EmotionClassify {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> std::result::Result<(), gst::ErrorMessage> {
        let settings = self.settings().clone();
        let classifier = catch_panic(&self.obj().name(), || settings.load_classifier()).map_err(|error| error_message(&error))?;
        gst::info!(CAT, imp = self, "classifying with {}", classifier.name());
        self.lateness.reset();
        *self.statistics() = Statistics::default();
        self.hold_time.reset();
        intern(classifier.labels().as_slice());
        let scorer = FaceScorer::new(classifier.labels().clone());
        let engine = Engine::new(&self.obj().name(), settings.asynchronous, self.statistics.clone(), classifying_with(classifier));
        *self.state() = Some(State {
            engine: engine.map_err(|error| error_message(&error))?,
            scorer,
            cuts: CutDetector::default(),
            time: StreamClock::default(),
            info: None,
            moved: Moved::default(),
            inferred: Duration::ZERO,
            detector_watch: DetectorWatch::default(),
            source_named: false,
            posted: Vec::new(),
            failing: false,
        });
        Ok(())
    }

    fn stop(&self) -> std::result::Result<(), gst::ErrorMessage> {
        // A worker is waited for; nobody else is to wait with it.
        let state = self.state().take();
        drop(state);
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> std::result::Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps).map_err(|_| gst::loggable_error!(CAT, "no video format in caps {incaps}"))?;
        let moved = Moved::before(self.obj().sink_pad());
        let undecided = moved.undecided();
        if !undecided.is_empty() {
            gst::warning!(
                CAT,
                imp = self,
                "{} changes the picture in a way that cannot be told, so faces may be lost: put it before the detector",
                undecided.join(", ")
            );
        }
        if let Some(state) = &mut *self.state() {
            if state.info.as_ref().is_some_and(|old| frame::size(old) != frame::size(&info)) {
                state.cuts.reset();
            }
            (state.info, state.moved) = (Some(info), moved);
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if matches!(event.view(), gst::EventView::FlushStop(_)) {
            self.lateness.reset();
            if let Some(state) = &mut *self.state() {
                state.scorer.clear();
                state.engine.forget();
                state.cuts.reset();
            }
        }
        self.parent_sink_event(event)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        if let gst::EventView::Qos(qos) = event.view() {
            self.lateness.observe(qos);
        }
        self.parent_src_event(event)
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        match query.view() {
            gst::QueryView::Latency(_) if direction == gst::PadDirection::Src => self.hold_time.answer(&*self.obj(), query),
            _ => BaseTransformImplExt::parent_query(self, direction, query),
        }
    }

    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> std::result::Result<(), gst::LoggableError> {
        propose_allocation(self.obj().src_pad(), query);
        Ok(())
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> std::result::Result<gst::FlowSuccess, gst::FlowError> {
        let settings = self.settings().clone();
        let mut guard = self.state();
        let state = guard.as_mut().ok_or(gst::FlowError::Flushing)?;
        let size = state.info.as_ref().map(frame::size).ok_or(gst::FlowError::NotNegotiated)?;
        let times = buffer_times(&*self.obj(), buffer);
        self.statistics().frames += 1;
        let mut faces = state.moved.read_faces(buffer, size);
        self.note_source(state, buffer, &faces);
        match self.score(state, &settings, buffer, &times, &mut faces) {
            Ok(()) => {
                state.failing = false;
                if !faces.is_empty() {
                    write_emotions(buffer, size, &faces);
                }
                self.post(state, settings.post_messages, &times, size, &faces);
                let longer = !state.engine.is_async() && self.hold_time.observe(&self.statistics());
                drop(guard);
                if longer {
                    post_latency(&*self.obj());
                }
                Ok(gst::FlowSuccess::Ok)
            }
            Err(error @ Error::Inference { .. }) => {
                drop(guard);
                self.post_error_message(error_message(&error));
                Err(gst::FlowError::Error)
            }
            Err(error) => {
                if !std::mem::replace(&mut state.failing, true) {
                    gst::warning!(CAT, imp = self, "passing frames on unscored: {error}");
                }
                Ok(gst::FlowSuccess::Ok)
            }
        }
    }
}
