// SPDX-License-Identifier: MIT OR Apache-2.0
//! URLs of inputs, and the parts of them that may be shown.

use std::path::Path;

/// Replaces a secret.
const HIDDEN: &str = "***";
/// Parts of the names of parameters whose values are secret, such as `X-Amz-Signature`, `access_token` and `AWSAccessKeyId`.
const SECRET_NAMES: [&str; 12] = ["sig", "token", "secret", "pass", "pwd", "key", "auth", "cred", "session", "policy", "hmac", "code"];
/// Longer values of parameters may be secrets under any name.
const SHOWN_VALUE_CHARS: usize = 16;
/// Longest extension of a file.
const EXTENSION_CHARS: usize = 8;

/// Where a remote file or folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A file on a web server, by its whole URL.
    Web(String),
    /// An object, or all objects below a prefix.
    Object {
        /// The bucket.
        bucket: String,
        /// The key. The key of a folder ends in `/` or is empty.
        key: String,
    },
}

impl Address {
    /// The address of an input; `None` for a local path.
    pub fn parse(path: &Path) -> Option<Self> {
        let text = path.to_str()?;
        let (scheme, rest) = text.split_once("://")?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => Some(Self::Web(text.to_owned())),
            "s3" => {
                let (bucket, key) = split_host(rest);
                let key = key.strip_prefix('/').unwrap_or_default();
                Some(Self::Object { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            _ => None,
        }
    }

    /// The URL, secrets included.
    pub fn url(&self) -> String {
        match self {
            Self::Web(url) => url.clone(),
            Self::Object { bucket, key } => format!("s3://{bucket}/{key}"),
        }
    }

    /// The URL without secrets. User names, passwords and signatures are replaced by `***`.
    pub fn name(&self) -> String {
        match self {
            Self::Web(url) => without_secrets(url),
            Self::Object { bucket, key } => format!("s3://{}/{key}", without_user(bucket)),
        }
    }

    /// The extension of the file, such as `jpg`; empty if it has none.
    pub fn extension(&self) -> &str {
        let path = match self {
            Self::Web(url) => url.split(['?', '#']).next().unwrap_or_default(),
            Self::Object { key, .. } => key,
        };
        let (_, extension) = path.rsplit('/').next().unwrap_or_default().rsplit_once('.').unwrap_or_default();
        let is_usual = extension.len() <= EXTENSION_CHARS && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_usual { extension } else { "" }
    }
}

/// A URL of a web server without user, password, signature and other secrets, and without the part that is not sent.
fn without_secrets(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (host, path) = split_host(rest);
    let query = query.map(|query| query.split('&').map(shown_parameter).collect::<Vec<_>>().join("&"));
    format!("{scheme}://{}{path}{}", without_user(host), query.map_or(String::new(), |query| format!("?{query}")))
}

/// The host or bucket, with the user and password before it, and the path from its slash on. A password may have a slash, as keys
/// of S3 do: the text before the slash then ends in no port, and an `@` follows.
fn split_host(rest: &str) -> (&str, &str) {
    let first = rest.split('/').next().unwrap_or_default();
    let port = first.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
    let user = if first.contains('@') || is_port { None } else { rest.rfind('@') };
    let host = user.map_or(0, |at| at + 1);
    rest.split_at(rest[host..].find('/').map_or(rest.len(), |slash| host + slash))
}

/// A host or bucket without the user and the password before it.
fn without_user(host: &str) -> String {
    host.rsplit_once('@').map_or(host.to_owned(), |(_, host)| format!("{HIDDEN}@{host}"))
}

fn shown_parameter(parameter: &str) -> String {
    let (name, value) = parameter.split_once('=').unwrap_or(("", parameter));
    let lower = name.to_ascii_lowercase();
    let is_secret = value.len() > SHOWN_VALUE_CHARS || SECRET_NAMES.iter().any(|secret| lower.contains(secret));
    if is_secret && !value.is_empty() { format!("{name}{}{HIDDEN}", if name.is_empty() { "" } else { "=" }) } else { parameter.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Address> {
        Address::parse(Path::new(text))
    }

    #[test]
    fn urls_are_recognised_and_paths_are_not() {
        let object = |bucket: &str, key: &str| Some(Address::Object { bucket: bucket.into(), key: key.into() });
        assert_eq!(parse("s3://clips/a/b c#1.mp4"), object("clips", "a/b c#1.mp4"));
        assert_eq!(parse("S3://clips/a/"), object("clips", "a/"));
        assert_eq!(parse("s3://clips"), object("clips", ""));
        assert_eq!(parse("https://host/a.jpg"), Some(Address::Web("https://host/a.jpg".into())));
        for path in ["/data/a.jpg", "s3/a.jpg", "./http://host/a.jpg", "ftp://host/a.jpg", "file:///a.jpg", "http:/host"] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn names_have_no_secrets() {
        for (url, name) in [
            ("https://host/a.jpg", "https://host/a.jpg"),
            ("https://me:pa@ss@host:81/a.jpg", "https://***@host:81/a.jpg"),
            ("https://host/a.jpg?id=7&Token=abc&v=", "https://host/a.jpg?id=7&Token=***&v="),
            (
                "https://h/a?X-Amz-Credential=AK%2F1&X-Amz-Expires=60&X-Amz-Signature=0f",
                "https://h/a?X-Amz-Credential=***&X-Amz-Expires=60&X-Amz-Signature=***",
            ),
            ("https://h/a?st=0123456789abcdefg", "https://h/a?st=***"),
            ("https://h/a?0123456789abcdefg#part", "https://h/a?***"),
            ("https://h?password=x", "https://h?password=***"),
            ("s3://clips/a?token=b", "s3://clips/a?token=b"),
            ("s3://AK:secret@clips/a", "s3://***@clips/a"),
            ("https://me:pa/SECRET@host/a", "https://***@host/a"),
            ("https://me:pa/SE/CR@ET@host", "https://***@host"),
            ("s3://AKIA:ab/SECRET@clips/a.jpg", "s3://***@clips/a.jpg"),
            ("https://host:81/a@b.jpg", "https://host:81/a@b.jpg"),
            ("https://[::1]/a@b.jpg", "https://[::1]/a@b.jpg"),
        ] {
            assert_eq!(parse(url).unwrap().name(), name);
        }
    }

    #[test]
    fn extensions_are_those_of_the_file() {
        for (url, extension) in [
            ("https://host/a.jpg?x=b.png", "jpg"),
            ("https://host/a", ""),
            ("https://host.org", "org"),
            ("s3://clips/a.b/c.MP4", "MP4"),
            ("s3://clips/a.b/c", ""),
            ("s3://clips/a.m p", ""),
        ] {
            assert_eq!(parse(url).unwrap().extension(), extension, "{url}");
        }
    }
}
