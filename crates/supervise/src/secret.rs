// SPDX-License-Identifier: MIT OR Apache-2.0
//! A rule of the dashboard and of emotion-camera: if other machines can connect, viewers need a secret.

use std::net::SocketAddr;

/// Minimum length of a secret.
const MIN_CHARACTERS: usize = 16;

/// Checks the secret `token` of a program that listens on `listen`. `option` is the option that sets it.
///
/// # Errors
/// If other machines can connect and there is no secret, or if the secret is too short or has characters that a URL would
/// escape.
pub fn check(listen: SocketAddr, token: Option<&str>, option: &str) -> Result<(), String> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    match token {
        // URLs and headers carry the token unescaped.
        Some(token) if !token.bytes().all(is_unreserved) => Err("a token may have letters, digits and - _ . ~ only".into()),
        Some(token) if token.len() < MIN_CHARACTERS => Err(format!("a token needs at least {MIN_CHARACTERS} characters")),
        None if !listen.ip().is_loopback() => Err(format!("other machines can reach {listen}: set a secret with {option}")),
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
            assert!(check(listen, None).unwrap_err().contains("--token"), "{listen}");
            assert_eq!(check(listen, good), Ok(()), "{listen}");
        }
        assert!(check("127.0.0.1:80", Some("short")).unwrap_err().contains("16 characters"));
        assert!(check("127.0.0.1:80", Some("0123456789abcde;")).unwrap_err().contains("letters"));
        assert!(check("127.0.0.1:80", Some("")).is_err());
    }
}
