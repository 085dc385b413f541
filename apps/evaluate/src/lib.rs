// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evaluation of models on labelled data, with the preprocessing of the GStreamer elements.
//!
//! ```text
//! labelled pictures → condition → Classifier → scores → confusion, calibration → Report → text, JSON, SVG
//! dataset             condition                         confusion, calibration   report   report, figure
//!
//! boxed photos → detectors → boxes → average precision → Report → text, JSON
//! photos         detection           precision           detection
//!
//! ratings, table of emotion-scan → segments → kappa, alpha, ICC → Report → text, JSON, SVG
//! agreement::{ratings, faces}      segments    kappa, alpha, icc  report    report, figure
//! ```
//!
//! The metrics ([`truth`], [`confusion`], [`calibration`], [`precision`]) do no input or output. The program `emotion-evaluate`
//! calls [`expression::evaluate`], [`detection::evaluate`] and [`agreement::evaluate`].

pub mod error;
pub mod truth;
pub mod calibration;
pub mod confusion;
pub mod precision;
pub mod dataset;
pub mod photos;
pub mod condition;
pub mod report;
pub mod figure;
pub mod expression;
pub mod detection;
pub mod agreement;
mod program;

pub use program::{command, main};
