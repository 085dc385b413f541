// SPDX-License-Identifier: MIT OR Apache-2.0
//! Devices that are chosen, and that are missing.

use std::path::Path;
use std::process::Command;

use test_support::gstreamer::{Stage, run};

use crate::WEBGPU;

const LINE: &str = "videotestsrc num-buffers=1 ! emotionfacedetect name=it detect-size=64";

/// Standard error of `gst-launch-1.0` with `chain` and other variables of the environment.
fn error_of_launch(chain: &str, change: impl FnOnce(&mut Command)) -> String {
    let stage = Stage::new("gpu-error").with_plugin();
    let mut command = stage.command("gst-launch-1.0");
    change(&mut command);
    let output = command.args(chain.split_whitespace()).output().expect("gst-launch-1.0 runs");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_device_is_chosen_by_a_part_of_its_description() {
    for device in ["low-power", "high-performance"] {
        run(&format!("{LINE} {WEBGPU} provider-device={device} ! fakesink")).expect("WebGPU's own choice");
    }
    let error = run(&format!("{LINE} {WEBGPU} provider-device=abacus ! fakesink")).expect_err("no such device");
    for part in ["has no device \"abacus\"", "libonnxruntime_providers_webgpu.so", "devices of this machine: CPU "] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn a_machine_without_a_gpu_is_one_error_that_lists_what_there_is() {
    if Path::new("/sys/class/drm/card0").exists() {
        return;
    }
    let error = error_of_launch(&format!("{LINE} {WEBGPU} ! fakesink"), |command| {
        command.env_remove("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER");
    });
    for part in ["has no device; it can use: none; devices of this machine: CPU ", "install the driver"] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn a_missing_driver_is_one_error() {
    let error = error_of_launch(&format!("{LINE} {WEBGPU} ! fakesink"), |command| {
        command.env("VK_ICD_FILENAMES", "/nowhere/icd.json").env("VK_DRIVER_FILES", "/nowhere/icd.json");
    });
    // `gst-launch-1.0` has libunwind, with which the provider would abort.
    for part in ["libonnxruntime_providers_webgpu.so: Vulkan has no driver", "install the driver of the GPU", "device: "] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn a_library_that_is_no_provider_is_one_error() {
    for (library, part) in [("/nowhere/provider.so", "no such file"), ("/etc/hostname", "execution provider library /etc/hostname: ")] {
        let error = run(&format!("{LINE} provider-library={library} ! fakesink")).expect_err("no provider");
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}
