// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces over time: when to search, tracks with stable ids, and scene cuts, which end them.

pub mod motion;
mod assignment;
pub mod tracker;
pub mod scene_cut;
pub mod finder;
