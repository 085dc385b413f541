// SPDX-License-Identifier: MIT OR Apache-2.0
//! Photos and animations as upright pictures of 8 bits, for programs that look for faces in them.
//!
//! ```text
//! file ──▶ format ──▶ photo: decode, alpha over white, turn upright ──▶ frame ──▶ elements
//!             └─────▶ stream: ordinary JPEG, and what only GStreamer reads
//! ```
//!
//! A module uses those above it.
//!
//! libjpeg-turbo, which GStreamer's `jpegdec` uses, decodes a JPEG of 12 megapixels three times as fast as the decoder of the
//! crate `image`. So GStreamer decodes ordinary JPEGs, and this crate the others.

pub mod limits;
pub mod format;
pub mod error;
pub mod jpeg;
pub mod tiff;
pub mod timing;
pub mod picture;
#[cfg(feature = "heif")]
mod heif;
pub mod orientation;
pub mod photo;
pub mod frame;
pub mod reading;
pub mod source;

pub use error::Error;
pub use format::Format;
pub use image::metadata::Orientation;
pub use photo::{Facts, Photo, Timed};
pub use picture::Picture;
pub use reading::{Reading, Stream};
