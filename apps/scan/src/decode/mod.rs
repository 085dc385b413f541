// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file to upright frames.

mod structure;
mod missing;
mod streams;
mod timeline;
mod decoder;
pub mod orientation;

pub use decoder::{Decoder, Failure, Frame};
