// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread of a target: it waits for a key frame, sends until something fails, and tries again after a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_app::AppSrc;
use parking_lot::Mutex;

use super::{LIMIT, PushError, Sent, Shared, Target};
use crate::backoff::{self, Backoff};
use crate::recording::{Form, Frame};
use crate::run::reason;

/// Frames that wait for the thread, which never waits long itself, except while a connection is opened.
const MAX_WAITING: usize = 512;
/// How often the bus is looked at when there are no frames.
const TICK: Duration = Duration::from_millis(50);
/// Video that leaves before a target counts as one that takes video.
const PROOF: gst::ClockTime = gst::ClockTime::SECOND;
/// Time to end a stream.
const END: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// A target, and its thread.
pub(super) struct Lane {
    target: Target,
    /// `None` from the end on.
    frames: Mutex<Option<SyncSender<(u64, Frame)>>>,
    counts: Arc<Counts>,
    /// Disconnected at the end of the thread.
    ended: Mutex<Receiver<()>>,
}

#[derive(Default)]
struct Counts {
    is_up: AtomicBool,
    failures: AtomicU64,
    frames: AtomicU64,
    /// True if a frame was lost because too many wait.
    is_full: AtomicBool,
}

/// Why a stream ended.
enum End {
    /// The program ends.
    Told,
    /// The frames are others, and go on in a new stream.
    Changed,
    Failed(String),
}

impl Lane {
    pub(super) fn start(target: Target, shared: Arc<Shared>, tell: impl Fn(&str) + Send + 'static) -> Result<Self, PushError> {
        let ((frames, taken), (ending, ended)) = (sync_channel(MAX_WAITING), channel::<()>());
        let counts = Arc::<Counts>::default();
        let thread = Thread { target: target.clone(), shared, counts: counts.clone(), frames: taken, tell };
        std::thread::Builder::new().name("push".into()).spawn(move || {
            thread.run();
            drop(ending);
        })?;
        Ok(Self { target, frames: Mutex::new(Some(frames)), counts, ended: Mutex::new(ended) })
    }

    pub(super) fn send(&self, generation: u64, frame: &Frame) {
        let sent = self.frames.lock().as_ref().map(|frames| frames.try_send((generation, frame.clone())));
        if matches!(sent, Some(Err(TrySendError::Full(_)))) {
            self.counts.is_full.store(true, Ordering::Relaxed);
        }
    }

    /// Lets the thread end its stream.
    pub(super) fn end(&self) {
        self.frames.lock().take();
    }

    /// Waits for its end, for at most `limit`.
    pub(super) fn wait(&self, limit: Duration) {
        // Nothing is ever sent: it is disconnected.
        let _ = self.ended.lock().recv_timeout(limit);
    }

    pub(super) fn sent(&self) -> Sent {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (failures, frames) = (count(&self.counts.failures), count(&self.counts.frames));
        Sent { name: self.target.name(), is_up: self.counts.is_up.load(Ordering::Relaxed), failures, frames }
    }
}

struct Thread<T> {
    target: Target,
    shared: Arc<Shared>,
    counts: Arc<Counts>,
    frames: Receiver<(u64, Frame)>,
    tell: T,
}

impl<T: Fn(&str)> Thread<T> {
    fn run(&self) {
        let mut backoff = Backoff::new(backoff::PAUSES.0, backoff::PAUSES.1);
        loop {
            let began = Instant::now();
            let end = self.once();
            let was_up = self.counts.is_up.swap(false, Ordering::Relaxed);
            let pause = match end {
                End::Told => return,
                End::Changed => backoff::PAUSES.0,
                End::Failed(reason) => {
                    self.counts.failures.fetch_add(1, Ordering::Relaxed);
                    let pause = backoff.pause(if was_up { began.elapsed() } else { Duration::ZERO });
                    let reason = self.target.without_secrets(&reason);
                    (self.tell)(&format!("{}: {reason}; pushing again in {:.2} s", self.target.name(), pause.as_secs_f32()));
                    pause
                }
            };
            if self.is_ended_within(pause) {
                return;
            }
        }
    }

    /// Drops frames for `pause`. True if the program ends.
    fn is_ended_within(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            match self.frames.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
    }

    fn once(&self) -> End {
        let Some((generation, frame)) = self.key_frame() else { return End::Told };
        let (pipeline, entry) = match self.target.pipeline(&frame.caps) {
            Ok(built) => built,
            Err(error) => return End::Failed(error.to_string()),
        };
        self.count(&entry);
        let end = self.stream(&pipeline, &entry, generation, frame);
        let _ = pipeline.set_state(gst::State::Null);
        end
    }

    /// The next frame with which a stream can begin, and its generation. `None` at the end of the program.
    fn key_frame(&self) -> Option<(u64, Frame)> {
        let mut has_asked = false;
        loop {
            let (generation, frame) = self.frames.recv().ok()?;
            if self.is_current(generation) && frame.is_key() {
                self.counts.is_full.store(false, Ordering::Relaxed);
                return Some((generation, frame));
            }
            if !has_asked {
                has_asked = true;
                self.shared.wants_key.store(true, Ordering::Relaxed);
            }
        }
    }

    fn is_current(&self, generation: u64) -> bool {
        self.shared.generation.load(Ordering::Relaxed) == generation
    }

    /// Counts the frames that leave `entry`, which an element holds up that is not connected.
    fn count(&self, entry: &AppSrc) {
        let counts = self.counts.clone();
        entry.static_pad("src").into_iter().for_each(|pad| {
            let counts = counts.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                counts.frames.fetch_add(1, Ordering::Relaxed);
                let is_proof = info.buffer().and_then(|buffer| buffer.dts_or_pts()).is_some_and(|time| time >= PROOF);
                if is_proof {
                    counts.is_up.store(true, Ordering::Relaxed);
                }
                gst::PadProbeReturn::Ok
            });
        });
    }

    /// Sends frames, of which `first` is the first one.
    fn stream(&self, pipeline: &gst::Pipeline, entry: &AppSrc, generation: u64, first: Frame) -> End {
        let Some(bus) = pipeline.bus() else { return End::Failed("the pipeline has no bus".into()) };
        let is_started = pipeline.set_state(gst::State::Playing).is_ok();
        let (form, start) = (Form::of(&first), first.time);
        let base = first.buffer.dts().map_or(start, |dts| dts.min(start));
        push(entry, base, first);
        let mut has_told = false;
        loop {
            if let Err(failed) = look_at(&bus, pipeline) {
                return End::Failed(failed);
            }
            if !is_started {
                return End::Failed("the elements did not start".into());
            }
            if self.counts.is_full.load(Ordering::Relaxed) || entry.current_level_time() > LIMIT {
                return End::Failed(format!("no video was taken for {} s", LIMIT.seconds()));
            }
            if !std::mem::replace(&mut has_told, self.counts.is_up.load(Ordering::Relaxed)) && has_told {
                (self.tell)(&format!("pushing to {}", self.target.name()));
            }
            match self.frames.recv_timeout(TICK) {
                Ok((its, frame)) if its != generation || !self.is_current(its) || !form.goes_on_with(&frame) => return End::Changed,
                Ok((_, frame)) if frame.time >= start => push(entry, base, frame),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = entry.end_of_stream();
                    let _ = bus.timed_pop_filtered(END, &[gst::MessageType::Eos, gst::MessageType::Error]);
                    return End::Told;
                }
            }
            if !self.is_current(generation) {
                return End::Changed;
            }
        }
    }
}

/// Why the elements have failed, if they have.
fn look_at(bus: &gst::Bus, pipeline: &gst::Pipeline) -> Result<(), String> {
    let types = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Latency];
    while let Some(message) = bus.pop_filtered(&types) {
        match message.view() {
            gst::MessageView::Error(error) => return Err(reason(error)),
            gst::MessageView::Eos(_) => return Err("the server ended the stream".into()),
            _ => drop(pipeline.recalculate_latency()),
        }
    }
    Ok(())
}

/// Sends a frame. Times count from `base`.
fn push(entry: &AppSrc, base: gst::ClockTime, frame: Frame) {
    let mut buffer = frame.buffer;
    let sent = buffer.make_mut();
    sent.set_pts(frame.time.saturating_sub(base));
    sent.set_dts(sent.dts().map(|dts| dts.saturating_sub(base)));
    // Fails when the pipeline has failed, which is on its bus.
    let _ = entry.push_buffer(buffer);
}
