// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs networks with ONNX Runtime. No other module uses `ort`.
//!
//! [`SearchPath`](super::search_path::SearchPath) finds the library, which is loaded together with the first network. Each
//! process has one ONNX Runtime environment. It is never dropped, has telemetry switched off, and its thread pool serves all
//! networks that do not ask for threads of their own.
//!
//! A session runs one frame at a time. The streams of a process share a pool of sessions for each model, with at most one
//! session for each core. Sessions of one model share its weights, which they read in place, and all sessions share one arena
//! for intermediate results. So memory grows with the number of frames that are analysed at the same time, not with the number
//! of streams.

mod batch;
mod instance;
mod network;
mod outputs;
mod plugin;
mod pool;
mod provider;
mod session;
#[cfg(target_os = "linux")]
mod vulkan;

pub use network::Network;
pub use outputs::{Outputs, TensorSpec};
pub use provider::{Execution, Plugin, Provider, RunOptions};
pub use session::{Library, library, switch_off_telemetry};
