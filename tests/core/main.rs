// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stages of a frame without GStreamer: against references from Python, and with random input.

mod batches;
mod detectors;
mod draw;
mod export;
mod expression;
mod image;
mod landmarker;
mod mot;
mod motion_gate;
mod presets;
mod tracker;
mod truth_film;
