// SPDX-License-Identifier: MIT OR Apache-2.0
//! Networks through ONNX Runtime: the only user of `ort`.
//!
//! The runtime's library is loaded when the first network is, from where [`SearchPath`](super::search_path::SearchPath) finds it. There is one
//! environment in a process, never dropped, telemetry off; its thread pool serves every network that does not ask for
//! threads of its own.
//!
//! A session runs one frame at a time, so every stream has its own. What can be is shared between them: the weights of a
//! model, which all sessions read in place, and the memory of intermediate results, of which there is as much as sessions
//! run at the same time.

mod provider;
mod session;
mod network;

pub use network::{Network, Outputs, TensorSpec};
pub use provider::{Provider, RunOptions};
