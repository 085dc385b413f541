// SPDX-License-Identifier: MIT OR Apache-2.0
//! Model files: how they are described, found and run.
//!
//! | module | contents |
//! |---|---|
//! | [`description`] | the schema of `model.toml` |
//! | [`file`](mod@file) | an ONNX file with its description and checksum |
//! | [`search_path`] | where ONNX Runtime and models are looked up |
//! | `embedded` | models that are compiled in |
//! | `preset` | descriptions of well-known expression models |
//! | [`onnx`] | edits that some ONNX files need before they run |
//! | `external` | weights that an ONNX file stores in other files |
//! | `check` | validation of a description's values |
//! | `runtime` | ONNX Runtime: the only user of `ort` |

mod check;
pub mod description;
mod external;
pub mod file;
pub mod search_path;
pub mod embedded;
pub mod preset;
pub mod onnx;
pub mod runtime;

pub use description::*;
pub use file::ModelFile;
