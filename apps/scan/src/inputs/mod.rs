// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a scan examines: files, folders, lists and URLs, and copies of remote files on this machine.

mod address;
mod unavailable;
mod input;
mod numbers;
pub mod remote;
mod collect;
mod copies;

pub use address::Address;
pub use collect::collect;
pub use copies::Copies;
pub use input::Input;
pub use numbers::Numbers;
pub use unavailable::{Status, Unavailable};
