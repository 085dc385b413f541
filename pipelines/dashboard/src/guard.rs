// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may ask: viewers who know the token, by a name that is ours, from pages that are ours.
//!
//! A page of another site can make a browser send requests here. It cannot choose what `Host` says (a name of its own
//! that leads here: DNS rebinding) nor what `Origin` says (a WebSocket or form of its own), so both are looked at.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::registry::Registry;

/// Name of the cookie that holds the token.
const COOKIE_NAME: &str = "emotion-dashboard";
/// What every answer says of itself.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("permissions-policy", "camera=(self), microphone=(), geolocation=()"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
];

/// Lets a request through, or answers it with what is missing.
pub async fn check(State(registry): State<Arc<Registry>>, request: Request, next: Next) -> Response {
    let options = registry.options();
    let response = if let Some(refusal) = refusal(request.headers(), &options.hosts) {
        (StatusCode::FORBIDDEN, refusal).into_response()
    } else if let Some(token) = &options.token {
        match presented(&request) {
            Some(Presented::Held(found)) if equal(&found, token) => next.run(request).await,
            Some(Presented::Shown(found)) if equal(&found, token) => welcome(token),
            _ => {
                (StatusCode::UNAUTHORIZED, "Open this page as /?token=SECRET, with the secret that it was started with.\n").into_response()
            }
        }
    } else {
        next.run(request).await
    };
    signed(response)
}

/// An answer with the headers that each one has.
pub fn signed(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Why a request is not from a page of ours, if it is not.
fn refusal(headers: &HeaderMap, names: &[String]) -> Option<&'static str> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(HOST).unwrap_or_default();
    if !is_ours(host, names) {
        return Some("This host name is not served here; start the page with --host NAME.\n");
    }
    match text(ORIGIN) {
        Some(origin) if origin.split_once("://").is_none_or(|(_, from)| !from.eq_ignore_ascii_case(host)) => {
            Some("Requests from pages of other sites are not served.\n")
        }
        _ => None,
    }
}

/// True for addresses, which nobody can point elsewhere, for localhost and for the names that were given.
fn is_ours(host: &str, names: &[String]) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let address = bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')).unwrap_or(bare);
    address.parse::<IpAddr>().is_ok() || bare.eq_ignore_ascii_case("localhost") || names.iter().any(|name| bare.eq_ignore_ascii_case(name))
}

/// A token in a request.
enum Presented {
    /// In a cookie or an `Authorization` header.
    Held(String),
    /// In the address, for the first visit.
    Shown(String),
}

fn presented(request: &Request) -> Option<Presented> {
    let headers = request.headers();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let of = |pair: &str, name: &str| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    if request.uri().path() == "/"
        && let Some(shown) = request.uri().query().and_then(|query| query.split('&').find_map(|pair| of(pair, "token")))
    {
        return Some(Presented::Shown(shown));
    }
    let held = bearer.map(str::to_owned).or_else(|| text(COOKIE)?.split(';').find_map(|pair| of(pair, COOKIE_NAME)));
    held.map(Presented::Held)
}

/// Puts the token where the browser keeps it, and takes it out of the address.
fn welcome(token: &str) -> Response {
    let cookie = format!("{COOKIE_NAME}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000");
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_static("/")), (SET_COOKIE, cookie)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Compares in a time that does not tell how much of it is right.
fn equal(found: &str, expected: &str) -> bool {
    found.len() == expected.len() && found.bytes().zip(expected.bytes()).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        refusal(&headers, &["wall.example".into()]).is_some()
    }

    #[test]
    fn names_that_others_may_own_are_refused() {
        for host in ["localhost:8765", "LOCALHOST", "127.0.0.1:1", "[::1]:8765", "192.168.1.7:80", "wall.example", "Wall.Example:443"] {
            assert!(!refused(host, None), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8765", "127.0.0.1.evil.example", "", "evil.example:80", "wall.example.evil"] {
            assert!(refused(host, None), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        assert!(!refused("localhost:8765", Some("http://localhost:8765")));
        assert!(!refused("wall.example", Some("https://wall.example")), "behind a server that does TLS");
        for origin in ["http://evil.example", "http://localhost:9999", "null", "http://localhost:8765.evil.example", "file://"] {
            assert!(refused("localhost:8765", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(equal("0123456789abcdef", "0123456789abcdef"));
        assert!(!equal("0123456789abcdeF", "0123456789abcdef") && !equal("", "0") && !equal("00", "0"));
    }
}
