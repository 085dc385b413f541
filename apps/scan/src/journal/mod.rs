// SPDX-License-Identifier: MIT OR Apache-2.0
//! The results of finished slices on disk, so that a killed scan continues.

mod lock;
mod log;
mod state;
mod index;

pub use index::Journal;
pub(crate) use lock::LockedFolder;
pub use log::{Entry, Log};
