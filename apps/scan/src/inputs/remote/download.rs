// SPDX-License-Identifier: MIT OR Apache-2.0
//! A remote file to a file on this machine.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use futures_util::StreamExt;
use object_store::{GetOptions, ObjectMeta, ObjectStore};

use super::failure;
use super::stores::Stores;
use crate::findings::FileKey;
use crate::inputs::address::Address;
use crate::inputs::input::Input;
use crate::inputs::unavailable::{Failure, Unavailable};

/// Times that a download is begun, if the server cannot continue it where the connection broke.
const ATTEMPTS: usize = 3;

/// Why a download ended.
enum Ended {
    /// Finally.
    Failed(Failure),
    /// A connection broke; this is the error if it was the last attempt.
    Broke(Unavailable),
}

/// Writes the file to the path `copy`, piece by piece.
///
/// # Errors
/// If it cannot be fetched, has changed since it was listed, or cannot be written.
pub async fn download(stores: &Stores, input: &Input, copy: &Path) -> Result<(), Failure> {
    for attempt in 1.. {
        match fetch(stores, input, copy).await {
            Err(Ended::Broke(_)) if attempt < ATTEMPTS => {}
            Err(Ended::Broke(error)) => return Err(Failure::Unavailable(error)),
            Err(Ended::Failed(failure)) => return Err(failure),
            Ok(()) => return Ok(()),
        }
    }
    Ok(())
}

async fn fetch(stores: &Stores, input: &Input, copy: &Path) -> Result<(), Ended> {
    let failed = |error| Ended::Failed(Failure::Unavailable(error));
    let disk = |error| Ended::Failed(Failure::Disk(error));
    let broke = |error: object_store::Error| {
        let reason = failure::describe(&error, stores.limit);
        if failure::is_transient(&error) { Ended::Broke(reason) } else { failed(reason) }
    };
    let address = Address::parse(&input.path()).ok_or_else(|| failed(Unavailable::NotAUrl("a path".into())))?;
    let (store, location) = stores.place(&address).map_err(failed)?;
    let found = store.get_opts(&location, GetOptions::default()).await.map_err(broke)?;
    if is_changed(&input.key, &found.meta) {
        return Err(failed(Unavailable::Changed));
    }
    let (expected, mut received) = (found.meta.size, 0);
    let mut file = File::create(copy).map_err(disk)?;
    let mut pieces = found.into_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(broke)?;
        file.write_all(&piece).map_err(disk)?;
        received += piece.len() as u64;
    }
    if received == expected { Ok(()) } else { Err(Ended::Broke(Unavailable::Short { expected, found: received })) }
}

/// True if the file is not the version that was listed. Listings give times to the millisecond, and answers to the second.
fn is_changed(listed: &FileKey, found: &ObjectMeta) -> bool {
    let is_same_version = match (&listed.etag, &found.e_tag) {
        (Some(listed), Some(found)) => **listed == **found,
        _ => listed.modified_ns.div_euclid(1_000_000_000) == found.last_modified.timestamp(),
    };
    listed.size != found.size || !is_same_version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_an_etag_or_a_time_and_a_size() {
        let found = |etag: Option<&str>, size| ObjectMeta {
            location: "a".into(),
            last_modified: Default::default(),
            size,
            e_tag: etag.map(Into::into),
            version: None,
        };
        let listed =
            |etag: Option<&str>, modified_ns| FileKey { etag: etag.map(Into::into), ..FileKey::local("a".as_ref(), 3, modified_ns) };
        assert!(!is_changed(&listed(Some("1"), 5_000_000_000), &found(Some("1"), 3)));
        assert!(is_changed(&listed(Some("1"), 0), &found(Some("2"), 3)));
        assert!(is_changed(&listed(Some("1"), 0), &found(Some("1"), 4)));
        assert!(!is_changed(&listed(None, 999_000_000), &found(Some("1"), 3)));
        assert!(is_changed(&listed(None, 1_000_000_000), &found(None, 3)));
    }
}
