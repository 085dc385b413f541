// SPDX-License-Identifier: MIT OR Apache-2.0
//! Model files: what they are, where they are found, and how they are run.
//!
//! | module | does |
//! |---|---|
//! | [`description`] | the schema of `model.toml`, and an ONNX file with its checksum |
//! | [`search_path`] | where ONNX Runtime and models are looked for |
//! | [`onnx`] | the few edits that an ONNX graph needs before it is run |
//! | `runtime` | ONNX Runtime: the only user of `ort` |
//! | `preset` | descriptions of well-known expression models |

mod check;
pub mod description;
mod external;
pub mod onnx;
#[cfg(feature = "onnx")]
pub mod preset;
#[cfg(feature = "onnx")]
pub mod runtime;
pub mod search_path;

pub use description::*;
