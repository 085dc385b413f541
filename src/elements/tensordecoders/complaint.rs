// SPDX-License-Identifier: MIT OR Apache-2.0
//! One log line for each streak of frames without usable tensors.

use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::prelude::*;

/// Whether frames have usable tensors, so that a streak without any is logged once.
#[derive(Default)]
pub(super) struct Complaint(AtomicBool);

impl Complaint {
    /// Logs a new `problem`; none ends the streak.
    pub(super) fn note(&self, category: gst::DebugCategory, element: &impl IsA<glib::Object>, problem: Option<&String>) {
        let was_noted = self.0.swap(problem.is_some(), Ordering::Relaxed);
        if let Some(problem) = problem.filter(|_| !was_noted) {
            gst::warning!(category, obj = element, "{problem}");
        }
    }
}
