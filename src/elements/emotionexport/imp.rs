// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionexport`: its pads and class.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use parking_lot::{Mutex, MutexGuard};

use super::format;
use super::settings::{PROPERTIES, Settings};
use super::state::{Outputs, State};
use crate::elements::analyser::stream::is_upstream_live;
use crate::export::Utc;

pub(super) static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("emotionexport", gst::DebugColorFlags::empty(), Some("Faces as timed text")));

/// The instance of `emotionexport`.
///
/// No lock is held while pushing, querying or posting: these may call back into the element.
pub struct EmotionExport {
    pub(super) sink_pad: gst::Pad,
    pub(super) src_pad: gst::Pad,
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
}

impl EmotionExport {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock()
    }

    fn sink_chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        gst::log!(CAT, imp = self, "handling {buffer:?}");
        let outputs = self.export(&buffer)?;
        // The push may block for long, and upstream's pool needs its buffers.
        drop(buffer);
        self.push_outputs(outputs)
    }

    /// The text and gaps that follow from the frame.
    fn export(&self, buffer: &gst::BufferRef) -> Result<Outputs, gst::FlowError> {
        let is_live = self.state().as_ref().ok_or(gst::FlowError::Flushing)?.is_live;
        let is_live = is_live.unwrap_or_else(|| is_upstream_live(&self.sink_pad));
        let (outputs, warnings) = {
            let mut state = self.state();
            let state = state.as_mut().ok_or(gst::FlowError::Flushing)?;
            state.is_live = Some(is_live);
            let was_misplaced = state.misplaced.is_some();
            let outputs = state.frame(buffer, |running_time_ns| self.wall_clock(running_time_ns));
            let misplaced = state.misplaced.as_ref().filter(|_| !was_misplaced).map(|names| misplaced_warning(names));
            (outputs, [state.detector_watch.observe(buffer), misplaced])
        };
        for warning in warnings.into_iter().flatten() {
            gst::element_imp_warning!(self, gst::StreamError::Failed, ("{warning}"));
        }
        let Some(outputs) = outputs else {
            gst::element_imp_error!(
                self,
                gst::CoreError::Negotiation,
                ("A frame arrived before its caps. Put videoconvert before this element.")
            );
            return Err(gst::FlowError::NotNegotiated);
        };
        self.check_written(outputs)
    }

    /// UTC at `running_time_ns`: the system's time, minus how long ago that was on the pipeline's clock.
    fn wall_clock(&self, running_time_ns: u64) -> Option<Utc> {
        let element = self.obj();
        let now = element.clock()?.time();
        let age_ns = i128::from(now.nseconds()) - i128::from(element.base_time()?.nseconds()) - i128::from(running_time_ns);
        let utc = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(i128::try_from(utc.as_nanos()).ok()? - age_ns).ok().map(Utc)
    }

    /// Posts an error if the text could not be written.
    pub(super) fn check_written<T>(&self, result: std::io::Result<T>) -> Result<T, gst::FlowError> {
        result.map_err(|error| {
            gst::element_imp_error!(self, gst::StreamError::Encode, ("The records cannot be written: {error}."));
            gst::FlowError::Error
        })
    }

    fn sink_query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Allocation(allocation) = query.view_mut() {
            // Pixels are never read, so any stride will do. The query ends here: downstream takes text and has no pool for
            // video.
            allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
            return true;
        }
        gst::Pad::query_default(&self.sink_pad, Some(&*self.obj()), query)
    }

    fn src_query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Caps(caps_query) = query.view_mut() {
            let caps = self.settings().caps();
            let filtered = caps_query.filter().map(|filter| filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First));
            caps_query.set_result(&filtered.unwrap_or(caps));
            return true;
        }
        gst::Pad::query_default(&self.src_pad, Some(&*self.obj()), query)
    }
}

fn misplaced_warning(names: &str) -> String {
    format!(
        "{names} may have moved the picture after the faces were found, so boxes may be wrong: move it before facedetect, or name it in \
         keeps-place if it leaves every part of the picture where it is"
    )
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionExport {
    const NAME: &'static str = "GstEmotionExport";
    type Type = super::EmotionExport;
    type ParentType = gst::Element;

    fn with_class(klass: &Self::Class) -> Self {
        let template = |name| klass.pad_template(name).expect("`pad_templates` lists it");
        // A panic must not unwind into GStreamer's C code.
        let sink_pad = gst::Pad::builder_from_template(&template("sink"))
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(parent, || Err(gst::FlowError::Error), |this| this.sink_chain(buffer))
            })
            .event_function(|_, parent, event| Self::catch_panic_pad_function(parent, || false, |this| this.sink_event(event)))
            .query_function(|_, parent, query| Self::catch_panic_pad_function(parent, || false, |this| this.sink_query(query)))
            .build();
        let src_pad = gst::Pad::builder_from_template(&template("src"))
            .event_function(|_, parent, event| Self::catch_panic_pad_function(parent, || false, |this| this.src_event(event)))
            .query_function(|_, parent, query| Self::catch_panic_pad_function(parent, || false, |this| this.src_query(query)))
            .flags(gst::PadFlags::FIXED_CAPS)
            .build();
        Self { sink_pad, src_pad, settings: Mutex::default(), state: Mutex::default() }
    }
}

impl ObjectImpl for EmotionExport {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| PROPERTIES.specs().collect());
        &SPECS
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.settings();
        PROPERTIES.set(&mut settings, pspec.name(), value);
        // The only one that may change while records are written.
        if let Some(state) = self.state().as_mut() {
            state.source = settings.source.clone();
        }
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        PROPERTIES.get(&self.settings(), pspec.name()).expect("the property is installed")
    }

    fn constructed(&self) {
        self.parent_constructed();
        let element = self.obj();
        let added = element.add_pad(&self.sink_pad).and_then(|()| element.add_pad(&self.src_pad));
        added.expect("a new element accepts pads with different names");
    }
}

impl GstObjectImpl for EmotionExport {}

impl ElementImpl for EmotionExport {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Expression exporter",
                "Converter/Analyzer/Video",
                "Converts the faces and expressions on video buffers to timed text: NDJSON, events, CSV, WebVTT, ONVIF metadata or subtitles",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            // Any pixel format in any memory: only the metadata of the buffers is read.
            let video = gst::Caps::builder("video/x-raw").any_features().build();
            let text = format::all_caps();
            let template = |name, direction, caps| {
                gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("the template is valid")
            };
            vec![template("sink", gst::PadDirection::Sink, &video), template("src", gst::PadDirection::Src, &text)]
        });
        &TEMPLATES
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            let settings = self.settings().clone();
            *self.state() = Some(State::new(settings));
        }
        let success = self.parent_change_state(transition)?;
        // Only now are the pads inactive, so that no thread uses the state.
        if transition == gst::StateChange::PausedToReady {
            *self.state() = None;
        }
        Ok(success)
    }
}
