// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts of a source: its frames, faces and stopped recordings. Streaming threads write them, and others read them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::hardware::Hardware;

/// The progress of one source over all of its runs.
#[derive(Debug, Default)]
pub struct Progress {
    created: Created,
    /// Time of the last frame of this run, in milliseconds after `created`; 0 before the first.
    last_ms: AtomicU64,
    /// That of the last data, of which frames are decoded; 0 before the first, or if nobody says.
    data_ms: AtomicU64,
    is_up: AtomicBool,
    restarts: AtomicU64,
    received: AtomicU64,
    analysed: AtomicU64,
    skipped: AtomicU64,
    damaged: AtomicU64,
    undecoded: AtomicU64,
    recording_failures: AtomicU64,
    pub(crate) hardware: Hardware,
    faces: AtomicU64,
    sightings: AtomicU64,
    latency_us: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// True while frames arrive.
    pub is_up: bool,
    /// Runs after the first.
    pub restarts: u64,
    /// Frames that the source delivered.
    pub received: u64,
    /// Frames that were analysed.
    pub analysed: u64,
    /// Frames that were replaced by newer ones before they could be analysed.
    pub skipped: u64,
    /// Frames that the decoder could not restore, which are not among those received.
    pub damaged: u64,
    /// Frames that were left out before they were decoded.
    pub undecoded: u64,
    /// How often recordings stopped.
    pub recording_failures: u64,
    /// Faces in the last frame.
    pub faces: u64,
    /// Faces, added up over all frames.
    pub sightings: u64,
    /// Time from the last frame, by its own time, to its result.
    pub latency: Duration,
}

impl Progress {
    /// The progress of a source that has not run yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a run begins.
    pub fn begin_run(&self) {
        self.last_ms.store(0, Relaxed);
        self.data_ms.store(0, Relaxed);
        self.hardware.begin_run();
    }

    /// Notes that a run ended and that another one follows.
    pub fn end_run(&self) {
        self.is_up.store(false, Relaxed);
        self.faces.store(0, Relaxed);
        self.restarts.fetch_add(1, Relaxed);
    }

    /// Notes that the source has stopped, without another run.
    pub fn stop(&self) {
        self.is_up.store(false, Relaxed);
        self.faces.store(0, Relaxed);
    }

    /// Notes that a frame has arrived now.
    pub fn beat(&self) {
        self.last_ms.store(self.now_ms(), Relaxed);
        self.is_up.store(true, Relaxed);
    }

    /// Notes that data has arrived now, whether or not there is a frame in it.
    pub fn data(&self) {
        self.data_ms.store(self.now_ms(), Relaxed);
    }

    /// Milliseconds since this was made, from 1 on.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.created.0.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Time since the last frame of this run, `None` before the first one.
    pub fn since_last_frame(&self) -> Option<Duration> {
        self.since(&self.last_ms)
    }

    /// Time since the last data of this run, `None` before the first, or if nobody says.
    pub fn since_last_data(&self) -> Option<Duration> {
        self.since(&self.data_ms)
    }

    fn since(&self, moment_ms: &AtomicU64) -> Option<Duration> {
        let last = Some(moment_ms.load(Relaxed)).filter(|&ms| ms > 0)?;
        Some(self.created.0.elapsed().saturating_sub(Duration::from_millis(last)))
    }

    /// Counts a frame that the decoder could not restore.
    pub fn damaged(&self) {
        self.damaged.fetch_add(1, Relaxed);
    }

    /// Counts a frame of the source that is not decoded.
    pub fn undecoded(&self) {
        self.undecoded.fetch_add(1, Relaxed);
    }

    /// Counts that recordings stopped.
    pub fn recording_failed(&self) {
        self.recording_failures.fetch_add(1, Relaxed);
    }

    /// Counts a frame of the source and numbers it in its offset, which elements up to [`Self::analysed`] keep.
    pub fn received(&self, frame: &mut gst::BufferRef) {
        frame.set_offset(self.received.fetch_add(1, Relaxed) + 1);
    }

    /// Notes how many of the latest frames wait. At most one frame is being analysed. All others without a result were skipped.
    pub fn waiting(&self, frames: u64) {
        self.skipped_of(self.received.load(Relaxed).saturating_sub(frames + 1));
    }

    /// Counts a frame with its result. Earlier frames without a result were skipped.
    pub fn analysed(&self, frame: &gst::BufferRef, faces: usize) {
        self.analysed.fetch_add(1, Relaxed);
        self.skipped_of(frame.offset());
        self.faces.store(faces as u64, Relaxed);
        self.sightings.fetch_add(faces as u64, Relaxed);
    }

    /// Counts the frames without a result among the first `frames` as skipped.
    fn skipped_of(&self, frames: u64) {
        self.skipped.fetch_max(frames.saturating_sub(self.analysed.load(Relaxed)), Relaxed);
    }

    /// Notes the time from a frame to its result.
    pub fn set_latency(&self, latency: Duration) {
        self.latency_us.store(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        let undecoded = self.undecoded.load(Relaxed);
        Counts {
            is_up: self.is_up.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            received: self.received.load(Relaxed) + undecoded,
            analysed: self.analysed.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            damaged: self.damaged.load(Relaxed),
            undecoded,
            recording_failures: self.recording_failures.load(Relaxed),
            faces: self.faces.load(Relaxed),
            sightings: self.sightings.load(Relaxed),
            latency: Duration::from_micros(self.latency_us.load(Relaxed)),
        }
    }
}

/// A moment that times are counted from.
#[derive(Debug)]
struct Created(Instant);

impl Default for Created {
    fn default() -> Self {
        Self(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_between_two_analysed_ones_are_skipped() {
        gst::init().unwrap();
        let progress = Progress::new();
        let frames: Vec<gst::Buffer> = (0..10)
            .map(|_| {
                let mut frame = gst::Buffer::new();
                progress.received(frame.get_mut().unwrap());
                frame
            })
            .collect();
        progress.undecoded();
        [1, 2, 6].iter().for_each(|&index: &usize| progress.analysed(&frames[index], index));
        let counts = progress.counts();
        assert_eq!((counts.received, counts.analysed, counts.skipped, counts.faces, counts.sightings), (11, 3, 4, 6, 9));
        // The last one waits, and perhaps one before it is analysed.
        [(2, 4), (1, 5), (2, 5)].iter().for_each(|(waiting, skipped)| {
            progress.waiting(*waiting);
            assert_eq!(progress.counts().skipped, *skipped, "{waiting} wait");
        });
        progress.analysed(&frames[9], 0);
        assert_eq!((progress.counts().analysed, progress.counts().skipped), (4, 6));
    }

    #[test]
    fn a_source_is_up_from_a_frame_to_the_end_of_its_run() {
        let progress = Progress::new();
        progress.begin_run();
        assert_eq!((progress.since_last_frame(), progress.counts().is_up), (None, false));
        progress.beat();
        assert!(progress.since_last_frame().is_some() && progress.counts().is_up);
        progress.end_run();
        assert_eq!((progress.counts().restarts, progress.counts().is_up), (1, false));
    }
}
