// SPDX-License-Identifier: MIT OR Apache-2.0
//! The results of finished slices on disk, so that a killed scan continues.

mod index;
mod lock;

pub(crate) use index::write_whole;
pub use index::{Entry, Journal, Location, Log};
pub(crate) use lock::LockedFolder;
