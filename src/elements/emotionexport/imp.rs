// SPDX-License-Identifier: MIT OR Apache-2.0
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::EmotionExportFormat;
use super::state::{Outputs, State, Video, clock_time};
use crate::elements::picture_changes::PictureChanges;
use crate::export::{Chunk, Output, Span, Utc};
use crate::geometry::Size;

/// What is appended to the video's stream id.
const STREAM: &str = "emotion";

static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("emotionexport", gst::DebugColorFlags::empty(), Some("Faces as timed text")));

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    pub(super) format: EmotionExportFormat,
    pub(super) interval: u64,
    pub(super) on_change: bool,
    pub(super) aggregate_only: bool,
}

/// The element behind [`super::EmotionExport`].
pub struct EmotionExport {
    sink_pad: gst::Pad,
    src_pad: gst::Pad,
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
}

impl EmotionExport {
    fn settings(&self) -> Settings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sink_chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        gst::log!(CAT, imp = self, "Handling {buffer:?}");
        let outputs = self.export(&buffer)?;
        drop(buffer);
        self.push_outputs(outputs)
    }

    /// What the frame leads to. The state is locked in here only, never while pushing, querying or posting.
    fn export(&self, buffer: &gst::BufferRef) -> Result<Outputs, gst::FlowError> {
        let live = self.state().as_ref().ok_or(gst::FlowError::Flushing)?.live;
        let live = live.unwrap_or_else(|| self.is_upstream_live());
        let (outputs, warning) = {
            let mut state = self.state();
            let state = state.as_mut().ok_or(gst::FlowError::Flushing)?;
            state.live = Some(live);
            (state.frame(buffer, |running_time_ns| self.wall_clock(running_time_ns)), state.detector_watch.observe(buffer))
        };
        if let Some(warning) = warning {
            gst::element_imp_warning!(self, gst::StreamError::Failed, ["{warning}"]);
        }
        let Some(outputs) = outputs else {
            gst::element_imp_error!(self, gst::CoreError::Negotiation, ["Buffer before caps"]);
            return Err(gst::FlowError::NotNegotiated);
        };
        self.writable(outputs)
    }

    fn is_upstream_live(&self) -> bool {
        let mut query = gst::query::Latency::new();
        self.sink_pad.peer_query(&mut query) && query.result().0
    }

    /// UTC at `running_time_ns`, by how long ago that was on the pipeline's clock.
    fn wall_clock(&self, running_time_ns: u64) -> Option<Utc> {
        let element = self.obj();
        let now = element.clock()?.time();
        let age_ns = i128::from(now.nseconds()) - i128::from(element.base_time()?.nseconds()) - i128::from(running_time_ns);
        let utc = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(i128::try_from(utc.as_nanos()).ok()? - age_ns).ok().map(Utc)
    }

    fn writable<T>(&self, result: std::io::Result<T>) -> Result<T, gst::FlowError> {
        result.map_err(|error| {
            gst::element_imp_error!(self, gst::StreamError::Encode, ["Faces could not be written: {error}"]);
            gst::FlowError::Error
        })
    }

    fn push_outputs(&self, outputs: Outputs) -> Result<gst::FlowSuccess, gst::FlowError> {
        outputs.into_iter().try_fold(gst::FlowSuccess::Ok, |_, output| self.push_output(output))
    }

    fn push_output(&self, output: Output) -> Result<gst::FlowSuccess, gst::FlowError> {
        match output {
            Output::Text(chunk) => self.push_chunk(chunk),
            Output::Gap(Span { pts_ns, duration_ns }) => {
                let gap = gst::event::Gap::builder(clock_time(pts_ns));
                // An event's failure is told by the next buffer's flow.
                self.src_pad.push_event(gap.duration(clock_time(duration_ns)).build());
                Ok(gst::FlowSuccess::Ok)
            }
            Output::Covered => Ok(gst::FlowSuccess::Ok),
        }
    }

    fn push_chunk(&self, chunk: Chunk) -> Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(warning) = chunk.warning {
            gst::element_imp_warning!(self, gst::StreamError::Encode, ["{warning}"]);
        }
        let pts = clock_time(chunk.span.pts_ns);
        if let Some(header) = chunk.header {
            self.push_header(header, pts)?;
        }
        if chunk.body.is_empty() {
            return Ok(gst::FlowSuccess::Ok);
        }
        self.push(timed(chunk.body, pts, clock_time(chunk.span.duration_ns)))
    }

    fn push(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        if self.state().as_mut().is_some_and(|state| std::mem::take(&mut state.discont)) {
            buffer.make_mut().set_flags(gst::BufferFlags::DISCONT);
        }
        self.src_pad.push(buffer)
    }

    /// Sends what a file begins with, and keeps it in the caps for files and clients that begin later.
    fn push_header(&self, header: String, pts: gst::ClockTime) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut buffer = timed(header.into_bytes(), pts, gst::ClockTime::ZERO);
        buffer.make_mut().set_flags(gst::BufferFlags::HEADER);
        let caps = self.state().as_mut().map(|state| {
            state.caps.make_mut().set("streamheader", gst::Array::new([&buffer]));
            state.caps.clone()
        });
        if !caps.is_some_and(|caps| self.src_pad.push_event(gst::event::Caps::new(&caps))) {
            gst::warning!(CAT, imp = self, "Caps with the header were refused");
        }
        self.push(buffer)
    }

    /// Sends the header once more: a new file begins. Before the first record there is none, as it comes with that.
    fn repeat_header(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        let header = self.state().as_ref().and_then(|state| {
            let headers = state.caps.structure(0)?.get::<gst::Array>("streamheader").ok()?;
            let mut buffer = headers.first()?.get::<gst::Buffer>().ok()?;
            buffer.make_mut().set_pts(state.position);
            Some(buffer)
        });
        header.map_or(Ok(gst::FlowSuccess::Ok), |header| self.push(header))
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        use gst::EventView;
        gst::log!(CAT, imp = self, "Handling {event:?}");
        match event.view() {
            EventView::StreamStart(start) => self.stream_start(start),
            EventView::Caps(caps) => self.video_caps(caps),
            EventView::Segment(segment) => self.segment(segment),
            EventView::Gap(gap) => self.gap(gap),
            EventView::FlushStop(_) => {
                if let Some(state) = self.state().as_mut() {
                    state.flush();
                }
                self.forward(event)
            }
            EventView::Eos(_) | EventView::SegmentDone(_) => {
                // Whatever became of the last text, the end has to arrive.
                if let Err(error) = self.finish(true) {
                    gst::debug!(CAT, imp = self, "Last text: {error}");
                }
                self.forward(event)
            }
            // Tags of the video, such as its codec, are not true of the text.
            EventView::Tag(tag) if tag.tag().scope() == gst::TagScope::Stream => true,
            EventView::CustomDownstream(_) if gst_video::ForceKeyUnitEvent::is(&event) => {
                let parsed = gst_video::DownstreamForceKeyUnitEvent::parse(&event);
                self.forward(event) && (!parsed.is_ok_and(|parsed| parsed.all_headers) || self.repeat_header().is_ok())
            }
            _ => self.forward(event),
        }
    }

    fn forward(&self, event: gst::Event) -> bool {
        gst::Pad::event_default(&self.sink_pad, Some(&*self.obj()), event)
    }

    fn stream_start(&self, start: &gst::event::StreamStart) -> bool {
        if let Err(error) = self.finish(false) {
            gst::debug!(CAT, imp = self, "Text before a new stream: {error}");
        }
        if let Some(state) = self.state().as_mut()
            && state.stream_id != start.stream_id()
        {
            state.stream_id = start.stream_id().to_owned();
            state.frames = 0;
            state.position = None;
        }
        let event = gst::event::StreamStart::builder(&format!("{}/{STREAM}", start.stream_id()))
            .seqnum(start.seqnum())
            .group_id_if_some(start.group_id())
            .flags(start.stream_flags() | gst::StreamFlags::SPARSE)
            .build();
        self.src_pad.push_event(event)
    }

    fn video_caps(&self, caps: &gst::event::Caps) -> bool {
        // Read field by field: memory whose format has no video info has a size all the same.
        let video = caps.caps().structure(0).and_then(|structure| {
            let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
            let rate = structure.get::<gst::Fraction>("framerate").ok().filter(|rate| rate.numer() > 0 && rate.denom() > 0);
            let frame_duration = rate.and_then(|rate| gst::ClockTime::SECOND.mul_div_floor(rate.denom() as u64, rate.numer() as u64));
            Some(Video { size: Size::new(side("width")?, side("height")?), frame_duration })
        });
        let Some(video) = video else {
            gst::error!(CAT, imp = self, "No size in caps {:?}", caps.caps());
            return false;
        };
        let picture_changes = PictureChanges::upstream_of(&self.sink_pad);
        let caps = self.state().as_mut().map(|state| {
            (state.video, state.picture_changes) = (Some(video), picture_changes);
            state.caps.clone()
        });
        match caps {
            Some(caps) if self.src_pad.current_caps().as_ref() != Some(&caps) => self.src_pad.push_event(gst::event::Caps::new(&caps)),
            Some(_) => true,
            None => false,
        }
    }

    fn segment(&self, event: &gst::event::Segment) -> bool {
        let segment = event.segment().downcast_ref::<gst::ClockTime>().cloned().unwrap_or_else(|| {
            gst::warning!(CAT, imp = self, "Segment in {:?}, not in time", event.segment().format());
            gst::FormattedSegment::new()
        });
        if let Err(error) = self.finish(false) {
            gst::debug!(CAT, imp = self, "Text before a new segment: {error}");
        }
        if let Some(state) = self.state().as_mut() {
            state.begin(segment.clone());
        }
        self.src_pad.push_event(gst::event::Segment::builder(&segment).seqnum(event.seqnum()).build())
    }

    fn gap(&self, gap: &gst::event::Gap) -> bool {
        let (pts, duration) = gap.get();
        let duration = duration.unwrap_or_default();
        let outputs = self.state().as_mut().map(|state| state.gap(pts, duration));
        outputs.is_some_and(|outputs| self.writable(outputs).and_then(|outputs| self.push_outputs(outputs)).is_ok())
    }

    /// Sends what [`State::finish`] has.
    fn finish(&self, last: bool) -> Result<gst::FlowSuccess, gst::FlowError> {
        let outputs = self.state().as_mut().map_or_else(|| Ok(Outputs::new()), |state| state.finish(last));
        self.push_outputs(self.writable(outputs)?)
    }

    fn sink_query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Allocation(allocation) = query.view_mut() {
            // Pixels are never looked at, so any layout will do; downstream takes text and has nothing to offer.
            allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
            return true;
        }
        gst::Pad::query_default(&self.sink_pad, Some(&*self.obj()), query)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        // Text that came late is no reason for the video to leave out frames.
        if let gst::EventView::Qos(_) = event.view() {
            return true;
        }
        gst::Pad::event_default(&self.src_pad, Some(&*self.obj()), event)
    }

    fn src_query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Caps(caps_query) = query.view_mut() {
            let caps = self.settings().format.caps();
            let filtered = caps_query.filter().map(|filter| filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First));
            caps_query.set_result(&filtered.unwrap_or(caps));
            return true;
        }
        gst::Pad::query_default(&self.src_pad, Some(&*self.obj()), query)
    }
}

fn timed(bytes: Vec<u8>, pts: gst::ClockTime, duration: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    // The buffer was made just now, so nobody else holds it.
    let fields = buffer.make_mut();
    fields.set_pts(pts);
    fields.set_duration(duration);
    buffer
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionExport {
    const NAME: &'static str = "GstEmotionExport";
    type Type = super::EmotionExport;
    type ParentType = gst::Element;

    fn with_class(klass: &Self::Class) -> Self {
        let template = |name| klass.pad_template(name).expect("pad_templates lists it");
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
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let defaults = Settings::default();
            vec![
                glib::ParamSpecEnum::builder_with_default("format", defaults.format)
                    .nick("Format")
                    .blurb("Format of the text")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecUInt64::builder("interval")
                    .nick("Interval")
                    .blurb("Export one frame, or one summary, in this many nanoseconds (0 = every frame)")
                    .default_value(defaults.interval)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecBoolean::builder("on-change")
                    .nick("On change")
                    .blurb("Export a frame only when a face came or went or its label changed (what is exported holds until then), a summary only when its counts changed")
                    .default_value(defaults.on_change)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecBoolean::builder("aggregate-only")
                    .nick("Aggregate only")
                    .blurb("Export counts and mean scores of each interval, no boxes and no ids")
                    .default_value(defaults.aggregate_only)
                    .mutable_ready()
                    .build(),
            ]
        });
        PROPERTIES.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
        match pspec.name() {
            "format" => settings.format = value.get().expect("type checked by GObject"),
            "interval" => settings.interval = value.get().expect("type checked by GObject"),
            "on-change" => settings.on_change = value.get().expect("type checked by GObject"),
            "aggregate-only" => settings.aggregate_only = value.get().expect("type checked by GObject"),
            name => unreachable!("no property {name}"),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.settings();
        match pspec.name() {
            "format" => settings.format.to_value(),
            "interval" => settings.interval.to_value(),
            "on-change" => settings.on_change.to_value(),
            "aggregate-only" => settings.aggregate_only.to_value(),
            name => unreachable!("no property {name}"),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let element = self.obj();
        // Neither fails for a fresh element: its pads have different names and no other parent.
        let added = element.add_pad(&self.sink_pad).and_then(|()| element.add_pad(&self.src_pad));
        added.expect("a fresh element takes its pads");
    }
}

impl GstObjectImpl for EmotionExport {}

impl ElementImpl for EmotionExport {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Expression exporter",
                "Converter/Analyzer/Video",
                "Turns faces on video buffers, with their apparent expression, into timed text: NDJSON, CSV, WebVTT or subtitles",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            use EmotionExportFormat::{Csv, Ndjson, Text, Webvtt};
            // Whatever the pixels are and wherever they lie: only the buffers' metadata is read.
            let video = gst::Caps::builder("video/x-raw").any_features().build();
            let text = [Ndjson, Csv, Webvtt, Text].into_iter().fold(gst::Caps::new_empty(), |mut caps, format| {
                caps.make_mut().append(format.caps());
                caps
            });
            let template = |name, direction, caps| {
                gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("name and caps are right")
            };
            vec![template("sink", gst::PadDirection::Sink, &video), template("src", gst::PadDirection::Src, &text)]
        });
        TEMPLATES.as_ref()
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            *self.state() = Some(State::new(self.settings()));
        }
        let success = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            *self.state() = None;
        }
        Ok(success)
    }
}
