// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file to upright frames.

mod structure;
mod missing;
mod frame;
mod group;
mod groups;
mod gate;
mod pictures;
mod failure;
mod limits;
mod streams;
mod timeline;
mod decoder;
mod frames;

#[cfg(test)]
pub(crate) use decoder::Decoder;
pub use failure::Failure;
pub use frame::{Chosen, Frame, Part};
pub use frames::Frames;
pub use limits::Limits;
pub(crate) use timeline::Timeline;
