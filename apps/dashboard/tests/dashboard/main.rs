// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program with clips, cameras, browsers and a broker.

mod browser;
mod clients;
mod fleet;
mod limits;
mod privacy;
mod settings;
mod sources;
mod support;
mod v1;
