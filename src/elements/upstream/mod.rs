// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an element finds out about the elements upstream of it.

pub mod detector_watch;
pub mod picture_changes;
