// SPDX-License-Identifier: MIT OR Apache-2.0
//! The object store of an address. The stores of a server share its connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{ClientConfigKey, HttpClient, HttpConnector, ReqwestConnector};
use object_store::http::HttpBuilder;
use object_store::path::Path as Location;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use url::Url;

use super::failure;
use crate::inputs::address::Address;
use crate::inputs::unavailable::Unavailable;

/// Times that a request is repeated.
const RETRIES: usize = 3;
/// Time that a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit of a whole download: none, since its size determines its time.
const NO_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

type Store = Arc<dyn ObjectStore>;

/// A store, and where in it the file is.
pub type Place = (Store, Location);

/// The stores of a scan.
#[derive(Debug)]
pub struct Stores {
    /// Longest time without data.
    pub limit: Duration,
    buckets: Mutex<HashMap<String, Arc<AmazonS3>>>,
    clients: Mutex<HashMap<Login, HttpClient>>,
}

/// What the requests of a client have in common: the user, and whether they may be unencrypted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Login {
    is_plain: bool,
    user: String,
    password: Option<String>,
}

impl Login {
    /// The headers of each request, with the user and the password as HTTP's basic authentication.
    fn headers(&self) -> HeaderMap {
        if self.user.is_empty() && self.password.is_none() {
            return HeaderMap::new();
        }
        let login = STANDARD.encode(format!("{}:{}", self.user, self.password.as_deref().unwrap_or_default()));
        let mut value = HeaderValue::from_str(&format!("Basic {login}")).expect("base64 is ASCII");
        value.set_sensitive(true);
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(200), max_backoff: Duration::from_secs(5), base: 3.0 };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: NO_LIMIT }
}

/// Hands out a client that exists.
#[derive(Clone, Debug)]
struct Existing(HttpClient);

impl HttpConnector for Existing {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

impl Stores {
    /// Stores that give up a server that sends nothing for `limit`.
    pub fn new(limit: Duration) -> Self {
        // Fails if the program has chosen another implementation before, which also works.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { limit, buckets: Mutex::default(), clients: Mutex::default() }
    }

    /// The place of an address.
    ///
    /// # Errors
    /// If the address or the environment cannot be used.
    pub fn place(&self, address: &Address) -> Result<Place, Unavailable> {
        match address {
            Address::Web(url) => Ok((self.web(url)?, Location::default())),
            Address::Object { bucket, key } => {
                let location = Location::parse(key).map_err(|error| Unavailable::Key(error.to_string()))?;
                Ok((self.bucket(bucket)?, location))
            }
        }
    }

    /// A bucket.
    ///
    /// # Errors
    /// If its name or the environment cannot be used.
    pub fn bucket(&self, name: &str) -> Result<Arc<AmazonS3>, Unavailable> {
        if name.is_empty() || name.contains('@') {
            return Err(Unavailable::Bucket);
        }
        let mut buckets = self.buckets.lock();
        if let Some(store) = buckets.get(name) {
            return Ok(store.clone());
        }
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retries());
        for (key, time) in [
            (ClientConfigKey::Timeout, NO_LIMIT),
            (ClientConfigKey::ReadTimeout, self.limit),
            (ClientConfigKey::ConnectTimeout, CONNECT_TIMEOUT),
        ] {
            builder = builder.with_config(AmazonS3ConfigKey::Client(key), format!("{} ms", time.as_millis()));
        }
        let store = Arc::new(builder.build().map_err(|error| failure::describe(&error, self.limit))?);
        buckets.insert(name.to_owned(), store.clone());
        Ok(store)
    }

    /// A store whose only file is that of `url`.
    fn web(&self, url: &str) -> Result<Store, Unavailable> {
        let mut url = Url::parse(url).map_err(|error| Unavailable::NotAUrl(error.to_string()))?;
        let login = Login { is_plain: url.scheme() == "http", user: decoded(url.username()), password: url.password().map(decoded) };
        // Neither fails for a URL with a host, and every web URL has one.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        let client = self.client(&login)?;
        let builder = HttpBuilder::new().with_url(url).with_retry(retries()).with_http_connector(Existing(client));
        Ok(Arc::new(builder.build().map_err(|error| failure::describe(&error, self.limit))?))
    }

    fn client(&self, login: &Login) -> Result<HttpClient, Unavailable> {
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(login) {
            return Ok(client.clone());
        }
        let options = ClientOptions::new()
            .with_allow_http(login.is_plain)
            .with_timeout_disabled()
            .with_read_timeout(self.limit)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_default_headers(login.headers());
        let client = ReqwestConnector::default().connect(&options).map_err(|error| failure::describe(&error, self.limit))?;
        clients.insert(login.clone(), client.clone());
        Ok(client)
    }
}
