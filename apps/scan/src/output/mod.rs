// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the journal to what the user asked for, besides the tables.

pub mod annotate;
