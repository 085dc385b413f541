// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evaluation of models on labelled data, with the preprocessing of the GStreamer elements.
//!
//! ```text
//! labelled pictures → condition → Classifier → scores → confusion, calibration → Report → text, JSON, SVG
//! dataset             condition                         confusion, calibration   report   report, figure
//!
//! boxed photos → detectors → boxes → average precision → Report → text, JSON
//! photos         detection           precision           detection
//! ```
//!
//! The metrics ([`truth`], [`confusion`], [`calibration`], [`precision`]) do no input or output. The modules that read
//! pictures and run models require the feature `evaluate`; the command `emotion-evaluate` calls them.

pub mod calibration;
pub mod confusion;
pub mod precision;
pub mod truth;

#[cfg(feature = "evaluate")]
pub mod condition;
#[cfg(feature = "evaluate")]
pub mod dataset;
#[cfg(feature = "evaluate")]
pub mod detection;
#[cfg(feature = "evaluate")]
pub mod expression;
#[cfg(feature = "evaluate")]
pub mod figure;
#[cfg(feature = "evaluate")]
pub mod photos;
#[cfg(feature = "evaluate")]
pub mod report;
