// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs share that keep sources of video running: `emotion-camera`, `emotion-dashboard` and `emotion-scan`.
//!
//! | module | has |
//! |---|---|
//! | [`chain`] | the elements of the analysis, from settings |
//! | [`configuration`] | configuration files |
//! | [`setting`] | properties of elements as text |
//! | [`log`] | what programs say to those who run them |
//! | [`place`] | addresses of sources: files, devices, network cameras |
//! | [`input`] | the elements that read a source |
//! | [`rtsp`] | a network camera by RTSP |
//! | `sound` | the sound of a source |
//! | `source` | how a source is read, and where its elements are |
//! | `stream` | streams by HTTP, HLS, RTMP, SRT, UDP and RTP |
//! | [`stamp`] | what is done to each frame of a source |
//! | [`time_of_day`] | the time of day of frames, by the camera's clock or this machine's |
//! | [`arrivals`] | the times of frames of a camera whose clock runs at another rate |
//! | [`decoding`] | a decoder for video |
//! | `hardware` | hardware decoders, and the way back to software |
//! | [`encoding`] | an encoder for recordings and network streams |
//! | [`packages`] | packages of systems that have plugins of GStreamer |
//! | [`push`] | video to servers of others, and to folders for web servers |
//! | [`recording`] | recordings of equal length, each with a file of records |
//! | [`kept`] | switches, and files that keep them over a restart |
//! | [`run`] | runs a pipeline until it ends, fails or stalls |
//! | [`backoff`] | pauses between attempts |
//! | [`progress`] | counts of frames and faces, and the time of the last frame |
//! | [`memory`] | heaps that threads share |
//! | [`metrics`] | text for Prometheus |
//! | `units` | pictures of H.264 and H.265 that no other one needs |
//! | [`secret`] | the rule that viewers on other machines need a secret |

pub mod arrivals;
pub mod backoff;
pub mod chain;
pub mod configuration;
pub mod decoding;
pub mod encoding;
mod hardware;
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
pub mod secret;
pub mod setting;
mod sound;
mod source;
pub mod stamp;
mod stream;
pub mod time_of_day;
mod units;
