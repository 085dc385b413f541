// SPDX-License-Identifier: MIT OR Apache-2.0
//! A pad probe before a decoder that drops the compressed frames that nobody looks at.
//!
//! `groups.rs` decides; this module holds the buffers meanwhile. Buffers are passed on by the thread that brought them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use emotion_supervise::decoding::on_decoders;
use gst::prelude::*;
use parking_lot::Mutex;

use super::frame::{Chosen, Frame, Range};
use super::group::{Action, Coded};
use super::groups::{Distrust, Groups};
use crate::sampling::{Pace, ROUNDING_NS};

/// A decoded frame may differ from its compressed one by so much time.
const TOLERANCE_NS: i64 = 3 * ROUNDING_NS as i64;
/// Media types, beside `image/`, whose frames do not depend on each other.
const INTRA_TYPES: [&str; 6] = ["video/x-prores", "video/x-dv", "video/x-dnxhd", "video/x-huffyuv", "video/x-cineform", "video/x-ffv"];

/// What is held.
#[derive(Clone, Debug)]
enum Item {
    Buffer(gst::Buffer),
    Event(gst::Event),
}

#[derive(Debug, Default)]
struct State {
    /// `None` if all frames are passed on.
    groups: Option<Groups<Item>>,
    /// What is examined after the next seek, and how often.
    planned: Option<(Pace, Range)>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    format: Format,
    /// Position in the stream of time 0: that of the first keyframe, unless the file is seekable.
    origin_ns: Option<i64>,
}

/// What the caps say about the frames.
#[derive(Clone, Copy, Debug, Default)]
struct Format {
    has_fields: bool,
    trusts_only_keyframes: bool,
}

/// The gates before the decoders of a file, one for each of its videos.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<Vec<(gst::glib::WeakRef<gst::Element>, Arc<Gate>)>>);

impl Gates {
    /// Puts a gate before each decoder that `decode`, a `decodebin`, adds to a video. `is_seekable` is `None` for a photo; the times of
    /// a file that is not count from its first keyframe.
    pub(super) fn watch(
        decode: &gst::Element,
        planned: (Pace, Range),
        is_seekable: impl Fn() -> Option<bool> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let gates = Arc::new(Self::default());
        let known = gates.clone();
        on_decoders(decode, move |decoder| {
            let gate = is_seekable().and_then(|is_seekable| Gate::before(decoder, planned, is_seekable.then_some(0)));
            known.0.lock().extend(gate.map(|gate| (decoder.downgrade(), gate)));
        });
        gates
    }

    /// The gate before the decoder that outputs to `pad` of the `decodebin`.
    pub(super) fn of_output(&self, pad: &gst::Pad) -> Option<Arc<Gate>> {
        let decoder = decoder_of(pad)?;
        let gates = self.0.lock();
        gates.iter().find(|(element, _)| element.upgrade().as_ref() == Some(&decoder)).map(|(_, gate)| gate.clone())
    }
}

/// The decoder that outputs to `pad` of a `decodebin`.
pub(super) fn decoder_of(pad: &gst::Pad) -> Option<gst::Element> {
    pad.downcast_ref::<gst::GhostPad>()?.target()?.parent_element()
}

/// The gate before one decoder.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    /// Set while the probe passes on what was held.
    is_passing: AtomicBool,
    /// Number of compressed frames that have arrived.
    arrived: AtomicU64,
}

impl Gate {
    /// A gate before `decoder` that begins with what was `planned`; `None` for elements without a fixed input.
    fn before(decoder: &gst::Element, planned: (Pace, Range), origin_ns: Option<i64>) -> Option<Arc<Self>> {
        let gate = Arc::new(Self { state: Mutex::new(State { origin_ns, ..State::default() }), ..Self::default() });
        gate.plan(Some(planned));
        gate.state.lock().begin();
        let probe = gate.clone();
        let types = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
        decoder.static_pad("sink")?.add_probe(types, move |pad, info| probe.probe(pad, info))?;
        Some(gate)
    }

    /// After the next seek, passes on what `planned` needs: frames of a range at this pace; `None` is all frames.
    pub(super) fn plan(&self, planned: Option<(Pace, Range)>) {
        self.state.lock().planned = planned;
    }

    /// True if it drops the frames that nobody examines.
    pub(super) fn is_choosing(&self) -> bool {
        self.state.lock().groups.is_some()
    }

    /// Number of compressed frames that have arrived.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// The decoded frame of `sample` at `time_ns`. Fails if it is not the frame that should have been decoded.
    pub(super) fn frame(&self, sample: gst::Sample, time_ns: u64) -> Result<Frame, Distrust> {
        let is_corrupted = sample.buffer().is_some_and(|buffer| buffer.flags().contains(gst::BufferFlags::CORRUPTED));
        Ok(Frame { chosen: self.choice(time_ns, is_corrupted)?, sample, time_ns })
    }

    fn choice(&self, time_ns: u64, is_corrupted: bool) -> Result<Chosen, Distrust> {
        let mut state = self.state.lock();
        let Some(groups) = &mut state.groups else { return Ok(Chosen::Undecided) };
        let time_ns = i64::try_from(time_ns).unwrap_or(i64::MAX);
        match groups.next_wanted() {
            Some(wanted) if wanted.time_ns <= time_ns.saturating_add(TOLERANCE_NS) => {
                groups.take_wanted();
                let is_another = wanted.time_ns < time_ns.saturating_sub(TOLERANCE_NS);
                if is_another || is_corrupted { Err(Distrust::Undecodable) } else { Ok(Chosen::Yes(wanted.number)) }
            }
            _ => Ok(Chosen::No),
        }
    }

    /// Times of the frames of the range, once the decoder has output all its frames; `None` if all frames were passed on.
    pub(super) fn times_at_end(&self) -> Result<Option<Vec<u64>>, Distrust> {
        let state = self.state.lock();
        let Some(groups) = &state.groups else { return Ok(None) };
        match (groups.distrust(), groups.next_wanted()) {
            (Some(distrust), _) => Err(distrust),
            (None, Some(_)) => Err(Distrust::Undecodable),
            (None, None) => Ok(Some(groups.times().map(|time| time.max(0) as u64).collect())),
        }
    }

    fn probe(&self, pad: &gst::Pad, info: &mut gst::PadProbeInfo<'_>) -> gst::PadProbeReturn {
        if self.is_passing.load(Ordering::Relaxed) {
            return gst::PadProbeReturn::Ok;
        }
        let mut actions = Vec::new();
        let verdict = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => self.on_buffer(buffer, &mut actions),
            Some(gst::PadProbeData::Event(event)) => self.on_event(event, &mut actions),
            _ => gst::PadProbeReturn::Ok,
        };
        // Without the lock, since the decoder may wait for those who take its frames, and they ask what a frame is for.
        let result = self.act(pad, actions);
        if verdict == gst::PadProbeReturn::Handled {
            info.data = None;
            info.flow_res = result;
        }
        verdict
    }

    fn on_buffer(&self, buffer: &gst::Buffer, actions: &mut Vec<Action<Item>>) -> gst::PadProbeReturn {
        let mut state = self.state.lock();
        self.arrived.fetch_add(1, Ordering::Relaxed);
        let State { groups: Some(groups), segment, origin_ns, .. } = &mut *state else { return gst::PadProbeReturn::Ok };
        let position = |time: Option<gst::ClockTime>| {
            let time = time?;
            segment.as_ref().map_or(Some(time.nseconds() as i64), |segment| signed(segment.to_stream_time_full(time)?))
        };
        let is_keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let shown = position(buffer.pts().or(buffer.dts()));
        *origin_ns = origin_ns.or(shown.filter(|_| is_keyframe));
        let since_origin = |time: i64| time - origin_ns.unwrap_or(0);
        let visible = segment.as_ref().and_then(|segment| signed(segment.to_stream_time_full(segment.start()?)?));
        groups.set_visible_from(visible.map_or(i64::MIN, since_origin));
        let coded = Coded {
            time_ns: shown.map(since_origin),
            decode_ns: position(buffer.dts()).map(since_origin),
            is_keyframe,
            bytes: buffer.size(),
            item: Item::Buffer(buffer.clone()),
        };
        groups.push(coded, actions);
        gst::PadProbeReturn::Handled
    }

    fn on_event(&self, event: &gst::Event, actions: &mut Vec<Action<Item>>) -> gst::PadProbeReturn {
        let mut state = self.state.lock();
        state.note(event);
        let Some(groups) = &mut state.groups else { return gst::PadProbeReturn::Ok };
        match event.type_() {
            gst::EventType::FlushStart | gst::EventType::FlushStop => {}
            gst::EventType::Eos => groups.finish(actions),
            _ if event.is_serialized() => {
                groups.push_between(Item::Event(event.clone()), actions);
                return gst::PadProbeReturn::Handled;
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    }

    /// Does what was decided, until the decoder refuses something.
    fn act(&self, pad: &gst::Pad, actions: Vec<Action<Item>>) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.is_passing.store(true, Ordering::Relaxed);
        let result = actions.into_iter().try_for_each(|action| match action {
            Action::Pass(Item::Buffer(buffer)) => pad.chain(buffer).map(|_| ()),
            Action::Pass(Item::Event(event)) => {
                pad.send_event(event);
                Ok(())
            }
            // Decoders drain at this event, and unlike at others, nothing behind them minds it.
            Action::Drain => {
                pad.send_event(gst_video::StillFrameEvent::builder(true).build());
                Ok(())
            }
            Action::End => {
                pad.send_event(gst::event::Eos::new());
                Err(gst::FlowError::Eos)
            }
        });
        self.is_passing.store(false, Ordering::Relaxed);
        result.map(|()| gst::FlowSuccess::Ok)
    }
}

impl State {
    fn begin(&mut self) {
        self.groups = self.planned.map(|(pace, range)| Groups::new(pace, range));
    }

    /// Notes what an event says about the frames behind it.
    fn note(&mut self, event: &gst::Event) {
        match event.view() {
            gst::EventView::Segment(segment) => self.segment = segment.segment().downcast_ref::<gst::ClockTime>().cloned(),
            gst::EventView::Caps(caps) => self.format = Format::of(caps.caps()),
            gst::EventView::FlushStop(_) => self.begin(),
            _ => {}
        }
        if let Some(groups) = &mut self.groups {
            groups.set_format(self.format.has_fields, self.format.trusts_only_keyframes);
        }
    }
}

impl Format {
    fn of(caps: &gst::CapsRef) -> Self {
        let Some(first) = caps.structure(0) else { return Self::default() };
        let name = first.name().as_str();
        let is_intra = name.starts_with("image/") || INTRA_TYPES.contains(&name);
        // A parser has looked into the frames, so the marks do not come from an index.
        let is_parsed = first.get::<bool>("parsed").unwrap_or(false);
        let has_fields = first.get::<&str>("interlace-mode").is_ok_and(|mode| mode != "progressive");
        Self { has_fields, trusts_only_keyframes: is_intra || is_parsed }
    }
}

fn signed(time: gst::Signed<gst::ClockTime>) -> Option<i64> {
    let magnitude = i64::try_from(time.abs().nseconds()).ok()?;
    Some(if time.is_positive() { magnitude } else { -magnitude })
}
