// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command on photos and videos of average faces.

mod annotations;
mod blurred;
mod command;
mod notebook;
mod order;
mod photos;
mod pixels;
mod queries;
mod readers;
mod record;
mod recordings;
mod sampling;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod truth;
mod where_faces;
mod workers;
