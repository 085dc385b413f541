// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `facedetect`, `facelandmarks` and `emotionclassify` share: the life of a stream, its times, lateness, latency and errors.
//!
//! An element holds an [`Analyser`], forwards its virtual methods to it, and implements [`Analysis`]: what happens to one
//! frame.

pub mod engine;
pub mod stats;
pub mod stream;

use std::sync::Arc;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoInfo;
use parking_lot::{Mutex, MutexGuard};

use self::engine::{Engine, Work, catch_panic};
use self::stream::{HoldTime, Lateness, Liveness, StreamClock, buffer_times, frame_step};
use crate::elements::bus::{error_message, post_latency};
use crate::elements::frame::{self, allocation};
use crate::error::{Error, Result};
use crate::geometry::Size;
use crate::meta::message::BufferTimes;
use crate::statistics::Statistics;

/// What one of the elements does with the frames of a stream, from `start` to `stop`.
pub trait Analysis: Sized + Send + 'static {
    /// The element's properties.
    type Settings: Clone;
    /// What is inferred on a frame, before and after.
    type Task: Send + 'static;

    /// The category of the element's log lines.
    fn category() -> gst::DebugCategory;

    /// Loads the model. Warnings are posted by `element`.
    ///
    /// # Errors
    /// Those of the model.
    fn load(settings: &Self::Settings, element: &gst_base::BaseTransform) -> Result<(Self, LoadedModel, Work<Self::Task>)>;

    /// True if inferences run on a thread of their own.
    fn is_async(settings: &Self::Settings) -> bool;

    /// Takes new caps. `is_resized` says whether the frame's size differs from that of the previous caps.
    fn set_caps(&mut self, element: &gst_base::BaseTransform, engine: &mut Engine<Self::Task>, is_resized: bool);

    /// Forgets all faces and running inferences, since the next frame does not follow the previous one. Ids continue.
    fn restart(&mut self, engine: &mut Engine<Self::Task>);

    /// Analyses the frame and writes what it finds to `buffer`.
    ///
    /// # Errors
    /// [`Error::Inference`] ends the stream; after any other error the frame is passed on, and the first one of a streak is
    /// logged.
    fn analyse(&mut self, buffer: &mut gst::BufferRef, frame: &mut Frame<Self>, settings: &Self::Settings) -> Result<()>;

    /// Marks a frame that could not be analysed; does nothing unless overridden.
    fn mark_failed(&mut self, _buffer: &mut gst::BufferRef, _size: Size) {}
}

/// A frame of the stream, and what its analysis needs.
pub struct Frame<'a, A: Analysis> {
    /// The element, for messages and the log.
    pub element: &'a gst_base::BaseTransform,
    /// Runs the network.
    pub engine: &'a mut Engine<A::Task>,
    /// The caps.
    pub info: &'a VideoInfo,
    /// Width and height.
    pub size: Size,
    /// The times of the buffer.
    pub times: BufferTimes,
    /// The time that tracks and smoothing use.
    pub now: Duration,
    /// True if the source is live, such as a camera.
    pub is_live: bool,
    /// What downstream said about late frames.
    pub lateness: &'a Lateness,
    statistics: &'a Mutex<Statistics>,
}

impl<A: Analysis> Frame<'_, A> {
    /// The counters of the property `stats`; do not hold them across an inference.
    pub fn statistics(&self) -> MutexGuard<'_, Statistics> {
        self.statistics.lock()
    }
}

/// What exists while the element is started.
struct Stream<A: Analysis> {
    analysis: A,
    engine: Engine<A::Task>,
    clock: StreamClock,
    info: Option<VideoInfo>,
    /// Set while frames cannot be analysed, so that a streak is logged once.
    is_failing: bool,
}

/// What the properties tell about the loaded model.
pub struct LoadedModel {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its file, in hex, and of the files that belong to it.
    pub sha256: String,
    /// The SHA-256 of its description, in hex, and of those of the models that belong to it.
    pub description_sha256: String,
}

/// The element's state and the virtual methods that both elements share.
pub struct Analyser<A: Analysis> {
    settings: Mutex<A::Settings>,
    stream: Mutex<Option<Stream<A>>>,
    liveness: Liveness,
    lateness: Lateness,
    hold_time: HoldTime,
    statistics: Arc<Mutex<Statistics>>,
    /// The model while the element is started. Not in `stream`, which is locked during an inference.
    model: Mutex<Option<LoadedModel>>,
}

impl<A: Analysis<Settings: Default>> Default for Analyser<A> {
    fn default() -> Self {
        Self {
            settings: Mutex::default(),
            stream: Mutex::new(None),
            liveness: Liveness::default(),
            lateness: Lateness::default(),
            hold_time: HoldTime::default(),
            statistics: Arc::default(),
            model: Mutex::default(),
        }
    }
}

impl<A: Analysis> Analyser<A> {
    /// The element's properties.
    pub fn settings(&self) -> MutexGuard<'_, A::Settings> {
        self.settings.lock()
    }

    /// The counters of the property `stats`.
    pub fn statistics(&self) -> MutexGuard<'_, Statistics> {
        self.statistics.lock()
    }

    /// The value of one of [`read_only`](super::properties::read_only). In `stats`, `whole` is the name of the time per frame.
    pub fn read_only(&self, name: &str, factory: &str, whole: &str) -> glib::Value {
        let model = self.model.lock();
        let of_model = |part: fn(&LoadedModel) -> &String| model.as_ref().map(part).to_value();
        match name {
            "model-name" => of_model(|model| &model.name),
            "model-sha256" => of_model(|model| &model.sha256),
            "model-description-sha256" => of_model(|model| &model.description_sha256),
            "stats" => stats::structure(&format!("application/x-{factory}-stats"), whole, &self.statistics()).to_value(),
            name => unreachable!("property {name} is not installed"),
        }
    }

    fn stream(&self) -> MutexGuard<'_, Option<Stream<A>>> {
        self.stream.lock()
    }

    /// `GstBaseTransform.start`: loads the model.
    ///
    /// # Errors
    /// Those of [`Analysis::load`].
    pub fn start(&self, element: &impl IsA<gst_base::BaseTransform>) -> std::result::Result<(), gst::ErrorMessage> {
        let (element, settings) = (element.upcast_ref(), self.settings().clone());
        let name = element.name();
        let (analysis, model, work) = catch_panic(&name, || A::load(&settings, element)).map_err(|error| error_message(&error))?;
        self.liveness.reset();
        self.lateness.reset();
        self.hold_time.reset();
        *self.statistics() = Statistics::default();
        let engine = Engine::new(&name, A::is_async(&settings), self.statistics.clone(), work);
        let engine = engine.map_err(|error| error_message(&error))?;
        *self.model.lock() = Some(model);
        *self.stream() = Some(Stream { analysis, engine, clock: StreamClock::default(), info: None, is_failing: false });
        Ok(())
    }

    /// `GstBaseTransform.stop`.
    pub fn stop(&self) {
        // Dropping the engine waits for its thread. The lock is released before that.
        let stream = self.stream().take();
        drop(stream);
        *self.model.lock() = None;
    }

    /// `GstBaseTransform.set_caps`.
    ///
    /// # Errors
    /// If `caps` are not raw video.
    pub fn set_caps(&self, element: &impl IsA<gst_base::BaseTransform>, caps: &gst::Caps) -> std::result::Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(caps).map_err(|_| gst::loggable_error!(A::category(), "no video format in caps {caps}"))?;
        if let Some(stream) = &mut *self.stream() {
            let is_resized = stream.info.as_ref().is_some_and(|old| (frame::size(old), old.par()) != (frame::size(&info), info.par()));
            stream.analysis.set_caps(element.upcast_ref(), &mut stream.engine, is_resized);
            stream.info = Some(info);
        }
        Ok(())
    }

    /// Takes note of an event on the sink pad.
    pub fn observe_sink_event(&self, event: &gst::Event) {
        match event.view() {
            gst::EventView::FlushStop(_) => {
                self.lateness.reset();
                if let Some(stream) = &mut *self.stream() {
                    stream.analysis.restart(&mut stream.engine);
                }
            }
            gst::EventView::Segment(_) => self.liveness.reset(),
            _ => {}
        }
    }

    /// Takes note of an event on the source pad.
    pub fn observe_src_event(&self, event: &gst::Event) {
        if let gst::EventView::Qos(qos) = event.view() {
            self.lateness.observe(qos);
        }
    }

    /// Answers a LATENCY query on the source pad; none if the query is another one.
    pub fn answer(
        &self,
        element: &impl IsA<gst_base::BaseTransform>,
        direction: gst::PadDirection,
        query: &mut gst::QueryRef,
    ) -> Option<bool> {
        let is_latency = matches!(query.view(), gst::QueryView::Latency(_)) && direction == gst::PadDirection::Src;
        is_latency.then(|| self.hold_time.answer(element, query))
    }

    /// `GstBaseTransform.propose_allocation`.
    pub fn propose_allocation(&self, element: &impl IsA<gst_base::BaseTransform>, query: &mut gst::query::Allocation) {
        allocation::propose(element.upcast_ref::<gst_base::BaseTransform>().src_pad(), query);
    }

    /// `GstBaseTransform.transform_ip`: analyses one frame.
    ///
    /// # Errors
    /// [`gst::FlowError::Error`], with a message on the bus, if an inference fails; the other errors of the flow.
    pub fn transform_ip(
        &self,
        element: &impl IsA<gst_base::BaseTransform>,
        buffer: &mut gst::BufferRef,
    ) -> std::result::Result<gst::FlowSuccess, gst::FlowError> {
        let (element, settings) = (element.upcast_ref(), self.settings().clone());
        let is_live = self.liveness.get(element.sink_pad());
        let mut guard = self.stream();
        let Stream { analysis, engine, clock, info, is_failing } = guard.as_mut().ok_or(gst::FlowError::Flushing)?;
        let info = info.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        let (size, times) = (frame::size(info), buffer_times(element, buffer));
        let now = clock.advance(times.running_time, frame_step(info));
        self.statistics().frames += 1;
        let (lateness, statistics) = (&self.lateness, &*self.statistics);
        let mut frame = Frame { element, engine, info, size, times, now, is_live, lateness, statistics };
        match analysis.analyse(buffer, &mut frame, &settings) {
            Ok(()) => {
                *is_failing = false;
                let is_latency_changed = !engine.is_async() && self.hold_time.observe(&self.statistics());
                drop(guard);
                if is_latency_changed {
                    post_latency(element);
                }
            }
            Err(error @ Error::Inference { .. }) => {
                drop(guard);
                element.post_error_message(error_message(&error));
                return Err(gst::FlowError::Error);
            }
            Err(error) => {
                if !std::mem::replace(is_failing, true) {
                    gst::warning!(A::category(), obj = element, "passing frames on without an analysis: {error}");
                }
                analysis.mark_failed(buffer, size);
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

/// Implements `BaseTransformImpl` of an element whose field `analyser` is an [`Analyser`].
macro_rules! base_transform_impl {
    ($element:ty) => {
        impl BaseTransformImpl for $element {
            const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
            const PASSTHROUGH_ON_SAME_CAPS: bool = false;
            const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

            fn start(&self) -> std::result::Result<(), gst::ErrorMessage> {
                self.analyser.start(&*self.obj())
            }

            fn stop(&self) -> std::result::Result<(), gst::ErrorMessage> {
                self.analyser.stop();
                Ok(())
            }

            fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> std::result::Result<(), gst::LoggableError> {
                self.analyser.set_caps(&*self.obj(), incaps)
            }

            fn sink_event(&self, event: gst::Event) -> bool {
                self.analyser.observe_sink_event(&event);
                self.parent_sink_event(event)
            }

            fn src_event(&self, event: gst::Event) -> bool {
                self.analyser.observe_src_event(&event);
                self.parent_src_event(event)
            }

            fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
                let answered = self.analyser.answer(&*self.obj(), direction, query);
                answered.unwrap_or_else(|| BaseTransformImplExt::parent_query(self, direction, query))
            }

            fn propose_allocation(
                &self,
                _decide_query: Option<&gst::query::Allocation>,
                query: &mut gst::query::Allocation,
            ) -> std::result::Result<(), gst::LoggableError> {
                self.analyser.propose_allocation(&*self.obj(), query);
                Ok(())
            }

            fn transform_ip(&self, buffer: &mut gst::BufferRef) -> std::result::Result<gst::FlowSuccess, gst::FlowError> {
                self.analyser.transform_ip(&*self.obj(), buffer)
            }
        }
    };
}
pub(crate) use base_transform_impl;
