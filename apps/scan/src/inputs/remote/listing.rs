// SPDX-License-Identifier: MIT OR Apache-2.0
//! An address to the files there.

use futures_util::TryStreamExt;
use object_store::path::Path as Location;
use object_store::{Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::failure;
use super::stores::{Place, Stores};
use crate::findings::FileKey;
use crate::inputs::address::Address;
use crate::inputs::input::Input;
use crate::inputs::unavailable::Unavailable;

/// The files at `address`. Those of a folder are sorted by name, without hidden files. An address that cannot be looked up
/// gives one file with the error.
pub async fn look_up(stores: &Stores, address: &Address) -> Vec<Input> {
    let found = match (stores.place(address), address) {
        (Err(error), _) => Err(error),
        (Ok(place), Address::Web(_)) => single(stores, address, &place).await.map(|file| vec![file]),
        (Ok(place), Address::Object { bucket, key }) if key.is_empty() || key.ends_with('/') => {
            let files = folder(bucket, &place).await.map_err(|error| failure::describe(&error, stores.limit));
            files.and_then(|files| if files.is_empty() { Err(Unavailable::EmptyPrefix) } else { Ok(files) })
        }
        (Ok(place), Address::Object { bucket, .. }) => match single(stores, address, &place).await {
            Ok(file) => Ok(vec![file]),
            // A user may be allowed to read objects and not to list them, so this error says less than the first one.
            Err(error) => folder(bucket, &place).await.ok().filter(|files| !files.is_empty()).ok_or(error),
        },
    };
    found.unwrap_or_else(|error| vec![input(address, None, Some(error))])
}

async fn single(stores: &Stores, address: &Address, place: &Place) -> Result<Input, Unavailable> {
    let found = facts(address, place).await.map_err(|error| failure::describe(&error, stores.limit))?;
    Ok(input(address, Some(&found), None))
}

/// Size and version of a file. A web server may refuse a HEAD request or answer it with a size of 0, since a signed URL is for
/// one method.
async fn facts(address: &Address, (store, location): &Place) -> Result<ObjectMeta, Error> {
    match (store.head(location).await, address) {
        (Ok(found), Address::Object { .. }) => Ok(found),
        (Ok(found), Address::Web(_)) if found.size > 0 => Ok(found),
        (Err(error), address) if matches!(address, Address::Object { .. }) || failure::is_unreachable(&error) => Err(error),
        _ => Ok(store.get_opts(location, GetOptions::default()).await?.meta),
    }
}

/// The objects below a prefix.
async fn folder(bucket: &str, (store, prefix): &Place) -> Result<Vec<Input>, Error> {
    let (mut files, mut objects) = (Vec::new(), store.list(Some(prefix)));
    while let Some(object) = objects.try_next().await? {
        if is_hidden(prefix, &object.location) {
            continue;
        }
        // Consoles show empty folders by an object whose key ends in a slash, which the listing leaves out.
        let is_folder = object.size == 0 && matches!(store.head(&object.location).await, Err(Error::NotFound { .. }));
        if !is_folder {
            let address = Address::Object { bucket: bucket.to_owned(), key: object.location.to_string() };
            files.push(input(&address, Some(&object), None));
        }
    }
    // Local folders are sorted by the names of their entries, in which `/` comes first.
    files.sort_unstable_by(|a: &Input, b: &Input| a.key.name.split('/').cmp(b.key.name.split('/')));
    Ok(files)
}

/// True if the file or a folder below the prefix has a name that begins with a dot.
fn is_hidden(prefix: &Location, location: &Location) -> bool {
    let below = location.as_ref().strip_prefix(prefix.as_ref()).unwrap_or(location.as_ref());
    below.split('/').any(|part| part.starts_with('.'))
}

fn input(address: &Address, found: Option<&ObjectMeta>, error: Option<Unavailable>) -> Input {
    let size = found.map_or(0, |found| found.size);
    let modified_ns = found.and_then(|found| found.last_modified.timestamp_nanos_opt()).unwrap_or(0);
    let etag = found.and_then(|found| found.e_tag.as_deref().map(Into::into));
    let (name, url) = (address.name(), address.url());
    let url = (url != name).then(|| url.into());
    Input { key: FileKey { name, bytes: None, size, modified_ns, etag }, url, error: error.map(Box::new) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_objects_are_those_below_the_prefix() {
        let is_hidden = |prefix: &str, key: &str| is_hidden(&Location::parse(prefix).unwrap(), &Location::parse(key).unwrap());
        assert!(is_hidden("a", "a/.DS_Store") && is_hidden("", ".cache/b.jpg") && is_hidden(".a", ".a/b/.c/d"));
        assert!(!is_hidden(".a", ".a/b.jpg") && !is_hidden("", "a/b.jpg"));
    }
}
