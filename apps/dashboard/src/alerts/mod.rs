// SPDX-License-Identifier: MIT OR Apache-2.0
//! Alerts: rules of the configuration, which the server evaluates whether or not a page is open.

mod log;
mod rule;
mod watch;

pub use rule::Rule;
pub use watch::Alerts;
