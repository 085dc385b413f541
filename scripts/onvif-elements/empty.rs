// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nothing. Cargo builds the dependency.
