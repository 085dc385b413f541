// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to smoothed scores of their apparent expression.
//!
//! | module | contents |
//! |---|---|
//! | [`baseline`] | how a face looks at rest |
//! | `classifier` | the network: crops of faces to scores |
//! | [`mouth`] | how much a mouth speaks |
//! | `scorer` | what callers use: keeps the scores of all faces of a stream |
//! | [`smoothing`] | smoothing of scores over time, and stable labels |

pub mod baseline;
pub mod classifier;
pub mod mouth;
pub mod scorer;
pub mod smoothing;
