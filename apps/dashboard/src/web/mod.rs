// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page over HTTP and WebSockets.

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

pub use server::run;
