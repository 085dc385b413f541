// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to smoothed scores of their apparent expression.
//!
//! | module | contents |
//! |---|---|
//! | `classifier` | the network: crops of faces to scores |
//! | [`mouth`] | how much a mouth speaks |
//! | `scorer` | what callers use: keeps the scores of all faces of a stream |
//! | [`smoothing`] | smoothing of scores over time, and stable labels |

pub mod classifier;
pub mod mouth;
pub mod scorer;
pub mod smoothing;
