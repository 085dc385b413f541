// SPDX-License-Identifier: MIT OR Apache-2.0
//! GStreamer, and its critical messages, which report calls that violate its contracts.

use std::cell::RefCell;
use std::sync::Once;

use gst::glib;

thread_local! {
    static COMPLAINTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Starts GStreamer with the elements linked into this program.
pub fn init() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        gst::init().expect("GStreamer starts");
        gstemotion::plugin_register_static().expect("the elements register");
        glib::log_set_default_handler(|domain, level, message| {
            if matches!(level, glib::LogLevel::Critical | glib::LogLevel::Error) {
                COMPLAINTS.with_borrow_mut(|complaints| complaints.push(format!("{}: {message}", domain.unwrap_or_default())));
            }
        });
    });
}

/// Panics if GStreamer has logged a critical message on this thread since the last call.
pub fn none() {
    let complaints = COMPLAINTS.take();
    assert!(complaints.is_empty(), "{complaints:?}");
}
