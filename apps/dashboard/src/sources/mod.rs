// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sources of this program: each has a pipeline, the newest reading, a history and records.

mod description;
pub mod graph;
pub mod hiding;
pub mod input;
pub mod live;
mod recorder;
pub mod registry;
mod retention;
pub mod source;
mod supervisor;
pub mod switches;
pub mod upload;
