// SPDX-License-Identifier: MIT OR Apache-2.0
//! Borrowed views of video frames, and sampling straight from their planes.
//!
//! A frame is never converted as a whole. Each of its three components (Y, U, V or R, G, B) is described as "every
//! `step`-th byte of plane `plane`, from `offset` on, at `1 / sub` of the resolution"; [`resample`] reads any format
//! through that description alone, and [`convert`] turns the few samples that come out into luma or RGB.

mod format;
mod colorimetry;
mod frame;
pub mod convert;
pub mod letterbox;
mod rows;
mod taps;
mod sparse;
pub mod resample;
pub mod rotate;
pub mod tensor;

pub use colorimetry::{Colorimetry, Matrix, Range};
pub(crate) use format::Component;
pub use format::PixelFormat;
pub use frame::{FrameView, Plane};
