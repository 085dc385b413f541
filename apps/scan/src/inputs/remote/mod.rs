// SPDX-License-Identifier: MIT OR Apache-2.0
//! Inputs on web servers and in object stores. Only [`Client`] uses the network, and only with the cargo feature `remote`.

#[cfg(feature = "remote")]
mod failure;
#[cfg(feature = "remote")]
mod stores;
#[cfg(feature = "remote")]
mod listing;
#[cfg(feature = "remote")]
mod download;
#[cfg(feature = "remote")]
mod client;
#[cfg(feature = "remote")]
pub use client::Client;

#[cfg(not(feature = "remote"))]
mod absent;
#[cfg(not(feature = "remote"))]
pub use absent::Client;
