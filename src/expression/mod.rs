// SPDX-License-Identifier: MIT OR Apache-2.0
//! From boxed faces to smoothed scores of their apparent expressions.

#[cfg(feature = "onnx")]
pub mod classifier;
pub mod schedule;
#[cfg(feature = "onnx")]
pub mod scorer;
pub mod smoothing;
