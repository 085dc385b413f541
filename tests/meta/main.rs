// SPDX-License-Identifier: MIT OR Apache-2.0
//! Metadata on buffers: what is written is read back.

#[cfg(feature = "v1_24")]
mod dlstreamer;
mod encodings;
mod geometry;
mod promised;
