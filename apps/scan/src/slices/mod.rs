// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slices of a file: where it is cut, and what is found in one of them.

mod times;
mod plan;
mod look;
mod examine;

pub use examine::{Examiner, best_direction};
pub use plan::Sampler;
