// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to their geometry: landmarks, pose and blendshapes, smoothed over time.
//!
//! | module | contents |
//! |---|---|
//! | [`estimator`] | the network: crops of faces to landmarks, pose and blendshapes |
//! | [`rest`] | blendshapes relative to the face at rest |
//! | [`smoothing`] | removes the jitter of a still face without a delay for one that moves |
//! | [`tracker`] | what callers use: keeps the geometry of all faces of a stream |

pub mod estimator;
pub mod rest;
pub mod smoothing;
pub mod tracker;
