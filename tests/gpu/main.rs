// SPDX-License-Identifier: MIT OR Apache-2.0
//! The elements on a GPU, or on SwiftShader, which `scripts/test gpu` sets up: WebGPU's execution provider, equal results, two
//! providers in one process, the loss of the device, many starts.

mod batches;
mod devices;
mod loss;
mod results;
mod starts;

const WEBGPU: &str = "execution-provider=webgpu";
/// SwiftShader takes seconds for a picture in the default size.
const SMALL: &str = "detect-size=160";

/// Resident memory of this process in MiB, without freed memory.
#[allow(unsafe_code)]
fn memory_mib() -> f64 {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    // SAFETY: the declaration matches the GNU C library, and the function may be called at any time.
    unsafe { malloc_trim(0) };
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux provides this file");
    let pages: f64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * rustix::param::page_size() as f64 / f64::from(1 << 20)
}
