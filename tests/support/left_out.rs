// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests that cannot run here, counted. A test has no way to say that it was left out, and what one that passes prints is
//! not shown; so each test program says it when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

/// The names of tests by what they lack.
static LEFT_OUT: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

/// Notes that the test which calls this cannot run here.
pub fn note(reason: impl Into<String>) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // Without room for one more function it is not said.
        let _ = at_exit(report);
    });
    // Each test runs on a thread of its name.
    let test = std::thread::current().name().unwrap_or("main").to_owned();
    LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner).entry(reason.into()).or_default().insert(test);
}

extern "C" fn report() {
    for (reason, tests) in LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        // Nobody is left to tell if this fails.
        let _ = writeln!(std::io::stderr(), "left out: {} tests: {reason}", tests.len());
    }
}

/// Has `function` called when the process ends, after the summary of the tests.
#[allow(unsafe_code)]
fn at_exit(function: extern "C" fn()) -> std::ffi::c_int {
    unsafe extern "C" {
        fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
    }
    // SAFETY: this is the declaration of C's library, which takes any function that does not unwind.
    unsafe { atexit(function) }
}
