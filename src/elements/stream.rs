// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the analysing elements know of their stream: its times, whether it is late, and how long they hold it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gst::prelude::*;
use gst_base::prelude::*;

use crate::meta::message::BufferTimes;
use crate::statistics::Statistics;

/// The times of `buffer` in the current segment of `element`.
pub fn buffer_times(element: &impl IsA<gst_base::BaseTransform>, buffer: &gst::BufferRef) -> BufferTimes {
    let segment = element.upcast_ref::<gst_base::BaseTransform>().segment();
    let segment = segment.downcast_ref::<gst::ClockTime>();
    let timestamp = buffer.pts();
    BufferTimes {
        timestamp,
        stream_time: segment.and_then(|segment| segment.to_stream_time(timestamp)),
        running_time: segment.and_then(|segment| segment.to_running_time(timestamp)),
        duration: buffer.duration(),
    }
}

/// The time that tracks and smoothing live by: running time, and where buffers have none, the frame rate's.
#[derive(Debug, Default)]
pub struct StreamClock {
    now: Duration,
    frames: u64,
}

impl StreamClock {
    /// The time of the next frame; `step` is the distance between frames.
    pub fn advance(&mut self, running_time: Option<gst::ClockTime>, step: Duration) -> Duration {
        let following = if self.frames == 0 { Duration::ZERO } else { self.now + step };
        self.now = running_time.map_or(following, |time| Duration::from_nanos(time.nseconds()));
        self.frames += 1;
        self.now
    }
}

/// The distance between frames by the caps, or a thirtieth of a second where they give no rate.
pub fn frame_step(info: &gst_video::VideoInfo) -> Duration {
    let fps = info.fps();
    if fps.numer() > 0 && fps.denom() > 0 {
        Duration::from_secs_f64(f64::from(fps.denom()) / f64::from(fps.numer()))
    } else {
        Duration::from_nanos(33_333_333)
    }
}

/// How long before `now` something was done that was done last at `last`: endlessly where time has gone back since, as
/// after a seek, when nothing was done yet on the new timeline.
pub fn since(last: Duration, now: Duration) -> Duration {
    now.checked_sub(last).unwrap_or(Duration::MAX)
}

/// However late a stream is, faces are looked at this often: one that is late by a constant would never be otherwise.
const LONGEST_SKIP: Duration = Duration::from_millis(500);
/// Each time that a stream is late its inferences become rarer by this factor, so that being late once leaves out one search.
const STRETCH: f32 = 1.5;
/// Inferences become rarer by up to this factor while a stream is late.
const MAX_STRETCH: f32 = 8.0;
/// Each frame in time takes off this share of the factor; at 30 frames a second it halves in about a second.
const RECOVERY: f32 = 0.02;

/// What downstream's QoS events say: frames before a certain running time are too late to be worth an inference, and
/// after them inferences are rarer for a while, since at the rate there was the stream would be late again. The frames
/// themselves are never dropped.
#[derive(Debug)]
pub struct Lateness(Mutex<Late>);

#[derive(Clone, Copy, Debug)]
struct Late {
    earliest: Option<gst::ClockTime>,
    stretch: f32,
    /// The part of an inference that [`Lateness::affords`] has not given away yet, below 1.
    earned: f32,
}

const IN_TIME: Late = Late { earliest: None, stretch: 1.0, earned: 0.0 };

impl Late {
    /// True if a frame of this time would be shown too late.
    fn is_too_late(&self, running_time: Option<gst::ClockTime>) -> bool {
        matches!((self.earliest, running_time), (Some(earliest), Some(time)) if time < earliest)
    }
}

impl Default for Lateness {
    fn default() -> Self {
        Self(Mutex::new(IN_TIME))
    }
}

impl Lateness {
    /// Takes a QoS event. One of type THROTTLE says how many frames the sink wants, not that they are late.
    pub fn observe(&self, event: &gst::event::Qos) {
        let (kind, _, diff, timestamp) = event.get();
        let Some(timestamp) = timestamp.filter(|_| kind != gst::QOSType::Throttle) else { return };
        let mut late = self.lock();
        match u64::try_from(diff).ok().filter(|&diff| diff > 0) {
            Some(diff) => {
                // Frames that were on their way when the first was late say nothing new.
                if late.earliest.is_none_or(|earliest| timestamp >= earliest) {
                    late.stretch = (STRETCH * late.stretch).min(MAX_STRETCH);
                }
                // As BaseTransform has it: a late stream has to catch up by twice what it is late.
                late.earliest = Some(timestamp + gst::ClockTime::from_nseconds(diff.saturating_mul(2)));
            }
            None => *late = Late { earliest: None, stretch: (late.stretch * (1.0 - RECOVERY)).max(1.0), ..*late },
        }
    }

    /// True if a frame is not worth an inference for being late: it would be shown too late, or fewer than `interval`
    /// frames, and as many more as the stream was late lately, have passed. `since` is the number of frames since the last
    /// inference, which was `idle` ago.
    pub fn skips(&self, running_time: Option<gst::ClockTime>, since: u32, interval: u32, idle: Duration) -> bool {
        let late = *self.lock();
        let too_soon = (since as f32) < (interval as f32 * late.stretch).round();
        idle < LONGEST_SKIP && (late.is_too_late(running_time) || (late.stretch > 1.0 && too_soon))
    }

    /// How many of `wanted` inferences, as many as on any other frame, a frame has time for: a late stream is to do less on
    /// each frame rather than all on a few, which each would be late. The last one was `idle` ago.
    pub fn affords(&self, running_time: Option<gst::ClockTime>, wanted: usize, idle: Duration) -> usize {
        let mut late = self.lock();
        if idle >= LONGEST_SKIP {
            return wanted;
        }
        if late.is_too_late(running_time) {
            return 0;
        }
        let earned = late.earned + wanted as f32 / late.stretch;
        late.earned = earned.fract();
        earned as usize
    }

    /// Forgets all events, as after a flush.
    pub fn reset(&self) {
        *self.lock() = IN_TIME;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Late> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// After so many inferences the time that they take is known well enough to be announced.
const INFERENCES_TO_ANNOUNCE: u64 = 10;
/// Share of the measured time by which more is announced, so that small changes need no second announcement.
const LATENCY_MARGIN: f64 = 0.25;

/// How long a frame is held by an element that works on it before passing it on; grows as longer times are measured.
#[derive(Debug, Default)]
pub struct HoldTime {
    announced: Mutex<gst::ClockTime>,
    /// The application was warned that upstream cannot wait for so long.
    warned: AtomicBool,
}

impl HoldTime {
    /// Looks at what was measured; true if more has to be announced than before.
    pub fn observe(&self, statistics: &Statistics) -> bool {
        let usual = gst::ClockTime::from_useconds(statistics.whole.percentile_us(0.95));
        let mut announced = self.lock();
        if statistics.inferred < INFERENCES_TO_ANNOUNCE || usual <= *announced {
            return false;
        }
        let margin = (usual.mseconds() as f64 * LATENCY_MARGIN).ceil() as u64;
        *announced = gst::ClockTime::from_mseconds(usual.mseconds() + 1 + margin);
        true
    }

    /// Answers a LATENCY query that came to the source pad of `element`: what is held here is added to upstream's minimum.
    ///
    /// The maximum says how much the elements upstream can buffer while they wait for the sink. Working on a frame adds
    /// nothing to that. Where it is less than the minimum, the pipeline needs a queue, of which the application is warned
    /// once. The maximum is then raised to the minimum: with less GStreamer configures no latency at all, so every frame
    /// would be late and hardly any would be searched.
    pub fn answer(&self, element: &impl IsA<gst_base::BaseTransform>, query: &mut gst::QueryRef) -> bool {
        if !element.upcast_ref::<gst_base::BaseTransform>().sink_pad().peer_query(query) {
            return false;
        }
        if let gst::QueryViewMut::Latency(latency) = query.view_mut() {
            let (live, min, max) = latency.result();
            let needed = if live { min.saturating_add(*self.lock()) } else { min };
            latency.set(live, needed, max.map(|max| max.max(needed)));
            if let Some(max) = max.filter(|&max| live && max < needed) {
                self.warn(element.upcast_ref::<gst_base::BaseTransform>().upcast_ref(), max, needed);
            }
        }
        true
    }

    fn warn(&self, element: &gst::Element, max: gst::ClockTime, needed: gst::ClockTime) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            gst::element_warning!(
                element,
                gst::CoreError::Clock,
                ["the live source can wait for {max}, but {needed} is needed to work on a frame: put a queue before this element"]
            );
        }
    }

    /// Nothing is held, as far as is known.
    pub fn reset(&self) {
        *self.lock() = gst::ClockTime::ZERO;
        self.warned.store(false, Ordering::Relaxed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, gst::ClockTime> {
        self.announced.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
