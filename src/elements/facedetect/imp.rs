// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `facedetect`.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use gst_video::VideoInfo;

use super::compatibility::{ignored_profile, int, unusable_profile};
use super::{CascadeFlags, Detector, FaceDetectImpl, Updates};
use crate::detector::network::{Family, NetworkDetector};
use crate::detector::tiles::TiledDetector;
use crate::detector::{CascadeOptions, DEFAULT_CASCADE, DetectOptions, FaceDetector};
use crate::elements::engine::{Engine, Work, catch_panic};
use crate::elements::stats;
use crate::elements::stream::{HoldTime, Lateness, StreamClock, buffer_times, frame_step};
use crate::elements::{
    ExecutionProvider, MAX_THREADS, PostMessages, async_param_spec, error_message, frame, given, plugin_folder, post, post_latency,
    propose_allocation, provider_param_spec,
};
use crate::error::{Error, Result};
use crate::geometry::Size;
use crate::image::FrameView;
use crate::meta::message::{self, BufferTimes};
use crate::meta::{intern, write_search};
use crate::model::ModelFile;
use crate::model::runtime::RunOptions;
use crate::model::search_path::SearchPath;
use crate::record::{FaceRecord, SearchAge};
use crate::statistics::Statistics;
use crate::track::finder::{FaceFinder, FindOptions, Search, Skipped};

/// Largest `detect-size` and `tile-size`; beyond it frames are larger than any known camera's.
const MAX_DETECT_SIZE: u32 = 16_384;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionfacedetect", gst::DebugColorFlags::empty(), Some("Face detection of the emotion plugin"))
});

#[derive(Clone, Debug)]
struct Settings {
    detector: Detector,
    model_file: Option<String>,
    score_threshold: f64,
    iou_threshold: f64,
    max_faces: u32,
    min_face_size: u32,
    detect_size: u32,
    tile_size: u32,
    detect_interval: u32,
    track: bool,
    track_timeout: u64,
    threads: u32,
    provider: ExecutionProvider,
    asynchronous: bool,
    updates: Updates,
    profile: Option<String>,
    scale_factor: f64,
    min_neighbors: i32,
    min_size_width: i32,
    min_size_height: i32,
    ignored: Ignored,
}

/// Properties of OpenCV's element that have no effect here; kept to be read back.
#[derive(Clone, Debug)]
struct Ignored {
    display: bool,
    flags: CascadeFlags,
    min_stddev: i32,
    eyes_profile: Option<String>,
    nose_profile: Option<String>,
    mouth_profile: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detector: Detector::default(),
            model_file: None,
            score_threshold: 0.5,
            iou_threshold: 0.3,
            max_faces: 0,
            min_face_size: 0,
            detect_size: 320,
            tile_size: 0,
            detect_interval: 1,
            track: true,
            track_timeout: gst::ClockTime::SECOND.nseconds(),
            threads: 0,
            provider: ExecutionProvider::default(),
            asynchronous: false,
            updates: Updates::default(),
            profile: None,
            scale_factor: 1.25,
            min_neighbors: 3,
            min_size_width: 30,
            min_size_height: 30,
            ignored: Ignored {
                display: true,
                flags: CascadeFlags::DO_CANNY_PRUNING,
                min_stddev: 0,
                eyes_profile: None,
                nose_profile: None,
                mouth_profile: None,
            },
        }
    }
}

impl Settings {
    /// What is wanted of each frame.
    fn find_options(&self) -> FindOptions {
        let side = |length: i32| u32::try_from(length).unwrap_or(0);
        let detect = DetectOptions {
            score_threshold: self.score_threshold as f32,
            iou_threshold: self.iou_threshold as f32,
            max_faces: self.max_faces as usize,
            min_face_size: self.min_face_size as f32,
            cascade: CascadeOptions {
                scale_factor: self.scale_factor,
                min_neighbors: self.min_neighbors,
                min_size: Size::new(side(self.min_size_width), side(self.min_size_height)),
            },
        };
        FindOptions {
            detect,
            interval_frames: self.detect_interval,
            track: self.track,
            track_timeout: Duration::from_nanos(self.track_timeout),
        }
    }

    fn load_detector(&self) -> Result<Box<dyn FaceDetector>> {
        let search = SearchPath::from_env(plugin_folder());
        let family = match self.detector {
            #[cfg(feature = "haar")]
            Detector::Haar => return self.load_cascade(),
            #[cfg(feature = "haar")]
            Detector::Auto if self.model_file.is_none() && self.profile.is_some() => return self.load_cascade(),
            Detector::Auto => None,
            Detector::EmotionFace => Some(Family::EmotionFace),
            Detector::CenterFace => Some(Family::CenterFace),
            Detector::UltraFace => Some(Family::UltraFace),
            Detector::YuNet => Some(Family::YuNet),
        };
        let model = self.find_model(family, &search)?;
        let run = RunOptions { threads: self.threads, provider: self.provider.into() };
        Ok(Box::new(NetworkDetector::load(model, family, self.detect_size, &search, run)?))
    }

    /// The given file, else the network of `family`; of any family the one that is compiled in.
    fn find_model(&self, family: Option<Family>, search: &SearchPath) -> Result<ModelFile> {
        match (&self.model_file, family) {
            (Some(file), _) => ModelFile::open(file.as_ref()),
            (None, family) => family.unwrap_or(Family::EmotionFace).default_model(search),
        }
    }

    #[cfg(feature = "haar")]
    fn load_cascade(&self) -> Result<Box<dyn FaceDetector>> {
        let profile = self.profile.as_deref().unwrap_or(DEFAULT_CASCADE);
        Ok(Box::new(crate::detector::haar::HaarDetector::load(profile.as_ref())?))
    }
}

/// What the stream made of the settings.
struct State {
    engine: Engine<Search>,
    finder: FaceFinder,
    time: StreamClock,
    info: Option<VideoInfo>,
    /// Ids of the last message.
    posted: Vec<u32>,
    /// Set while frames are unreadable, so that a streak is logged once.
    failing: bool,
}

/// The instance of `facedetect`.
#[derive(Default)]
pub struct FaceDetect {
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
    lateness: Lateness,
    hold_time: HoldTime,
    statistics: Arc<Mutex<Statistics>>,
}

impl FaceDetect {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn statistics(&self) -> MutexGuard<'_, Statistics> {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faces of `buffer`, detected or predicted, and when they were last searched for.
    fn find(
        &self,
        state: &mut State,
        settings: &Settings,
        buffer: &gst::BufferRef,
        times: &BufferTimes,
    ) -> Result<(Vec<FaceRecord>, SearchAge)> {
        let Some(info) = state.info.clone() else { return Ok((Vec::new(), SearchAge::Never)) };
        let State { engine, finder, .. } = state;
        let (now, options) = (state.time.advance(times.running_time, frame_step(&info)), settings.find_options());
        let mapped = frame::map(buffer, &info)?;
        let view = frame::view(&mapped)?;
        if finder.observe(&view) {
            gst::debug!(CAT, imp = self, "scene cut");
            engine.forget();
        }
        let is_late = |frames, idle| self.lateness.skips(times.running_time, frames, options.interval_frames, idle);
        match finder.begin(&options, now, is_late) {
            Ok(search) => {
                let replaced = engine.submit(buffer, &info, &view, search);
                self.statistics().skipped += u64::from(replaced.is_some());
            }
            Err(skipped) => self.count(skipped),
        }
        while let Some(search) = engine.take()? {
            finder.finish(search, &options);
        }
        Ok(finder.faces(&options, frame::size(&info), now))
    }

    fn count(&self, skipped: Skipped) {
        let mut statistics = self.statistics();
        statistics.skipped += 1;
        statistics.late += u64::from(skipped == Skipped::Late { due: true });
        gst::trace!(CAT, imp = self, "no detection on this frame: {skipped:?}");
    }

    fn post(&self, state: &mut State, updates: Updates, times: &BufferTimes, size: Size, faces: &[FaceRecord]) {
        let ids: Vec<u32> = faces.iter().map(|face| face.id).collect();
        let wanted = match updates {
            Updates::None => false,
            Updates::EveryFrame => true,
            Updates::OnFace => !faces.is_empty(),
            Updates::OnChange => {
                let sorted = |mut ids: Vec<u32>| {
                    ids.sort_unstable();
                    ids
                };
                sorted(ids.clone()) != sorted(state.posted.clone())
            }
        };
        state.posted = ids;
        if wanted {
            post(&*self.obj(), message::facedetect(times, size, faces));
        }
    }
}

impl State {
    /// Forgets every face, as after a seek; ids go on.
    fn restart(&mut self) {
        self.finder.restart();
        self.engine.forget();
    }
}

fn searching_with(mut detector: Box<dyn FaceDetector>) -> Work<Search> {
    Box::new(move |view: &FrameView, search: &mut Search| search.run(&mut *detector, view))
}

#[glib::object_subclass]
impl ObjectSubclass for FaceDetect {
    const NAME: &'static str = "GstEmotionFaceDetect";
    type Type = super::FaceDetect;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for FaceDetect {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let default = Settings::default();
            vec![
                glib::ParamSpecEnum::builder_with_default("detector", default.detector)
                    .nick("Detector")
                    .blurb("Which detector finds the faces")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecString::builder("model-file")
                    .nick("Model file")
                    .blurb("ONNX file of a face detector, recognised by its outputs; unset takes the detector's usual one")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecDouble::builder("score-threshold")
                    .nick("Score threshold")
                    .blurb("Least confidence of a face")
                    .minimum(0.0)
                    .maximum(1.0)
                    .default_value(default.score_threshold)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecDouble::builder("iou-threshold")
                    .nick("IoU threshold")
                    .blurb("Boxes that overlap by more than this intersection over union are one face")
                    .minimum(0.0)
                    .maximum(1.0)
                    .default_value(default.iou_threshold)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("max-faces")
                    .nick("Maximum faces")
                    .blurb("Maximum number of faces on a frame, the most confident ones (0 = all that are found, at most 1000)")
                    .default_value(default.max_faces)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("min-face-size")
                    .nick("Minimum face size")
                    .blurb("Smallest width and height of a face in pixels of the frame")
                    .default_value(default.min_face_size)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt::builder("detect-size")
                    .nick("Detection size")
                    .blurb("Longer side of the picture that is fed to the network, in pixels (0 = the frame's own)")
                    .maximum(MAX_DETECT_SIZE)
                    .default_value(default.detect_size)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt::builder("tile-size")
                    .nick("Tile size")
                    .blurb(
                        "Search with each reduced frame also a part of it at its own resolution, in turn, for small faces: longest side of \
                         such a tile, in pixels (0 = none; smaller values than 128 count as 128)",
                    )
                    .maximum(MAX_DETECT_SIZE)
                    .default_value(default.tile_size)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt::builder("detect-interval")
                    .nick("Detection interval")
                    .blurb("Frames from one detection to the next; between them faces are tracked")
                    .minimum(1)
                    .default_value(default.detect_interval)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("track")
                    .nick("Track")
                    .blurb("Give each face an id that stays with it")
                    .default_value(default.track)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt64::builder("track-timeout")
                    .nick("Track timeout")
                    .blurb("A face that was not seen for this long gets a new id, in nanoseconds")
                    .default_value(default.track_timeout)
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
                glib::ParamSpecEnum::builder_with_default("post-messages", PostMessages::default())
                    .nick("Post messages")
                    .blurb("When to post an element message with the faces")
                    .mutable_playing()
                    .build(),
                glib::ParamSpecEnum::builder_with_default("updates", default.updates)
                    .nick("Updates")
                    .blurb("post-messages by the name of OpenCV's element")
                    .mutable_playing()
                    .build(),
                glib::ParamSpecString::builder("profile")
                    .nick("Profile")
                    .blurb("Haar cascade file for face detection; setting it with detector=auto selects the cascade")
                    .default_value(DEFAULT_CASCADE)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecDouble::builder("scale-factor")
                    .nick("Scale factor")
                    .blurb("Factor between the face sizes that the cascade tries")
                    .minimum(1.1)
                    .maximum(10.0)
                    .default_value(default.scale_factor)
                    .mutable_playing()
                    .build(),
                int(
                    "min-neighbors",
                    "Minimum neighbours",
                    "Hits of the cascade, minus one, that make a face",
                    i32::MAX,
                    default.min_neighbors,
                ),
                int(
                    "min-size-width",
                    "Minimum width",
                    "Smallest width of a face for the cascade, in pixels",
                    i32::MAX,
                    default.min_size_width,
                ),
                int(
                    "min-size-height",
                    "Minimum height",
                    "Smallest height of a face for the cascade, in pixels",
                    i32::MAX,
                    default.min_size_height,
                ),
                glib::ParamSpecBoolean::builder("display")
                    .nick("Display")
                    .blurb("No effect: put emotionoverlay behind to draw the faces")
                    .default_value(default.ignored.display)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecFlags::builder("flags")
                    .nick("Flags")
                    .blurb("No effect: today's OpenCV ignores them")
                    .default_value(default.ignored.flags)
                    .mutable_playing()
                    .build(),
                stats::param_spec(),
                int("min-stddev", "Minimum standard deviation", "No effect: every frame is searched", 255, default.ignored.min_stddev),
                ignored_profile("eyes-profile"),
                ignored_profile("nose-profile"),
                ignored_profile("mouth-profile"),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.settings();
        match pspec.name() {
            "detector" => settings.detector = given(value),
            "model-file" => settings.model_file = given(value),
            "score-threshold" => settings.score_threshold = given(value),
            "iou-threshold" => settings.iou_threshold = given(value),
            "max-faces" => settings.max_faces = given(value),
            "min-face-size" => settings.min_face_size = given(value),
            "detect-size" => settings.detect_size = given(value),
            "tile-size" => settings.tile_size = given(value),
            "detect-interval" => settings.detect_interval = given(value),
            "track" => settings.track = given(value),
            "track-timeout" => settings.track_timeout = given(value),
            "threads" => settings.threads = given(value),
            "execution-provider" => settings.provider = given(value),
            "async" => settings.asynchronous = given(value),
            "post-messages" => settings.updates = given::<PostMessages>(value).into(),
            "updates" => settings.updates = given(value),
            "profile" => settings.profile = given(value),
            "scale-factor" => settings.scale_factor = given(value),
            "min-neighbors" => settings.min_neighbors = given(value),
            "min-size-width" => settings.min_size_width = given(value),
            "min-size-height" => settings.min_size_height = given(value),
            ignored => {
                gst::warning!(CAT, imp = self, "property {ignored} has no effect: {}", pspec.blurb().unwrap_or_default());
                let kept = &mut settings.ignored;
                match ignored {
                    "display" => kept.display = given(value),
                    "flags" => kept.flags = given(value),
                    "min-stddev" => kept.min_stddev = given(value),
                    "eyes-profile" => kept.eyes_profile = given(value),
                    "nose-profile" => kept.nose_profile = given(value),
                    _ => kept.mouth_profile = given(value),
                }
            }
        }
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.settings();
        match pspec.name() {
            "detector" => settings.detector.to_value(),
            "model-file" => settings.model_file.to_value(),
            "score-threshold" => settings.score_threshold.to_value(),
            "iou-threshold" => settings.iou_threshold.to_value(),
            "max-faces" => settings.max_faces.to_value(),
            "min-face-size" => settings.min_face_size.to_value(),
            "detect-size" => settings.detect_size.to_value(),
            "tile-size" => settings.tile_size.to_value(),
            "detect-interval" => settings.detect_interval.to_value(),
            "track" => settings.track.to_value(),
            "track-timeout" => settings.track_timeout.to_value(),
            "threads" => settings.threads.to_value(),
            "execution-provider" => settings.provider.to_value(),
            "async" => settings.asynchronous.to_value(),
            "post-messages" => PostMessages::from(settings.updates).to_value(),
            "updates" => settings.updates.to_value(),
            "profile" => settings.profile.as_deref().unwrap_or(DEFAULT_CASCADE).to_value(),
            "scale-factor" => settings.scale_factor.to_value(),
            "min-neighbors" => settings.min_neighbors.to_value(),
            "min-size-width" => settings.min_size_width.to_value(),
            "min-size-height" => settings.min_size_height.to_value(),
            "stats" => stats::structure("application/x-facedetect-stats", "detect", &self.statistics()).to_value(),
            "display" => settings.ignored.display.to_value(),
            "flags" => settings.ignored.flags.to_value(),
            "min-stddev" => settings.ignored.min_stddev.to_value(),
            "eyes-profile" => settings.ignored.eyes_profile.to_value(),
            "nose-profile" => settings.ignored.nose_profile.to_value(),
            _ => settings.ignored.mouth_profile.to_value(),
        }
    }
}

impl GstObjectImpl for FaceDetect {}

impl ElementImpl for FaceDetect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Face detector",
                "Filter/Analyzer/Video",
                "Finds faces, gives each a stable id and attaches boxes and landmarks to the buffer",
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

impl BaseTransformImpl for FaceDetect {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> std::result::Result<(), gst::ErrorMessage> {
        let settings = self.settings().clone();
        let mut detector = catch_panic(&self.obj().name(), || settings.load_detector()).map_err(|error| error_message(&error))?;
        if let Some(warning) = unusable_profile(settings.profile.as_deref(), cfg!(feature = "haar")) {
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ["{warning}"]);
        }
        gst::info!(CAT, imp = self, "this facedetect is the emotion plugin's, detecting with {}", detector.name());
        self.lateness.reset();
        *self.statistics() = Statistics::default();
        self.hold_time.reset();
        intern([detector.name()]);
        let finder = FaceFinder::new(detector.name(), settings.asynchronous || settings.tile_size > 0);
        if settings.tile_size > 0 {
            detector = Box::new(TiledDetector::new(detector, settings.tile_size));
        }
        let engine = Engine::new(&self.obj().name(), settings.asynchronous, self.statistics.clone(), searching_with(detector));
        let engine = engine.map_err(|error| error_message(&error))?;
        let (time, posted) = (StreamClock::default(), Vec::new());
        *self.state() = Some(State { engine, finder, time, info: None, posted, failing: false });
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
        if let Some(state) = &mut *self.state() {
            // Boxes of another size say nothing about this one; time does not start anew.
            if state.info.as_ref().is_some_and(|old| frame::size(old) != frame::size(&info)) {
                state.restart();
            }
            state.finder.search_next();
            state.info = Some(info);
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if matches!(event.view(), gst::EventView::FlushStop(_)) {
            self.lateness.reset();
            if let Some(state) = &mut *self.state() {
                state.restart();
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
        match self.find(state, &settings, buffer, &times) {
            Ok((faces, searched)) => {
                state.failing = false;
                self.statistics().faces += faces.len() as u64;
                write_search(buffer, size, &faces, searched);
                self.post(state, settings.updates, &times, size, &faces);
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
                    gst::warning!(CAT, imp = self, "passing frames on unsearched: {error}");
                }
                write_search(buffer, size, &[], SearchAge::Never);
                Ok(gst::FlowSuccess::Ok)
            }
        }
    }
}

impl FaceDetectImpl for FaceDetect {}

/// The instance of `emotionfacedetect`, which adds nothing.
#[derive(Default)]
pub struct EmotionFaceDetect;

#[glib::object_subclass]
impl ObjectSubclass for EmotionFaceDetect {
    const NAME: &'static str = "GstEmotionFaceDetectTwin";
    type Type = super::EmotionFaceDetect;
    type ParentType = super::FaceDetect;
}

impl ObjectImpl for EmotionFaceDetect {}
impl GstObjectImpl for EmotionFaceDetect {}
impl ElementImpl for EmotionFaceDetect {}

impl BaseTransformImpl for EmotionFaceDetect {
    // The class of a subclass is initialised anew with these.
    const MODE: BaseTransformMode = FaceDetect::MODE;
    const PASSTHROUGH_ON_SAME_CAPS: bool = FaceDetect::PASSTHROUGH_ON_SAME_CAPS;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = FaceDetect::TRANSFORM_IP_ON_PASSTHROUGH;
}

impl FaceDetectImpl for EmotionFaceDetect {}
