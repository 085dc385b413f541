// SPDX-License-Identifier: MIT OR Apache-2.0
//! Fuzz targets for all external input. Each asserts properties that hold for every case.
//!
//! `cargo test` runs a fixed number of cases, `make fuzz MINUTES=10` runs longer; see [`driver`].

#[cfg(feature = "plugin")]
mod buffers;
#[cfg(feature = "plugin")]
mod complaints;
mod description;
mod detectors;
mod driver;
mod exporters;
mod frames;
mod input;
#[cfg(feature = "plugin")]
mod metadata;
mod onnx;
mod protobuf;
mod records;
mod requests;
mod tracking;

use driver::Target;

#[test]
fn frames() {
    Target { name: "frames", cases: 50_000, seeds: &[], check: frames::check }.run();
}

#[test]
fn onnx() {
    let seeds = &["tests/data/anchors.onnx", "tests/data/cells.onnx", "tests/data/identity.onnx", "tests/data/slow-expression.onnx"];
    Target { name: "onnx", cases: 200_000, seeds, check: onnx::check }.run();
}

#[test]
fn description() {
    let seeds = &["models/face/model.toml", "models/expression/model.toml", "models/presets/mobilefacenet.toml"];
    Target { name: "description", cases: 20_000, seeds, check: description::check }.run();
}

#[test]
fn suppression() {
    Target { name: "suppression", cases: 50_000, seeds: &[], check: tracking::check_suppression }.run();
}

#[test]
fn tracker() {
    Target { name: "tracker", cases: 50_000, seeds: &[], check: tracking::check_tracker }.run();
}

#[test]
fn exporters() {
    Target { name: "exporters", cases: 50_000, seeds: &[], check: exporters::check }.run();
}

#[cfg(feature = "plugin")]
#[test]
fn metadata() {
    Target { name: "metadata", cases: 10_000, seeds: &[], check: metadata::check }.run();
}

#[cfg(feature = "plugin")]
#[test]
fn buffers() {
    Target { name: "buffers", cases: 5_000, seeds: &[], check: buffers::check }.run();
}

#[test]
fn requests() {
    Target { name: "requests", cases: 5_000, seeds: &[], check: requests::check }.run();
}

#[test]
fn detectors() {
    if test_support::runtime_fetched() {
        Target { name: "detectors", cases: 5_000, seeds: &[], check: detectors::check }.run();
    }
}
