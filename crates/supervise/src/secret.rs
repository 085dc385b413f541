// SPDX-License-Identifier: MIT OR Apache-2.0
//! A rule of the dashboard and of emotion-camera: if other machines can connect, viewers need a secret.

use std::net::SocketAddr;

use thiserror::Error;

/// Minimum length of a secret.
const MIN_CHARACTERS: usize = 16;

/// Why a program does not listen.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum SecretError {
    /// The secret has characters that a URL would escape.
    #[error("a token may have letters, digits and - _ . ~ only")]
    Characters,
    #[error("a token needs at least {MIN_CHARACTERS} characters, this one has {0}")]
    Short(usize),
    /// Other machines can connect, and there is no secret.
    #[error("other machines can reach {listen}: set a secret with {option}")]
    Missing { listen: SocketAddr, option: &'static str },
}

/// Checks the secret `token` of a program that listens on `listen`. `option` is the option that sets it.
///
/// # Errors
/// If other machines can connect and there is no secret, or if the secret is too short or has characters that a URL would
/// escape.
pub fn check(listen: SocketAddr, token: Option<&str>, option: &'static str) -> Result<(), SecretError> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    match token {
        // URLs and headers carry the token unescaped.
        Some(token) if !token.bytes().all(is_unreserved) => Err(SecretError::Characters),
        Some(token) if token.len() < MIN_CHARACTERS => Err(SecretError::Short(token.len())),
        None if !listen.ip().is_loopback() => Err(SecretError::Missing { listen, option }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_need_no_secret() {
        let check = |listen: &str, token| check(listen.parse().unwrap(), token, "--token");
        let good = Some("0123456789abcdef");
        for listen in ["127.0.0.1:80", "[::1]:80", "127.9.9.9:1"] {
            assert_eq!((check(listen, None), check(listen, good)), (Ok(()), Ok(())), "{listen}");
        }
        for listen in ["0.0.0.0:80", "[::]:80", "192.168.1.7:80", "[::ffff:127.0.0.1]:80"] {
            assert!(check(listen, None).unwrap_err().to_string().contains("--token"), "{listen}");
            assert_eq!(check(listen, good), Ok(()), "{listen}");
        }
        assert_eq!(check("127.0.0.1:80", Some("short")), Err(SecretError::Short(5)));
        assert!(SecretError::Short(5).to_string().contains("at least 16 characters"));
        assert_eq!(check("127.0.0.1:80", Some("0123456789abcde;")), Err(SecretError::Characters));
        assert_eq!(check("127.0.0.1:80", Some("")), Err(SecretError::Short(0)));
    }
}
