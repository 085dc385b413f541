// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces over time: which frames are searched, tracks with stable ids, and scene cuts, which end all tracks.

pub mod motion;
mod assignment;
pub mod tracker;
mod samples;
mod dissolve;
pub mod scene_cut;
pub mod change;
pub mod search;
pub mod finder;
