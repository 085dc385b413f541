// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stages of a frame without GStreamer: against references from Python, and with random input.

#[cfg(feature = "onnx")]
mod detectors;
#[cfg(feature = "draw")]
mod draw;
mod export;
#[cfg(feature = "onnx")]
mod expression;
mod image;
#[cfg(feature = "onnx")]
mod landmarker;
mod mot;
mod motion_gate;
#[cfg(feature = "onnx")]
mod presets;
mod tracker;
