// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs networks with ONNX Runtime. No other module uses `ort`.
//!
//! [`SearchPath`](super::search_path::SearchPath) finds the library, which is loaded together with the first network. Each
//! process has one ONNX Runtime environment. It is never dropped, has telemetry switched off, and its thread pool serves all
//! networks that do not ask for threads of their own.
//!
//! A session runs one frame at a time, so each stream has its own sessions. Sessions of one model share its weights, which
//! they read in place. All sessions share one arena for intermediate results, so memory grows with the number of sessions
//! that run at the same time, not with the number of streams.

mod provider;
mod session;
mod network;

pub use network::{Network, Outputs, TensorSpec};
pub use provider::{Provider, RunOptions};
