// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces over time: which frames are searched, tracks with stable ids, and scene cuts, which end all tracks.
//!
//! | module | contents |
//! |---|---|
//! | [`motion`] | one track: position, velocity, and when its face is due |
//! | `assignment` | which detection continues which track |
//! | [`tracker`] | all tracks of a stream, and their ids |
//! | [`scene_cut`] | detection of scene cuts |
//! | [`finder`] | what callers use: schedules searches and gives the faces of each frame |

pub mod motion;
mod assignment;
pub mod tracker;
pub mod scene_cut;
pub mod finder;
