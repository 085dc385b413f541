// SPDX-License-Identifier: MIT OR Apache-2.0
//! Model files: how they are described, found and run.

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
