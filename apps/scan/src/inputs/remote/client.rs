// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lists and downloads remote files for threads that wait.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};

use super::stores::Stores;
use super::{download, listing};
use crate::error::Error;
use crate::inputs::address::Address;
use crate::inputs::input::Input;
use crate::inputs::unavailable::Failure;

/// Addresses that are looked up at the same time.
const LOOKUPS: usize = 16;

/// The connections to all servers.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    stores: Stores,
}

impl Client {
    /// A client that gives up a server that sends nothing for `limit`. It connects when it is asked for a file.
    pub fn new(limit: Duration) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(Error::NetworkThread)?;
        Ok(Self { runtime, stores: Stores::new(limit) })
    }

    /// The files at each of these addresses, sorted like those of a local folder. An address that cannot be looked up gives one
    /// file with the error.
    pub fn list(&self, addresses: &[Address]) -> Vec<Vec<Input>> {
        let lookups = addresses.iter().map(|address| listing::look_up(&self.stores, address));
        self.runtime.block_on(futures_util::stream::iter(lookups).buffered(LOOKUPS).collect())
    }

    /// Downloads a file to the path `copy`.
    ///
    /// # Errors
    /// If it cannot be fetched, has changed since it was listed, or cannot be written.
    pub fn download(&self, input: &Input, copy: &Path) -> Result<(), Failure> {
        self.runtime.block_on(download::download(&self.stores, input, copy))
    }
}
