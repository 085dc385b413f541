// SPDX-License-Identifier: MIT OR Apache-2.0
//! The progress of the scan: a bar on a terminal, otherwise a line every ten seconds.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::{Condvar, Mutex};

/// Time between two updates of the bar, and between two lines.
const BAR_INTERVAL: Duration = Duration::from_millis(200);
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// What the workers have done in this run.
#[derive(Debug, Default)]
pub struct Counts {
    pub files: AtomicU64,
    pub frames: AtomicU64,
    /// Faces on them.
    pub faces: AtomicU64,
    /// Bytes of finished files and slices.
    pub bytes: AtomicU64,
}

impl Counts {
    pub fn add_frame(&self, faces: usize) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.faces.fetch_add(faces as u64, Ordering::Relaxed);
    }
}

/// Sizes of the whole scan.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Files to examine in this run.
    pub files: u64,
    /// Their bytes, by which the time left is estimated.
    pub bytes: u64,
}

/// Shows the progress until it is dropped.
#[derive(Debug)]
pub struct Progress {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows `counts` on standard error.
    pub fn start(counts: Arc<Counts>, totals: Totals) -> Self {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            if std::io::stderr().is_terminal() { show_bar(&counts, totals, &stopped) } else { show_lines(&counts, totals, &stopped) }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        self.thread.take().map(JoinHandle::join);
    }
}

type Stop = (Mutex<bool>, Condvar);

/// Waits for `interval`, or until the scan ends; returns true in that case.
fn is_stopped((stopped, changed): &Stop, interval: Duration) -> bool {
    let mut stopped = stopped.lock();
    changed.wait_while_for(&mut stopped, |stopped| !*stopped, interval);
    *stopped
}

fn show_bar(counts: &Counts, totals: Totals, stop: &Stop) {
    let bar = ProgressBar::with_draw_target(Some(totals.bytes.max(1)), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{wide_bar} {percent} %  {msg}  {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    let start = Instant::now();
    while !is_stopped(stop, BAR_INTERVAL) {
        bar.set_message(state(counts, totals, start.elapsed()));
        bar.set_position(counts.bytes.load(Ordering::Relaxed).min(totals.bytes));
    }
    bar.finish_and_clear();
}

fn show_lines(counts: &Counts, totals: Totals, stop: &Stop) {
    let start = Instant::now();
    while !is_stopped(stop, LINE_INTERVAL) {
        let left = time_left(counts.bytes.load(Ordering::Relaxed), totals.bytes, start.elapsed());
        let left = left.map_or(String::new(), |left| format!(", {} left", HumanDuration(left)));
        // A closed standard error does not stop the scan.
        let _ = writeln!(std::io::stderr(), "{}{left}", state(counts, totals, start.elapsed()));
    }
}

fn state(counts: &Counts, totals: Totals, elapsed: Duration) -> String {
    let [files, frames, faces] = [&counts.files, &counts.frames, &counts.faces].map(|count| count.load(Ordering::Relaxed));
    let speed = frames as f64 / elapsed.as_secs_f64().max(1e-3);
    format!("{files} of {} files, {frames} frames, {faces} faces, {speed:.0} frames/s", totals.files)
}

/// The time that the remaining bytes take at the speed so far.
fn time_left(done: u64, total: u64, elapsed: Duration) -> Option<Duration> {
    let remaining = total.saturating_sub(done) as f64 / done as f64;
    Duration::try_from_secs_f64((elapsed.as_secs_f64() * remaining).round()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_speed_so_far() {
        assert_eq!(time_left(0, 100, Duration::from_secs(1)), None);
        assert_eq!(time_left(25, 100, Duration::from_secs(10)), Some(Duration::from_secs(30)));
        assert_eq!(time_left(100, 100, Duration::from_secs(10)), Some(Duration::ZERO));
    }

    #[test]
    fn the_state_has_files_frames_faces_and_speed() {
        let counts = Counts::default();
        counts.files.store(1, Ordering::Relaxed);
        (0..4).for_each(|_| counts.add_frame(2));
        let text = state(&counts, Totals { files: 3, bytes: 9 }, Duration::from_secs(2));
        assert_eq!(text, "1 of 3 files, 4 frames, 8 faces, 2 frames/s");
    }
}
