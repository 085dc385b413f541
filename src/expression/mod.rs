// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to smoothed scores of their apparent expression.
//!
//! | module | contents |
//! |---|---|
//! | `classifier` | the network: crops of faces to scores |
//! | [`face_change`] | whether a face looks as it did when it was classified |
//! | [`framing`] | the square that is cropped for a face |
//! | [`mouth`] | how much a mouth speaks |
//! | [`schedule`] | which faces are classified on a frame |
//! | `scorer` | what callers use: keeps the scores of all faces of a stream |
//! | [`smoothing`] | smoothing of scores over time, and stable labels |

#[cfg(feature = "onnx")]
pub mod classifier;
pub mod face_change;
pub mod framing;
pub mod mouth;
pub mod schedule;
#[cfg(feature = "onnx")]
pub mod scorer;
pub mod smoothing;
