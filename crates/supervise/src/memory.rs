// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory of a program that runs for weeks, and starts threads again and again.

use std::thread;
use std::time::Duration;

/// How often memory that is not used goes back to the system.
const PAUSE: Duration = Duration::from_secs(60);

/// The allocator of glibc, as in its malloc.h.
#[allow(unsafe_code)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::ffi::c_int;

    pub const M_ARENA_MAX: c_int = -8;
    unsafe extern "C" {
        pub fn mallopt(parameter: c_int, value: c_int) -> c_int;
        pub fn malloc_trim(pad: usize) -> c_int;
    }
}

/// Keeps the memory of this process from growing with time, to be called first.
///
/// Threads share two heaps of the C library. By default there are eight for each core, and each session of a source has threads in others:
/// what one session has freed, the next one does not get. And once a minute, what is free in these heaps goes back to the system, since what a
/// session has left there is seldom of the size that the next one needs.
pub fn stay_small() {
    share_heaps();
    let repeat = || loop {
        thread::sleep(PAUSE);
        give_back();
    };
    // Without memory for a thread, there is none to give back.
    let _ = thread::Builder::new().name("memory".into()).spawn(repeat);
}

#[allow(unsafe_code)]
fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes all numbers, and may be called at any time.
    unsafe {
        glibc::mallopt(glibc::M_ARENA_MAX, 2)
    };
}

/// Gives free pages of all heaps back to the system.
#[allow(unsafe_code)]
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time, by any thread.
    unsafe {
        glibc::malloc_trim(0)
    };
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// The memory of this process in MiB.
    fn memory() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
    }

    #[test]
    fn what_lies_between_used_pieces_goes_back_to_the_system() {
        // The C library takes such pieces from a heap, and frees none of it by itself while the last piece is used.
        let mut pieces: Vec<_> = (0..1600).map(|_| vec![1_u8; 64 << 10]).collect();
        let last = pieces.pop();
        drop(pieces);
        let before = memory();
        give_back();
        let after = memory();
        assert!(after + 60 < before, "{before} MiB before, {after} after");
        drop(last);
    }
}
