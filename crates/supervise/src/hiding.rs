// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a command hides, and until which frame.

use std::sync::atomic::{AtomicU64, Ordering};

/// Until when frames hide something. Those of before a command that shows it hide it, however late they come.
#[derive(Debug, Default)]
pub struct Hiding(AtomicU64);

impl Hiding {
    /// While it hides, without an end.
    const ALL: u64 = u64::MAX;

    /// Hides it, also on frames that wait, or shows it on those from the running time `now` on.
    pub fn set(&self, hides: bool, now: gst::ClockTime) {
        if hides {
            self.0.store(Self::ALL, Ordering::Relaxed);
        } else {
            let _ = self.0.compare_exchange(Self::ALL, now.nseconds(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// True if it is hidden at a running time; without one, now.
    pub fn hides(&self, time: Option<gst::ClockTime>) -> bool {
        time.unwrap_or(gst::ClockTime::MAX).nseconds() < self.0.load(Ordering::Relaxed)
    }
}
