// SPDX-License-Identifier: MIT OR Apache-2.0
//! Crops of faces as the input of a network, and what is kept of its results from frame to frame.
//!
//! | module | contents |
//! |---|---|
//! | [`face_change`] | whether a face looks as it did when it was last analysed |
//! | [`framing`] | the square that is cropped for a face |
//! | `network` | runs a network on the crops of a frame, in batches |
//! | [`results`] | which faces are analysed on a frame, and the results of all faces of a stream |
//! | [`schedule`] | the order of the faces if there are more than the budget allows |

pub mod face_change;
pub mod framing;
pub mod network;
pub mod results;
pub mod schedule;
