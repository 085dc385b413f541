// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes the place of the client in a program without the feature `remote`.

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::inputs::address::Address;
use crate::inputs::input::Input;
use crate::inputs::unavailable::Failure;

/// The client, which this program does not have.
#[derive(Debug)]
pub enum Client {}

impl Client {
    /// Says how to build a program with a client.
    pub fn new(_limit: Duration) -> Result<Self, Error> {
        Err(Error::NoRemoteInputs)
    }

    /// Is never called, since a client does not exist.
    pub fn list(&self, _addresses: &[Address]) -> Vec<Vec<Input>> {
        match *self {}
    }

    /// Is never called, since a client does not exist.
    pub fn download(&self, _input: &Input, _copy: &Path) -> Result<(), Failure> {
        match *self {}
    }
}
