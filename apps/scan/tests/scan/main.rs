// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command on photos and videos of average faces.

mod command;
mod order;
mod queries;
mod readers;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod workers;
