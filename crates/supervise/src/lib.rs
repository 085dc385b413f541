// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs share that keep sources of video running: `emotion-camera`, `emotion-dashboard` and `emotion-scan`.

pub mod arrivals;
pub mod backoff;
pub mod chain;
pub mod configuration;
pub mod decoding;
pub mod encoding;
mod hardware;
pub mod hiding;
pub mod input;
pub mod kept;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod packages;
pub mod place;
pub mod progress;
pub mod push;
pub mod recording;
pub mod rtsp;
pub mod run;
pub mod samples;
pub mod secret;
pub mod setting;
mod sound;
mod source;
pub mod stamp;
mod stream;
pub mod time_of_day;
mod units;
