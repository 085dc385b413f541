// SPDX-License-Identifier: MIT OR Apache-2.0
//! How good a model is on labelled data, measured through the product's own preprocessing.
//!
//! ```text
//! labelled pictures → condition → Classifier → scores → confusion, calibration → Report → text, JSON, SVG
//! dataset             condition                         confusion, calibration   report   report, figure
//!
//! boxed photos → detectors → boxes → average precision → Report → text, JSON
//! photos         detection           precision           detection
//! ```
//!
//! What measures ([`truth`], [`confusion`], [`calibration`], [`precision`]) does no input or output; what reads pictures and runs
//! models is behind the feature `evaluate`, and the command `emotion-evaluate` is its command line.

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
