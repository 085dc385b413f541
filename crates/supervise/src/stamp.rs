// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is done to each frame of a source before anything else sees it: damaged ones are counted and left out, and the others get
//! their time of day, and times that are as even as they were taken.

use std::sync::Arc;
use std::time::SystemTime;

use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;

use crate::arrivals::Arrivals;
use crate::log::Log;
use crate::progress::Progress;
use crate::time_of_day::{Belief, TimeOfDay};

/// Reference of a Unix time.
const UNIX: &str = "timestamp/x-unix";
/// Units of the RTP time of video in a second (RFC 3551, section 5).
const RTP_RATE: i64 = 90_000;

/// Stamps the frames of a source.
#[derive(Clone, Debug)]
pub struct Stamp {
    pipeline: glib::WeakRef<gst::Pipeline>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    day: TimeOfDay,
    arrivals: Arrivals,
    /// The segment of the source.
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// The RTP time and the running time of the first packet.
    first_packet: Option<(u32, i64)>,
    /// The offset of this machine's time of day from the times of frames; `None` before the first.
    arrival: Option<i64>,
    /// The offset of a report from before the first frame.
    early: Option<i64>,
    log: Log,
}

impl State {
    fn report(&mut self, offset: i64) {
        match self.arrival {
            Some(arrival) => self.day.report(offset, arrival).into_iter().for_each(|belief| self.log.say(described(belief))),
            None => self.early = Some(offset),
        }
    }
}

impl Stamp {
    /// Stamps frames in `pipeline` by `day`. What is new about the camera's clock goes to `log`.
    pub fn new(day: TimeOfDay, pipeline: &gst::Pipeline, log: Log) -> Self {
        let (arrivals, segment) = (Arrivals::default(), None);
        let state = State { day, arrivals, segment, first_packet: None, arrival: None, early: None, log };
        Self { pipeline: pipeline.downgrade(), state: Arc::new(Mutex::new(state)) }
    }

    /// Takes a report of the camera: what its clock said at a running time, in nanoseconds since 1970.
    pub fn report(&self, running: i64, unix: i64) {
        self.state.lock().report(unix.saturating_sub(running));
    }

    /// Takes the RTP time of a packet that arrives, and its running time, if it has one. The first frame may be decoded seconds later,
    /// together with others, and frames have times from that of the first packet on.
    pub fn packet(&self, rtp: u32, running: Option<gst::ClockTime>) {
        let Some(now) = self.pipeline.upgrade().and_then(|pipeline| pipeline.current_running_time()) else { return };
        let state = &mut *self.state.lock();
        let (first, time) = *state.first_packet.get_or_insert((rtp, running.unwrap_or(now).nseconds().cast_signed()));
        let since_first = i64::from(rtp.wrapping_sub(first).cast_signed()) * 1_000_000_000 / RTP_RATE;
        state.arrivals.expect(time + since_first, now.nseconds().cast_signed());
    }

    /// Stamps the frames that pass `pad`. Their times are running times from there on.
    pub fn frames_of(self, pad: &gst::Pad, progress: &Arc<Progress>) {
        let (progress, state) = (progress.clone(), self.state.clone());
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(gst::PadProbeData::Event(event)) = &mut info.data
                && let gst::EventView::Segment(segment) = event.view()
                && let Some(of_source) = segment.segment().downcast_ref::<gst::ClockTime>()
            {
                state.lock().segment = Some(of_source.clone());
                // Frames may have been taken before the source's segment begins.
                let whole = gst::FormattedSegment::<gst::ClockTime>::new();
                *event = gst::event::Segment::builder(&whole).seqnum(event.seqnum()).build();
            }
            gst::PadProbeReturn::Ok
        });
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
            // Frames of a source that is not live arrive before there is a running time.
            if self.pipeline.upgrade().and_then(|pipeline| pipeline.base_time()).is_none_or(gst::ClockTime::is_zero) {
                return gst::PadProbeReturn::Handled;
            }
            if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
                progress.damaged();
                // Not `Drop`: the bindings have already taken the buffer out, and GStreamer would free it a second time.
                return gst::PadProbeReturn::Handled;
            }
            let frame = buffer.make_mut();
            if self.frame(frame).is_none() {
                // Such as one outside the source's segment. Its time says nothing in the new one.
                frame.set_pts(None);
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn frame(&self, frame: &mut gst::BufferRef) -> Option<()> {
        let (now, unix) = (i64::try_from(self.pipeline.upgrade()?.current_running_time()?.nseconds()).ok()?, unix_ns()?);
        let state = &mut *self.state.lock();
        // RTP times that begin again may come before 0.
        let running = state.segment.as_ref()?.to_running_time(frame.pts()?)?.nseconds().cast_signed();
        let placed = state.arrivals.place(running, now);
        placed.shift.into_iter().for_each(|shift| state.day.shift(shift));
        state.day.settle(placed.moved);
        let arrival = unix.checked_sub(now)?.checked_add(placed.time.checked_sub(running)?)?;
        state.arrival = Some(arrival);
        state.early.take().into_iter().for_each(|offset| state.report(offset));
        let time = state.day.of_frame(running, arrival);
        frame.set_pts(clock_time(placed.time)?);
        gst::meta::ReferenceTimestampMeta::add(frame, &gst::Caps::new_empty_simple(UNIX), clock_time(time)?, None);
        Some(())
    }
}

fn described(belief: Belief) -> String {
    let behind = |ahead: i64| format!("{:.2} s {}", ahead.unsigned_abs() as f64 / 1e9, if ahead < 0 { "behind" } else { "ahead of" });
    match belief {
        Belief::Camera(ahead) => format!("frames have the time of the camera's clock, which is {} this machine's", behind(ahead)),
        Belief::Arrival(ahead) => format!("frames have the time of their arrival: the camera's clock is {} this machine's", behind(ahead)),
    }
}

fn clock_time(ns: i64) -> Option<gst::ClockTime> {
    u64::try_from(ns).ok().map(gst::ClockTime::from_nseconds)
}

fn unix_ns() -> Option<i64> {
    i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos()).ok()
}
