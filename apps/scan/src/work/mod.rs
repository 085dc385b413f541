// SPDX-License-Identifier: MIT OR Apache-2.0
//! The workers of a scan: threads of this process, or other processes.

mod backlog;
pub mod protocol;
mod threads;
mod dispatch;
pub(crate) mod schedule;
pub mod serve;
