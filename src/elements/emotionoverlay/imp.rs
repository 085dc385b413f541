// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionoverlay`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::GenerateOutputSuccess;
use gst_base::subclass::prelude::*;
use gst_video::{VideoInfo, VideoOverlayCompositionMeta};
use parking_lot::{Mutex, MutexGuard};

use super::compose::{Composer, Output, paint, transform_caps};
use super::delay::{Delay, Held};
use super::privacy::{Privacy, Shown};
use super::rate::FrameRate;
use super::settings::{PROPERTIES, Settings};
use crate::draw::{CornerFigures, Painter, Placed, Style};
use crate::elements::analyser::stream::buffer_times;
use crate::elements::bus::{error_message, post_latency};
use crate::elements::frame::{self, allocation};
use crate::elements::upstream::picture_changes::PictureChanges;
use crate::geometry::Rect;
use crate::record::{FaceRecord, FrameRecord};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionoverlay", gst::DebugColorFlags::empty(), Some("Faces and expressions drawn on video"))
});

/// What exists while the caps are known.
struct State {
    info: VideoInfo,
    src_caps: gst::Caps,
    output: Output,
    /// The style that `painter` has.
    style: Arc<Style>,
    painter: Painter,
    composer: Composer,
    privacy: Privacy,
    delay: Delay,
    rate: FrameRate,
    /// Set once the classes named in `labels` were compared with those of the model.
    are_labels_checked: bool,
    /// Set while frames cannot be drawn on, so that a streak is logged once.
    is_failing: bool,
}

/// The instance of `emotionoverlay`.
///
/// Lock order: `settings`, `state`, `picture_changes`. The first is never held while a message is posted, so a handler on
/// the bus may read and set properties.
#[derive(Default)]
pub struct EmotionOverlay {
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
    /// What the elements upstream did to the picture since the faces were detected.
    picture_changes: Mutex<PictureChanges>,
    /// Set if downstream accepts caps with overlay compositions but does not draw them; plain caps are negotiated then.
    blend_only: AtomicBool,
}

impl EmotionOverlay {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock()
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock()
    }

    /// Blurs the faces on `buffer`, and the boxes `beside` them, if `blur-faces` is set.
    ///
    /// # Errors
    /// If the frame cannot be blurred. It must not be shown then.
    fn blur(
        &self,
        state: &mut State,
        settings: &Settings,
        buffer: &mut gst::BufferRef,
        record: &FrameRecord,
        beside: &[Rect],
    ) -> Result<Shown, gst::FlowError> {
        let warn = |text: &str| gst::element_imp_warning!(self, gst::LibraryError::Settings, ("blur-faces: {text}"));
        state.privacy.apply(buffer, &state.info, &settings.blur, record, beside, warn).map_err(|error| {
            self.post_error_message(error_message(&error));
            gst::FlowError::Error
        })
    }

    /// The pictures to put on this frame.
    fn draw(&self, state: &mut State, settings: &Settings, buffer: &gst::BufferRef, faces: &[FaceRecord]) -> Vec<Placed> {
        if !Arc::ptr_eq(&settings.style, &state.style) {
            state.painter.set_style((*settings.style).clone());
            state.style = settings.style.clone();
            state.are_labels_checked = false;
        }
        self.check_label_classes(state, faces);
        let figures = settings.draw_stats.then(|| {
            let time = buffer.pts().or_else(|| self.obj().clock().map(|clock| clock.time()));
            CornerFigures { faces: faces.len(), fps: state.rate.update(time) }
        });
        state.painter.draw(faces, figures, frame::size(&state.info))
    }

    /// Warns once about classes in `labels` that the model does not have. The first scored face tells which it has.
    fn check_label_classes(&self, state: &mut State, faces: &[FaceRecord]) {
        let Some(emotion) = faces.iter().find_map(|face| face.emotion.as_ref()).filter(|_| !state.are_labels_checked) else { return };
        state.are_labels_checked = true;
        let classes = emotion.labels.as_slice();
        let unknown: Vec<&str> = state.style.translations.unknown_names(classes).collect();
        if !unknown.is_empty() {
            let (unknown, classes) = (unknown.join(", "), classes.join(", "));
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ("labels: the model has no class {unknown}; it has {classes}"));
        }
    }

    /// Warns about each malformed entry of `labels`, once. A launch line sets properties before the element is in a
    /// pipeline, where a message would be lost, so the warnings are posted when the element starts.
    fn report_malformed_labels(&self) {
        let malformed = std::mem::take(&mut self.settings().labels.malformed);
        for entry in malformed {
            gst::element_imp_warning!(
                self,
                gst::LibraryError::Settings,
                ("labels: \"{entry}\" is not of the form class=word, such as happiness=glücklich; it is ignored")
            );
        }
    }

    /// Asks downstream, once after each negotiation, whether it draws overlay compositions. No lock is held meanwhile: elements
    /// downstream may take long to answer, or flush this one first.
    fn resolve_output(&self) {
        let undecided = |state: &&mut State| state.output == Output::Undecided;
        let Some(caps) = self.state().as_mut().filter(undecided).map(|state| state.src_caps.clone()) else { return };
        let mut query = gst::query::Allocation::new(Some(&caps), false);
        let is_answered = self.obj().src_pad().peer_query(&mut query);
        let is_drawn = is_answered && query.find_allocation_meta::<VideoOverlayCompositionMeta>().is_some();
        if let Some(state) = self.state().as_mut().filter(undecided) {
            state.output = if is_drawn { Output::Attach } else { Output::Blend };
        }
        if is_drawn {
            gst::debug!(CAT, imp = self, "attaching overlay compositions");
        } else {
            gst::debug!(CAT, imp = self, "downstream does not draw overlay compositions, blending into the frame");
            self.blend_only.store(true, Ordering::Relaxed);
            self.obj().reconfigure_src();
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionOverlay {
    const NAME: &'static str = "GstEmotionOverlay";
    type Type = super::EmotionOverlay;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for EmotionOverlay {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| PROPERTIES.specs().collect());
        &SPECS
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        PROPERTIES.set(&mut self.settings(), pspec.name(), value);
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
        if matches!(pspec.name(), "blur-delay" | "blur-faces") {
            post_latency(&*self.obj());
        }
        if pspec.name() == "labels" && self.obj().current_state() >= gst::State::Paused {
            self.report_malformed_labels();
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        PROPERTIES.get(&self.settings(), pspec.name()).expect("the property is installed")
    }

    fn constructed(&self) {
        self.parent_constructed();
        // With QoS on, BaseTransform drops late frames.
        self.obj().set_qos(false);
    }
}

impl GstObjectImpl for EmotionOverlay {}

impl ElementImpl for EmotionOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Expression overlay",
                "Analyzer/Visualization/Video",
                "Draws faces and their apparent expressions on video",
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

impl BaseTransformImpl for EmotionOverlay {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.report_malformed_labels();
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state() = None;
        *self.picture_changes.lock() = PictureChanges::default();
        self.blend_only.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn transform_caps(&self, direction: gst::PadDirection, caps: &gst::Caps, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
        let transformed = transform_caps(direction, caps, !self.blend_only.load(Ordering::Relaxed));
        Some(match filter {
            Some(filter) => filter.intersect_with_mode(&transformed, gst::CapsIntersectMode::First),
            None => transformed,
        })
    }

    fn set_caps(&self, incaps: &gst::Caps, outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps).map_err(|_| gst::loggable_error!(CAT, "caps {incaps} do not describe raw video"))?;
        let output = Output::from_caps(incaps, outcaps);
        gst::debug!(CAT, imp = self, "{incaps} to {outcaps}: {output:?}");
        let style = self.settings().style.clone();
        let mut state = self.state();
        // Downstream may ask for new caps while frames are held back.
        let delay = state.take().map(|state| state.delay).unwrap_or_default();
        *state = Some(State {
            info,
            src_caps: outcaps.clone(),
            output,
            painter: Painter::new((*style).clone()),
            style,
            composer: Composer::default(),
            privacy: Privacy::default(),
            delay,
            rate: FrameRate::default(),
            are_labels_checked: false,
            is_failing: false,
        });
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Caps {
            self.blend_only.store(false, Ordering::Relaxed);
            self.picture_changes.lock().walk(self.obj().sink_pad());
        }
        if event.type_() == gst::EventType::FlushStop
            && let Some(state) = self.state().as_mut()
        {
            state.privacy.reset();
            state.delay.clear();
        }
        // What is held back comes before what ends it or changes its meaning.
        if matches!(event.type_(), gst::EventType::Eos | gst::EventType::Caps | gst::EventType::Segment | gst::EventType::SegmentDone)
            && let Err(error) = self.drain()
        {
            gst::debug!(CAT, imp = self, "pushing the frames that were held back: {error}");
        }
        self.parent_sink_event(event)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Reconfigure {
            self.blend_only.store(false, Ordering::Relaxed);
        }
        self.parent_src_event(event)
    }

    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        allocation::propose(self.obj().src_pad(), query);
        Ok(())
    }

    fn submit_input_buffer(&self, is_discont: bool, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        // Not in `transform_ip`: if new caps are needed, BaseTransform negotiates them in the parent's method, before it
        // takes the buffer.
        self.resolve_output();
        self.parent_submit_input_buffer(is_discont, buffer)
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let settings = self.settings().clone();
        let delay = settings.blur.held();
        if delay.is_zero() && self.state().as_ref().is_none_or(|state| state.delay.is_empty()) {
            return self.parent_generate_output();
        }
        let mut state = self.state();
        let state = state.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        if let Some(buffer) = self.take_queued_buffer() {
            let record = self.read(state, &settings, &buffer);
            let time = buffer_times(&*self.obj(), &buffer).running_time.map_or(Duration::MAX, Into::into);
            state.delay.push(Held { buffer, record, time, settings });
        }
        let Some((held, beside)) = state.delay.next(delay, false) else { return Ok(GenerateOutputSuccess::NoOutput) };
        Ok(GenerateOutputSuccess::Buffer(self.finish(state, held, &beside)?))
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        let is_answered = BaseTransformImplExt::parent_query(self, direction, query);
        if let gst::QueryViewMut::Latency(latency) = query.view_mut()
            && direction == gst::PadDirection::Src
        {
            let (is_live, min, max) = latency.result();
            let held = gst::ClockTime::try_from(self.settings().blur.held()).unwrap_or(gst::ClockTime::ZERO);
            latency.set(is_live, min.saturating_add(held), max.map(|max| max.saturating_add(held)));
        }
        is_answered
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let settings = self.settings().clone();
        let mut state = self.state();
        let state = state.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let record = self.read(state, &settings, buffer);
        self.process(state, &settings, buffer, record, &[])
    }
}

impl EmotionOverlay {
    /// The faces on `buffer`.
    fn read(&self, state: &State, settings: &Settings, buffer: &gst::BufferRef) -> FrameRecord {
        let mut picture_changes = self.picture_changes.lock();
        picture_changes.keep(&settings.keeps_place);
        picture_changes.read(buffer, frame::size(&state.info)).0
    }

    /// Blurs and draws on a frame that was held back.
    fn finish(&self, state: &mut State, held: Held, beside: &[Rect]) -> Result<gst::Buffer, gst::FlowError> {
        let Held { mut buffer, record, settings, .. } = held;
        self.process(state, &settings, buffer.make_mut(), record, beside)?;
        Ok(buffer)
    }

    /// Pushes all frames that are held back.
    fn drain(&self) -> Result<(), gst::FlowError> {
        let delay = self.settings().blur.held();
        loop {
            let next = {
                let mut state = self.state();
                let Some(state) = state.as_mut() else { return Ok(()) };
                let Some((held, beside)) = state.delay.next(delay, true) else { return Ok(()) };
                self.finish(state, held, &beside)?
            };
            self.obj().src_pad().push(next)?;
        }
    }

    /// Blurs and draws on a frame.
    fn process(
        &self,
        state: &mut State,
        settings: &Settings,
        buffer: &mut gst::BufferRef,
        mut record: FrameRecord,
        beside: &[Rect],
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        match self.blur(state, settings, buffer, &record, beside)? {
            Shown::Current => record.faces.retain(|face| face.confirmed),
            Shown::Repeated => record.faces.clear(),
        }
        let placed = self.draw(state, settings, buffer, &record.faces);
        if placed.is_empty() {
            return Ok(gst::FlowSuccess::Ok);
        }
        let drawn = match state.output {
            Output::Attach => state.composer.attach(buffer, placed),
            _ => paint(buffer, &state.info, |canvas| placed.iter().for_each(|placed| canvas.blend(placed))),
        };
        if let Err(error) = &drawn
            && !state.is_failing
        {
            gst::warning!(CAT, imp = self, "passing frames on without drawing: {error}");
        }
        state.is_failing = drawn.is_err();
        Ok(gst::FlowSuccess::Ok)
    }
}
