// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to smoothed scores of their apparent expression.

#[cfg(feature = "onnx")]
pub mod classifier;
pub mod framing;
pub mod schedule;
#[cfg(feature = "onnx")]
pub mod scorer;
pub mod smoothing;
