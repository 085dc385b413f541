// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the registration of the elements does to the process.

use std::process::Command;

use gst::prelude::*;
use test_support::gstreamer::init;

const TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";
/// Set in the process that registers the elements and does nothing else.
const CHILD: &str = "GST_EMOTION_TEST_REGISTERS";

/// Later, the process has threads, and another one may read the environment while it is changed.
#[test]
fn onnx_runtimes_telemetry_is_switched_off_before_an_element_exists() {
    if std::env::var_os(CHILD).is_some() {
        init();
        assert_eq!(std::env::var(TELEMETRY).as_deref(), Ok("1"));
        return;
    }
    let name = "registration::onnx_runtimes_telemetry_is_switched_off_before_an_element_exists";
    let mut child = Command::new(std::env::current_exe().expect("a test has a path"));
    let output = child.args(["--exact", name]).env(CHILD, "1").env_remove(TELEMETRY).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Otherwise, elements of other parts of a program would point to a factory that is freed.
#[test]
fn a_second_registration_changes_nothing() {
    init();
    let registered = || {
        let factory = gst::ElementFactory::find("emotionclassify").expect("it is registered");
        (gst::Registry::get().plugins().iter().filter(|plugin| plugin.plugin_name() == "emotion").count(), factory)
    };
    let first = registered();
    gstemotion::plugin_register_static().expect("it is registered");
    assert_eq!(registered(), first);
    let element = gst::ElementFactory::make("emotionclassify").build().expect("an element");
    assert_eq!(element.factory(), Some(first.1));
}
