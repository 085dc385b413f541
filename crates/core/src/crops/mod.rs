// SPDX-License-Identifier: MIT OR Apache-2.0
//! Crops of faces as the input of a network, and what is kept of its results from frame to frame.

pub mod face_change;
pub mod framing;
pub mod network;
pub mod results;
pub mod schedule;
