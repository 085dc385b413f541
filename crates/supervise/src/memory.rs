// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory of a program that runs for weeks, and starts threads again and again.

/// Keeps the memory of this process from growing with time. To be called first: it starts the program again, as the same process. Does nothing
/// without the C library of GNU.
pub fn stay_small() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::stay_small();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::env;
    use std::ffi::c_int;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::thread;
    use std::time::Duration;

    /// How often memory that is not used goes back to the system.
    const PAUSE: Duration = Duration::from_secs(60);
    /// The environment variable with settings of the C library.
    const TUNABLES: &str = "GLIBC_TUNABLES";
    /// What is other than by default:
    ///
    /// - Threads share two heaps. By default there are eight for each core, and each session of a source has threads in others: what one
    ///   session has freed, the next one does not get.
    /// - A thread keeps only small blocks that it has freed. By default it keeps up to 234 KiB, and takes hours to collect them.
    /// - A block of 64 KiB or more, such as a picture, goes back to the system when it is freed. By default a heap keeps it.
    const SETTINGS: &str = "glibc.malloc.arena_max=2:glibc.malloc.tcache_max=128:glibc.malloc.mmap_threshold=65536";

    #[allow(unsafe_code)]
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> c_int;
    }

    pub fn stay_small() {
        start_with_settings();
        let repeat = || loop {
            thread::sleep(PAUSE);
            give_back();
        };
        // Without memory for a thread, there is none to give back.
        let _ = thread::Builder::new().name("memory".into()).spawn(repeat);
    }

    /// Starts the program again, because the C library reads its settings only then. Does nothing if somebody has chosen settings, or if the
    /// program is not found by the name by which it was called.
    fn start_with_settings() {
        let mut arguments = env::args_os();
        if env::var_os(TUNABLES).is_none()
            && let Some(program) = arguments.next()
        {
            let _ = Command::new(program).args(arguments).env(TUNABLES, SETTINGS).exec();
        }
    }

    /// Gives free pages of all heaps back to the system: what a session has left there is seldom of the size that the next one needs.
    #[allow(unsafe_code)]
    pub fn give_back() {
        // SAFETY: it may be called at any time, by any thread.
        unsafe { malloc_trim(0) };
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
pub(crate) mod tests {
    use super::glibc::give_back;

    /// The memory of this process in MiB.
    pub fn memory() -> usize {
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
