// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many starts and stops.

use gst::prelude::*;
use test_support::gstreamer::init;

use crate::memory_mib;

/// Maximum growth in MiB over the measured starts.
const MAX_GROWTH_MIB: f64 = 16.0;

/// Starts and stops `element` this often.
fn start(element: &gst::Element, times: u32) {
    for _ in 0..times {
        element.set_state(gst::State::Paused).expect("it starts");
        element.set_state(gst::State::Null).expect("it stops");
    }
}

fn classifier() -> gst::Element {
    init();
    let builder = gst::ElementFactory::make("emotionclassify").property_from_str("execution-provider", "webgpu");
    builder.build().expect("an element")
}

#[test]
fn memory_does_not_grow_over_a_thousand_starts_of_a_stream() {
    // Another stream keeps the device.
    let (other, element) = (classifier(), classifier());
    other.set_state(gst::State::Paused).expect("it starts");
    start(&element, 100);
    let before = memory_mib();
    start(&element, 1_000);
    let growth = memory_mib() - before;
    other.set_state(gst::State::Null).expect("it stops");
    assert!(growth < MAX_GROWTH_MIB, "{growth} MiB");
}

#[test]
fn memory_does_not_grow_over_many_starts_of_the_device() {
    let element = classifier();
    start(&element, 20);
    let before = memory_mib();
    start(&element, 60);
    let growth = memory_mib() - before;
    assert!(growth < MAX_GROWTH_MIB, "{growth} MiB");
}
