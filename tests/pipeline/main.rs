// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whole launch lines, the scripts of `pipelines/`, and the commands of the documentation.

mod blur;
mod chain;
mod docs;
mod embed;
mod end_to_end;
mod errors;
mod export;
mod geometry;
mod install;
#[cfg(feature = "v1_24")]
mod interop;
mod moved;
mod names;
mod onvif;
#[cfg(feature = "v1_28")]
mod neighbours;
mod recipes;
mod recipes_clips;
mod recorders;
mod release;
mod survival;
