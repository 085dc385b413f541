// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one rule of dashboard and relay: where other machines can reach a program, viewers need a secret.

use std::net::SocketAddr;

/// The shortest secret that is taken.
const LEAST_CHARACTERS: usize = 16;

/// Checks the secret `token` of a program that listens at `listen`.
///
/// # Errors
/// If there is none where others can connect, or it is too short or has characters that an address cannot carry, in words.
pub fn check(listen: SocketAddr, token: Option<&str>) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    match token {
        // It goes into addresses and headers as it is.
        Some(token) if !token.bytes().all(plain) => Err("a token is made of letters, digits and - _ . ~".into()),
        Some(token) if token.len() < LEAST_CHARACTERS => Err(format!("a token has {LEAST_CHARACTERS} characters or more")),
        None if !listen.ip().is_loopback() => Err(format!("{listen} can be reached from elsewhere: give viewers a secret with --token")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_needs_no_secret() {
        let check = |listen: &str, token| check(listen.parse().unwrap(), token);
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
