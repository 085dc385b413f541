// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces over time: tracks with stable ids, and scene cuts, which end them.

pub mod scene_cut;
pub mod tracker;
