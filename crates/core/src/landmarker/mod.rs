// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to their geometry: landmarks, pose and blendshapes, smoothed over time.

pub mod estimator;
pub mod rest;
pub mod smoothing;
pub mod tracker;
