// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs say to those who run them.

use std::fmt::Display;
use std::sync::Arc;

/// Writes lines to standard error, after the name of the program and, if it has several sources, of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log(Arc<str>);

impl Log {
    /// Lines that begin with `name`.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Writes a line.
    pub fn say(&self, text: impl Display) {
        eprintln!("{}: {text}", self.0);
    }
}
