// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blocks the worker of an element at a known point, so that a test controls what happens meanwhile instead of relying on
//! a slow model.

use std::sync::{Arc, Condvar, Mutex, Once};
use std::time::Duration;

use crate::gstreamer::init;

/// Maximum waiting time, so that a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);
/// Log category in which GStreamer logs each mapping of a buffer, on the mapping thread. A worker starts with one.
const CATEGORY: &str = "GST_BUFFER";

/// While the gate is closed, the worker of one element blocks at the start of its next frame.
///
/// Create it after the harness or pipeline, so that it is dropped (and opened) first: their drop waits for the worker.
pub struct Gate {
    shared: Arc<Shared>,
}

/// The gates by thread name. GStreamer frees a removed log function even while another thread runs it, so one function for
/// all gates stays installed for the life of the process.
static GATES: Mutex<Vec<(String, Arc<Shared>)>> = Mutex::new(Vec::new());

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// The worker has not reached the gate yet.
    Closed,
    /// The worker waits at the gate.
    Reached,
    Open,
}

impl Gate {
    /// A closed gate for the worker of the element `name`. No other test may use this name.
    pub fn new(name: &str) -> Self {
        static LOGGED: Once = Once::new();
        init();
        LOGGED.call_once(|| {
            // The default function would print all messages of the category.
            gst::log::remove_default_log_function();
            gst::log::add_log_function(|category, _, _, _, _, _, _| {
                if category.name() == CATEGORY
                    && let Some(gate) = std::thread::current().name().and_then(at)
                {
                    gate.pass();
                }
            });
            gst::DebugCategory::get(CATEGORY).expect("a category of GStreamer").set_threshold(gst::DebugLevel::Log);
        });
        let shared = Arc::new(Shared { state: Mutex::new(State::Closed), changed: Condvar::new() });
        GATES.lock().expect("gates").push((name.to_owned(), shared.clone()));
        Self { shared }
    }

    /// Waits until the worker has reached the gate with a frame.
    pub fn wait_for_worker(&self) {
        assert!(self.shared.wait_until(State::Reached), "the worker did not start a frame");
    }

    /// Lets the worker pass until the gate is closed.
    pub fn open(&self) {
        self.shared.set(State::Open);
    }

    /// Blocks the worker from its next frame on, so that no frame pushed from now on gets its own result.
    pub fn close(&self) {
        self.shared.set(State::Closed);
    }
}

impl Shared {
    fn pass(&self) {
        let mut state = self.state.lock().expect("a gate");
        if *state == State::Closed {
            *state = State::Reached;
            self.changed.notify_all();
        }
        drop(self.changed.wait_timeout_while(state, PATIENCE, |state| *state != State::Open).expect("a gate"));
    }

    fn set(&self, state: State) {
        *self.state.lock().expect("a gate") = state;
        self.changed.notify_all();
    }

    fn wait_until(&self, expected: State) -> bool {
        let state = self.state.lock().expect("a gate");
        !self.changed.wait_timeout_while(state, PATIENCE, |state| *state != expected).expect("a gate").1.timed_out()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// The gate for the thread `name`.
fn at(name: &str) -> Option<Arc<Shared>> {
    let gates = GATES.lock().expect("gates");
    gates.iter().find(|(known, _)| known == name).map(|(_, gate)| gate.clone())
}
