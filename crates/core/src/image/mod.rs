// SPDX-License-Identifier: MIT OR Apache-2.0
//! Borrowed views of video frames, and sampling directly from their planes.
//!
//! A frame is never converted as a whole. Each of its three components (Y, U, V or R, G, B) is described as "every
//! `step`-th byte of plane `plane`, starting at `offset`, at `1 / sub` of the resolution". [`resample`] reads every
//! format through this description, and [`convert`] turns only the sampled values into luma or RGB.

mod format;
mod colorimetry;
mod frame;
pub mod convert;
pub mod tone;
pub mod letterbox;
mod rows;
mod taps;
mod sparse;
pub mod cells;
pub mod resample;
pub mod rotate;
pub mod tensor;
pub mod turned;

pub use colorimetry::{Colorimetry, Matrix, Range, Transfer};
pub use format::{Component, PixelFormat};
pub use frame::{FrameView, Plane};
