// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory of a program that starts threads again and again.

/// Lets threads share two heaps of the C library, to be called first. By default there are eight for each core, and each session of a source has
/// threads in others: what one session has freed, the next one does not get, so the program grows with each.
#[allow(unsafe_code)]
pub fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// `M_ARENA_MAX` of malloc.h.
        const ARENA_MAX: std::ffi::c_int = -8;
        unsafe extern "C" {
            fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
        }
        // SAFETY: it takes all numbers, and may be called at any time.
        unsafe { mallopt(ARENA_MAX, 2) };
    }
}
