// SPDX-License-Identifier: MIT OR Apache-2.0
//! The resources that this process uses, from Linux's `/proc`.

use std::time::Duration;

/// Memory, file descriptors and threads at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Resident memory in MiB.
    pub memory_mib: f64,
    pub descriptors: usize,
    pub threads: usize,
}

impl Usage {
    /// The current usage.
    pub fn now() -> Self {
        let entries = |folder| std::fs::read_dir(folder).map_or(0, Iterator::count);
        let pages = std::fs::read_to_string("/proc/self/statm").ok();
        let pages: f64 = pages.as_deref().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0.0);
        let memory_mib = pages * rustix::param::page_size() as f64 / f64::from(1 << 20);
        // Reading the folder needs a descriptor too.
        Self { memory_mib, descriptors: entries("/proc/self/fd").saturating_sub(1), threads: entries("/proc/self/task") }
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} MiB, {} descriptors, {} threads", self.memory_mib, self.descriptors, self.threads)
    }
}

/// CPU time of this process so far, over all threads.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
