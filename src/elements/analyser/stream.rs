// SPDX-License-Identifier: MIT OR Apache-2.0
//! The timing of a stream: times of a buffer, lateness, and the latency that the element adds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gst::prelude::*;
use gst_base::prelude::*;
use parking_lot::Mutex;

use crate::meta::message::BufferTimes;
use crate::statistics::{RecentTimes, Statistics};

/// The times of `buffer`, in the current segment of `element`.
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

/// The time that tracking and smoothing use: the running time, or for buffers without one, the time by the frame rate.
#[derive(Debug, Default)]
pub struct StreamClock {
    now: Duration,
    frames: u64,
}

impl StreamClock {
    /// The time of the next frame; `step` is the distance between frames.
    pub fn advance(&mut self, running_time: Option<gst::ClockTime>, step: Duration) -> Duration {
        let expected = if self.frames == 0 { Duration::ZERO } else { self.now + step };
        self.now = running_time.map_or(expected, |time| Duration::from_nanos(time.nseconds()));
        self.frames += 1;
        self.now
    }
}

/// The time between frames by the caps; 1/30 s if they have no frame rate.
pub fn frame_step(info: &gst_video::VideoInfo) -> Duration {
    let fps = info.fps();
    if fps.numer() > 0 && fps.denom() > 0 {
        Duration::from_secs_f64(f64::from(fps.denom()) / f64::from(fps.numer()))
    } else {
        Duration::from_nanos(33_333_333)
    }
}

/// True if the source of the stream is live, such as a camera, by a LATENCY query to upstream. No lock may be held meanwhile.
pub fn is_upstream_live(sink_pad: &gst::Pad) -> bool {
    let mut query = gst::query::Latency::new();
    sink_pad.peer_query(&mut query) && query.result().0
}

/// Whether a stream is live. Upstream is queried once for each segment.
#[derive(Debug, Default)]
pub struct Liveness(Mutex<Option<bool>>);

impl Liveness {
    /// True if the stream that arrives at `sink_pad` is live.
    pub fn get(&self, sink_pad: &gst::Pad) -> bool {
        let known = *self.0.lock();
        known.unwrap_or_else(|| {
            let is_live = is_upstream_live(sink_pad);
            *self.0.lock() = Some(is_live);
            is_live
        })
    }

    /// Queries upstream again at the next call of [`get`](Self::get).
    pub fn reset(&self) {
        *self.0.lock() = None;
    }
}

/// The time from `last` to `now`. If time has gone backwards, as after a seek, it is [`Duration::MAX`]: nothing was done yet
/// on the new timeline.
pub fn since(last: Duration, now: Duration) -> Duration {
    now.checked_sub(last).unwrap_or(Duration::MAX)
}

/// Maximum time between inferences, however late the stream is. A stream with a constant delay would otherwise have none.
const MAX_SKIP: Duration = Duration::from_millis(500);
/// Each QoS report of lateness multiplies the back-off by this factor. One report skips one search.
const BACKOFF_STEP: f32 = 1.5;
/// Maximum back-off.
const MAX_BACKOFF: f32 = 8.0;
/// Each frame in time reduces the back-off by this share; at 30 frames per second it halves in about a second.
const RECOVERY: f32 = 0.02;

/// Decides which inferences a late stream skips, by downstream's QoS events. Frames before a certain running time would be
/// shown too late and get no inference. After them inferences are rarer for a while, since at the previous rate the stream
/// would be late again. Frames are never dropped.
#[derive(Debug)]
pub struct Lateness(Mutex<LateState>);

#[derive(Clone, Copy, Debug)]
struct LateState {
    /// Running time of the first frame that can be shown in time; none if the stream is not late.
    earliest: Option<gst::ClockTime>,
    /// Factor by which inferences are rarer than in a stream in time, from 1.
    backoff: f32,
    /// Fraction of an inference that [`Lateness::affordable`] has left over from earlier frames, below 1.
    credit: f32,
}

const IN_TIME: LateState = LateState { earliest: None, backoff: 1.0, credit: 0.0 };

impl LateState {
    /// True if a frame at this time would be shown too late.
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
    /// Takes a QoS event. Events of type THROTTLE are ignored: they ask for a lower frame rate, not for less delay.
    pub fn observe(&self, event: &gst::event::Qos) {
        let (kind, _, diff, timestamp) = event.get();
        let Some(timestamp) = timestamp.filter(|_| kind != gst::QOSType::Throttle) else { return };
        let mut late = self.0.lock();
        match u64::try_from(diff).ok().filter(|&diff| diff > 0) {
            Some(diff) => {
                // Frames that were already on their way when the first report came do not count again.
                if late.earliest.is_none_or(|earliest| timestamp >= earliest) {
                    late.backoff = (BACKOFF_STEP * late.backoff).min(MAX_BACKOFF);
                }
                // Like BaseTransform: to catch up, a stream must skip twice the time by which it is late.
                late.earliest = Some(timestamp + gst::ClockTime::from_nseconds(diff.saturating_mul(2)));
            }
            None => *late = LateState { earliest: None, backoff: (late.backoff * (1.0 - RECOVERY)).max(1.0), ..*late },
        }
    }

    /// True if lateness is a reason to skip the inference on a frame: it would be shown too late, or fewer frames than
    /// `interval` times the back-off have passed. `since` is the number of frames since the last inference, and `idle` the
    /// time.
    pub fn should_skip(&self, running_time: Option<gst::ClockTime>, since: u32, interval: u32, idle: Duration) -> bool {
        let late = *self.0.lock();
        let too_soon = (since as f32) < (interval as f32 * late.backoff).round();
        idle < MAX_SKIP && (late.is_too_late(running_time) || (late.backoff > 1.0 && too_soon))
    }

    /// How many of `wanted` inferences a frame has time for. A late stream does fewer on each frame rather than all of them
    /// on some frames, which would all be late. The last inference was `idle` ago.
    pub fn affordable(&self, running_time: Option<gst::ClockTime>, wanted: usize, idle: Duration) -> usize {
        let mut late = self.0.lock();
        if idle >= MAX_SKIP {
            return wanted;
        }
        if late.is_too_late(running_time) {
            return 0;
        }
        let credit = late.credit + wanted as f32 / late.backoff;
        late.credit = credit.fract();
        credit as usize
    }

    /// Forgets all events, as after a flush.
    pub fn reset(&self) {
        *self.0.lock() = IN_TIME;
    }
}

/// Number of first inferences of a stream that are not measured: they allocate memory and fill caches.
const WARM_UP: u64 = 5;
/// Number of measured inferences from which their time is known well enough to be announced.
const MIN_INFERENCES: usize = 10;
/// Share of the measured time that is added to it, so that small changes need no second announcement.
const LATENCY_MARGIN: f64 = 0.25;

/// The latency that an element adds because frames wait for an inference: what most of the latest inferences took, with a
/// margin.
#[derive(Debug, Default)]
pub struct HoldTime {
    measured: Mutex<Measured>,
    /// Set once the application was warned that upstream cannot buffer enough.
    is_warned: AtomicBool,
}

#[derive(Debug, Default)]
struct Measured {
    announced: gst::ClockTime,
    times: RecentTimes,
    /// Number of inferences so far, measured or not.
    inferred: u64,
    /// Number of inferences at the last announcement.
    inferred_at_announcement: u64,
}

impl Measured {
    /// The latency to announce instead of the present one; none if that still holds. A higher one is announced at once. A lower
    /// one is announced if all kept times are newer than the last announcement and half of it would do: each change makes
    /// sinks shift the stream.
    fn change(&self) -> Option<gst::ClockTime> {
        let p95 = gst::ClockTime::try_from(self.times.percentile(0.95)).unwrap_or(gst::ClockTime::MAX);
        let margin = (p95.mseconds() as f64 * LATENCY_MARGIN).ceil() as u64;
        let needed = gst::ClockTime::from_mseconds(p95.mseconds() + 1 + margin);
        let is_higher = self.times.len() >= MIN_INFERENCES && p95 > self.announced;
        let is_renewed = self.inferred - self.inferred_at_announcement >= RecentTimes::CAPACITY as u64;
        (is_higher || (is_renewed && needed <= self.announced / 2)).then_some(needed)
    }
}

impl HoldTime {
    /// Takes the time of the last inference. True if the latency has changed, so that the pipeline must query it again.
    pub fn observe(&self, statistics: &Statistics) -> bool {
        let mut measured = self.measured.lock();
        if std::mem::replace(&mut measured.inferred, statistics.inferred) == statistics.inferred || statistics.inferred <= WARM_UP {
            return false;
        }
        measured.times.record(statistics.last);
        let change = measured.change();
        if let Some(needed) = change {
            measured.announced = needed;
            measured.inferred_at_announcement = measured.inferred;
        }
        change.is_some()
    }

    /// Answers a LATENCY query on the source pad of `element`: the announced time is added to upstream's minimum.
    ///
    /// The maximum is how much the elements upstream can buffer while they wait for the sink. An inference adds nothing to
    /// it. If it is less than the minimum, the pipeline needs a queue, and the application is warned once. The maximum is
    /// then raised to the minimum: GStreamer configures no latency at all if it is less, so every frame would be late and
    /// hardly any would be searched.
    pub fn answer(&self, element: &impl IsA<gst_base::BaseTransform>, query: &mut gst::QueryRef) -> bool {
        if !element.upcast_ref::<gst_base::BaseTransform>().sink_pad().peer_query(query) {
            return false;
        }
        if let gst::QueryViewMut::Latency(latency) = query.view_mut() {
            let (live, min, max) = latency.result();
            let needed = if live { min.saturating_add(self.measured.lock().announced) } else { min };
            latency.set(live, needed, max.map(|max| max.max(needed)));
            if let Some(max) = max.filter(|&max| live && max < needed) {
                self.warn(element.upcast_ref::<gst_base::BaseTransform>().upcast_ref(), max, needed);
            }
        }
        true
    }

    fn warn(&self, element: &gst::Element, max: gst::ClockTime, needed: gst::ClockTime) {
        if !self.is_warned.swap(true, Ordering::Relaxed) {
            gst::element_warning!(
                element,
                gst::CoreError::Clock,
                ("the live source can buffer only {max}, but a latency of {needed} is needed: put a queue before this element")
            );
        }
    }

    /// Forgets the measured times.
    pub fn reset(&self) {
        *self.measured.lock() = Measured::default();
        self.is_warned.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The latencies in milliseconds that are announced while inferences take these times in milliseconds.
    fn announced(times_ms: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let (hold_time, mut statistics) = (HoldTime::default(), Statistics::default());
        let after = |ms| {
            statistics.record(Duration::from_millis(ms), None);
            let is_changed = hold_time.observe(&statistics);
            assert!(!hold_time.observe(&statistics), "a frame without an inference");
            is_changed.then(|| hold_time.measured.lock().announced.mseconds())
        };
        times_ms.into_iter().filter_map(after).collect()
    }

    fn repeated(ms: u64, times: usize) -> impl Iterator<Item = u64> {
        std::iter::repeat_n(ms, times)
    }

    #[test]
    fn the_first_inferences_do_not_count() {
        assert_eq!(announced([900, 500, 300, 200, 100].into_iter().chain(repeated(8, 300))), [11]);
        assert!(announced(repeated(8, 14)).is_empty(), "too few are measured");
    }

    #[test]
    fn a_longer_time_is_announced_once_it_is_no_exception() {
        let exception = || repeated(8, 100).chain([100]).chain(repeated(8, 100));
        assert_eq!(announced(exception()), [11]);
        assert_eq!(announced(repeated(8, 100).chain(repeated(40, 100))), [11, 51]);
    }

    #[test]
    fn a_much_shorter_time_is_announced_after_a_while() {
        assert_eq!(announced(repeated(40, 50).chain(repeated(8, 94))), [51], "six of the longer times are kept");
        assert_eq!(announced(repeated(40, 50).chain(repeated(8, 200))), [51, 11]);
        assert_eq!(announced(repeated(40, 50).chain(repeated(21, 300))), [51], "a little less is no reason");
    }
}
