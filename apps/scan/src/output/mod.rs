// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the journal to what the user asked for: tables, and files with the faces drawn.

mod faces_by_time;
mod drawing;
pub mod annotate;
pub(crate) mod join;
pub(crate) mod publish;

pub use join::Summary;
