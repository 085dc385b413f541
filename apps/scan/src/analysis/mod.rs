// SPDX-License-Identifier: MIT OR Apache-2.0
//! A frame to faces, with the elements of the plugin.

mod analyser;
pub mod elements;
pub mod properties;

pub use analyser::{Analyser, Faces, start_elements};
