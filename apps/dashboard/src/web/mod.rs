// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page over HTTP and WebSockets.

mod cors;
mod downloads;
mod feed;
mod guard;
mod listing;
mod metrics;
mod page;
mod receiver;
mod refused;
mod report;
mod server;
mod viewer;

pub use downloads::stream;
pub use refused::{Refused, change, find};
pub use server::{router, run};
