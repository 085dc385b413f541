// SPDX-License-Identifier: MIT OR Apache-2.0
//! The workers of a scan: threads of this process, or other processes.

mod backlog;
pub(crate) mod dispatch;
pub mod queue;
pub mod serve;

pub(crate) use backlog::Shared;
