// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an element did to the pictures that have left it: a queue behind it may hold frames from before its properties or caps changed.

use std::collections::VecDeque;
use std::sync::Arc;

use gst::glib::WeakRef;
use gst::prelude::*;
use parking_lot::Mutex;

use super::steps::{Did, Step};

/// Changes that a [`Past`] remembers at most.
const MOST: usize = 4096;

/// What the element of a step did to frames, from the first frame that left it in this way.
#[derive(Debug)]
struct Since {
    /// The time of that frame; none if it is earlier than what is known.
    pts: Option<gst::ClockTime>,
    did: Did,
}

/// What the element of a [`Step`] did to the frames that have left it since this was made. Watches its source pad.
#[derive(Debug)]
pub struct Past {
    step: Arc<Step>,
    changes: Arc<Mutex<VecDeque<Since>>>,
    pad: WeakRef<gst::Pad>,
    probe: Option<gst::PadProbeId>,
}

impl Past {
    /// Watches what `step` does from now on.
    pub fn new(step: Step) -> Self {
        let (pad, step) = (step.after(), Arc::new(step));
        let changes = Arc::new(Mutex::new(VecDeque::new()));
        note(&step, &mut changes.lock(), None);
        let (watched, noted) = (step.clone(), changes.clone());
        let watch = move |_: &gst::Pad, info: &mut gst::PadProbeInfo| {
            if let Some(buffer) = info.buffer() {
                note(&watched, &mut noted.lock(), buffer.pts());
            }
            gst::PadProbeReturn::Ok
        };
        let probe = pad.upgrade().and_then(|pad| pad.add_probe(gst::PadProbeType::BUFFER, watch));
        Self { step, changes, pad, probe }
    }

    /// True if this is the past of `step`.
    pub fn is_of(&self, step: &Step) -> bool {
        *self.step == *step
    }

    /// The name of the element; none if it no longer exists.
    pub fn name(&self) -> Option<String> {
        self.step.name()
    }

    /// What the element did to the frame of this time. Forgets what was before.
    pub fn at(&self, pts: Option<gst::ClockTime>) -> Option<Did> {
        let mut changes = self.changes.lock();
        let at = changes.iter().rposition(|since| pts.is_none() || since.pts <= pts).unwrap_or(0);
        changes.drain(..at);
        changes.front().map(|since| since.did.clone())
    }

    /// What the element did to the last frame that left it.
    pub fn last(&self) -> Option<Did> {
        self.changes.lock().back().map(|since| since.did.clone())
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        if let (Some(pad), Some(probe)) = (self.pad.upgrade(), self.probe.take()) {
            pad.remove_probe(probe);
        }
    }
}

/// Takes down what the element does to the frame of this time, if it is something else than before.
fn note(step: &Step, changes: &mut VecDeque<Since>, pts: Option<gst::ClockTime>) {
    let last = changes.back();
    let Some(did) = step.does(last.map(|since| &since.did)) else { return };
    // Times begin again after a seek and in a new stream.
    let is_again = last.is_some_and(|since| since.pts > pts);
    if !is_again && last.is_some_and(|since| since.did == did) {
        return;
    }
    if is_again {
        changes.clear();
    }
    if changes.len() == MOST {
        changes.pop_front();
    }
    changes.push_back(Since { pts, did });
}
