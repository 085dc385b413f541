// SPDX-License-Identifier: MIT OR Apache-2.0
//! An address to the files there.

use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Error as NoPath;
use object_store::{Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::failure;
use super::stores::{Place, Stores};
use crate::findings::FileKey;
use crate::inputs::address::Address;
use crate::inputs::input::Input;
use crate::inputs::unavailable::Unavailable;

/// Number of keys in a page, the most that S3 gives.
const PAGE_KEYS: usize = 1_000;
/// A page with a key that is refused is asked for again with so many times fewer keys.
const FEWER: usize = 8;

/// The files at `address`. Those of a folder are sorted by name, without hidden files. An address that cannot be looked up
/// gives one file with the error.
pub async fn look_up(stores: &Stores, address: &Address) -> Vec<Input> {
    let found = match (stores.place(address), address) {
        (Err(error), _) => Err(error),
        (Ok(place), Address::Web(_)) => single(stores, address, &place).await.map(|file| vec![file]),
        (Ok(place), Address::Object { bucket, key }) if key.is_empty() || key.ends_with('/') => {
            let files = folder(stores, bucket, &place).await;
            files.and_then(|files| if files.is_empty() { Err(Unavailable::EmptyPrefix) } else { Ok(files) })
        }
        (Ok(place), Address::Object { bucket, .. }) => match single(stores, address, &place).await {
            Ok(file) => Ok(vec![file]),
            // A user may be allowed to read objects and not to list them, so this error says less than the first one.
            Err(error) => folder(stores, bucket, &place).await.ok().filter(|files| !files.is_empty()).ok_or(error),
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

/// The files below a prefix. A key that is no path, such as `a//b`, gives a file with the error.
async fn folder(stores: &Stores, bucket: &str, (store, prefix): &Place) -> Result<Vec<Input>, Unavailable> {
    let failed = |error| failure::describe(&error, stores.limit);
    let prefix = Some(prefix.to_string()).filter(|prefix| !prefix.is_empty()).map(|prefix| prefix + "/").unwrap_or_default();
    let listed = objects(&*stores.bucket(bucket)?, &prefix).await.map_err(failed)?;
    let address = |key: &str| Address::Object { bucket: bucket.to_owned(), key: key.to_owned() };
    let refused = listed.refused.iter().filter(|(key, _)| !is_hidden(&prefix, key));
    let mut files: Vec<Input> = refused.map(|(key, error)| input(&address(key), None, Some(Unavailable::Key(error.clone())))).collect();
    for object in listed.objects.into_iter().filter(|object| !is_hidden(&prefix, object.location.as_ref())) {
        // Consoles show empty folders by an object whose key ends in a slash, which the listing leaves out.
        let is_folder = object.size == 0 && matches!(store.head(&object.location).await, Err(Error::NotFound { .. }));
        if !is_folder {
            files.push(input(&address(object.location.as_ref()), Some(&object), None));
        }
    }
    // Local folders are sorted by the names of their entries, in which `/` comes first.
    files.sort_unstable_by(|a: &Input, b: &Input| a.key.name.split('/').cmp(b.key.name.split('/')));
    Ok(files)
}

/// What a bucket has below a prefix.
#[derive(Debug, Default)]
struct Listed {
    objects: Vec<ObjectMeta>,
    /// Keys that the client refuses, and why.
    refused: Vec<(String, String)>,
}

/// All objects whose keys begin with `prefix`. A page with a key that is no path is refused as a whole, so smaller pages are asked for,
/// until the key is alone, and then those after it.
async fn objects(store: &dyn PaginatedListStore, prefix: &str) -> Result<Listed, Error> {
    let (mut listed, mut keys) = (Listed::default(), PAGE_KEYS);
    let mut from = PaginatedListOptions::default();
    loop {
        let options = PaginatedListOptions { max_keys: Some(keys), ..from.clone() };
        match store.list_paginated(Some(prefix).filter(|prefix| !prefix.is_empty()), options).await {
            Ok(page) => {
                listed.objects.extend(page.result.objects);
                let Some(token) = page.page_token else { return Ok(listed) };
                from = PaginatedListOptions { page_token: Some(token), ..Default::default() };
                keys = (keys * FEWER).min(PAGE_KEYS);
            }
            Err(Error::InvalidPath { .. }) if keys > 1 => keys /= FEWER.min(keys),
            Err(Error::InvalidPath { source }) => {
                let reason = source.to_string();
                let (NoPath::EmptySegment { path } | NoPath::BadSegment { path, .. }) = source else { return Err(source.into()) };
                from = PaginatedListOptions { offset: Some(path.clone()), ..Default::default() };
                listed.refused.push((path, reason));
            }
            Err(error) => return Err(error),
        }
    }
}

/// True if the file or a folder below the prefix has a name that begins with a dot, or if the key is that of a folder.
fn is_hidden(prefix: &str, key: &str) -> bool {
    let below = key.strip_prefix(prefix).unwrap_or(key);
    below.split('/').any(|part| part.starts_with('.')) || below.ends_with('/')
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
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use object_store::ListResult;
    use object_store::list::PaginatedListResult;

    use super::*;

    #[test]
    fn hidden_objects_are_those_below_the_prefix() {
        assert!(
            is_hidden("a/", "a/.DS_Store") && is_hidden("", ".cache/b.jpg") && is_hidden(".a/", ".a/b/.c/d") && is_hidden("a/", "a/b//")
        );
        assert!(!is_hidden(".a/", ".a/b.jpg") && !is_hidden("", "a/b.jpg"));
    }

    /// A bucket with these keys, in their order.
    struct Bucket(Vec<String>, AtomicUsize);

    impl PaginatedListStore for Bucket {
        fn list_paginated<'a, 'b, 'c>(
            &'a self,
            prefix: Option<&'b str>,
            options: PaginatedListOptions,
        ) -> Pin<Box<dyn Future<Output = object_store::Result<PaginatedListResult>> + Send + 'c>>
        where
            'a: 'c,
            'b: 'c,
        {
            self.1.fetch_add(1, Ordering::Relaxed);
            let after = options.page_token.or(options.offset).unwrap_or_default();
            let mut keys = self.0.iter().filter(|key| key.starts_with(prefix.unwrap_or_default()) && **key > after);
            let page: Vec<&String> = keys.by_ref().take(options.max_keys.unwrap()).collect();
            let page_token = keys.next().and(page.last()).map(ToString::to_string);
            let object = |key: &&String| {
                let location = object_store::path::Path::parse(key.as_str())?;
                Ok(ObjectMeta { location, last_modified: Default::default(), size: 1, e_tag: None, version: None })
            };
            let objects = page.iter().map(object).collect::<Result<Vec<_>, Error>>();
            let result = objects.map(|objects| ListResult { objects, common_prefixes: Vec::new(), extensions: Default::default() });
            Box::pin(std::future::ready(result.map(|result| PaginatedListResult { result, page_token })))
        }
    }

    #[test]
    fn a_key_that_is_no_path_does_not_hide_the_others() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut keys: Vec<String> = (0..2_500).map(|number| format!("in/{number:04}.jpg")).collect();
        keys.extend(["in//a.jpg", "in//b.jpg", "in/0700//c.jpg", "in/2499.jpg/../d.jpg", "other.jpg"].map(String::from));
        keys.sort();
        let bucket = Bucket(keys, AtomicUsize::new(0));
        let listed = runtime.block_on(objects(&bucket, "in/")).unwrap();
        assert_eq!(listed.objects.len(), 2_500);
        let refused: Vec<&str> = listed.refused.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(refused, ["in//a.jpg", "in//b.jpg", "in/0700//c.jpg", "in/2499.jpg/../d.jpg"]);
        assert!(listed.refused[0].1.contains("empty path segment") && bucket.1.load(Ordering::Relaxed) < 100, "{:?}", bucket.1);
    }
}
