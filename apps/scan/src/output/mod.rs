// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the journal to what the user asked for: tables, annotations, and files with the faces drawn.

pub(crate) mod names;
mod pairs;
mod faces_by_time;
pub(crate) mod drawing;
pub(crate) mod annotate;
pub(crate) mod annotations;
pub(crate) mod join;
pub(crate) mod describe;
