// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program with cameras, clients and a broker.

mod control;
mod cost;
mod fleet;
mod geometry;
mod homeassistant;
mod many;
mod onvif;
mod pushed;
mod recorded;
mod recordings;
mod rtsp;
mod service;
mod soak;
mod sound;
mod sources;
mod support;
mod undecoded;
mod unit;
mod zoo;
