// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces over time: which frames are searched, tracks with stable ids, and scene cuts, which end all tracks.
//!
//! | module | contents |
//! |---|---|
//! | [`motion`] | one track: position, velocity, and when its face is due |
//! | `assignment` | which detection continues which track |
//! | [`tracker`] | all tracks of a stream, and their ids |
//! | `dissolve` | detection of shots that fade into each other |
//! | [`scene_cut`] | detection of scene cuts |
//! | [`change`] | what changed since the last search |
//! | [`search`] | the search of one frame, or of a part of it |
//! | [`finder`] | what callers use: schedules searches and gives the faces of each frame |

pub mod motion;
mod assignment;
pub mod tracker;
mod samples;
mod dissolve;
pub mod scene_cut;
pub mod change;
pub mod search;
pub mod finder;
