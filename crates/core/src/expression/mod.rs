// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to smoothed scores of their apparent expression.

pub mod baseline;
pub mod classifier;
pub mod mouth;
pub mod scorer;
pub mod smoothing;
