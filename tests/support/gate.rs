// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stops the worker of an element at a known place, so that a test can say what happens meanwhile instead of hoping that a
//! slow model is slow enough.

use std::sync::{Arc, Condvar, Mutex, Once};
use std::time::Duration;

use super::gstreamer::init;

/// Nobody waits for longer, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(60);
/// GStreamer logs here whenever a buffer is mapped, which is what a worker begins with, on the thread that maps it.
const CATEGORY: &str = "GST_BUFFER";

/// While it is closed, the worker of one element gets no further than to the beginning of its next frame.
///
/// Make it after the harness or pipeline, so that it is dropped, and opens, before: that waits for the worker.
pub struct Gate {
    shared: Arc<Shared>,
}

/// The gates by the names of their threads. GStreamer frees a log function that is removed while another thread may be in
/// it, so there is one for all gates, for as long as the process lives.
static GATES: Mutex<Vec<(String, Arc<Shared>)>> = Mutex::new(Vec::new());

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// The worker has not come yet.
    Closed,
    /// The worker stands before it.
    Reached,
    Open,
}

impl Gate {
    /// A closed gate for the worker of the element `name`, a name that no other test uses.
    pub fn new(name: &str) -> Self {
        static LOGGED: Once = Once::new();
        init();
        LOGGED.call_once(|| {
            // Otherwise all of it would be printed.
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

    /// Waits until the worker stands before the gate with a frame in its hands.
    pub fn wait_for_worker(&self) {
        assert!(self.shared.wait_until(State::Reached), "the worker began with no frame");
    }

    /// Lets the worker go on, for good.
    pub fn open(&self) {
        self.shared.set(State::Open);
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

    fn wait_until(&self, wanted: State) -> bool {
        let state = self.state.lock().expect("a gate");
        !self.changed.wait_timeout_while(state, PATIENCE, |state| *state != wanted).expect("a gate").1.timed_out()
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
