// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts skipped tests. A test cannot report that it was skipped, and the output of a passing test is not shown. So each
//! test program reports the skipped tests when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

/// The names of skipped tests by reason.
static LEFT_OUT: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

/// Records that the calling test is skipped.
pub fn note(reason: impl Into<String>) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // If no function can be registered, the report is missing.
        let _ = at_exit(report);
    });
    // The thread of a test has the name of the test.
    let test = std::thread::current().name().unwrap_or("main").to_owned();
    LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner).entry(reason.into()).or_default().insert(test);
}

extern "C" fn report() {
    for (reason, tests) in LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        // An error here cannot be reported.
        let _ = writeln!(std::io::stderr(), "left out: {} tests: {reason}", tests.len());
    }
}

/// Registers `function` to be called at the end of the process, after the summary of the tests.
#[allow(unsafe_code)]
fn at_exit(function: extern "C" fn()) -> std::ffi::c_int {
    unsafe extern "C" {
        fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
    }
    // SAFETY: the declaration matches the C library, which accepts any function that does not unwind.
    unsafe { atexit(function) }
}
