// SPDX-License-Identifier: MIT OR Apache-2.0
//! One element at a time with pushed buffers: caps, metadata, properties, events.

mod async_mode;
mod emotionclassify;
mod events;
mod export;
mod facedetect;
mod facelandmarks;
mod frames;
mod overlay;
mod promised;
#[cfg(feature = "publish")]
mod publish;
mod registration;
#[cfg(feature = "v1_28")]
mod tensor_decoders;
mod tiles;
