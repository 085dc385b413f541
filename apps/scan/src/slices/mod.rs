// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slices of a file: where it is cut, and what is found in one of them.

pub mod plan;
pub mod spans;
pub mod inspect;
mod look;
pub mod examine;
