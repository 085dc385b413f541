// SPDX-License-Identifier: MIT OR Apache-2.0
//! Access control: requests must have the token, a host name of this server, and the origin of this page.
//!
//! A page of another site can make a browser send requests here, but it cannot forge the headers `Host` and `Origin`.
//! Checking `Host` stops DNS rebinding, where the attacker's name resolves to this server. Checking `Origin` stops
//! WebSockets and forms of other sites.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use emotion_http::Headers;

use super::cors;
use crate::dashboard::Dashboard;
use crate::v1::{self, Problem};

/// The cookie that holds the token.
const COOKIE_NAME: &str = "emotion-dashboard";
/// Headers of every response.
pub const HEADERS: Headers = &[
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

/// Passes a valid request on and refuses others.
pub async fn check(State(dashboard): State<Arc<Dashboard>>, request: Request, next: Next) -> Response {
    let (options, is_api) = (&dashboard.options, v1::has(request.uri()));
    let visitor = if is_api { cors::origin(request.headers(), &options.cors) } else { None };
    let response = if let Some(refusal) = refusal(request.headers(), &options.hosts, visitor.is_some()) {
        refuse(StatusCode::FORBIDDEN, refusal, is_api)
    } else if visitor.is_some() && request.method() == Method::OPTIONS {
        // A browser asks without the token.
        cors::preflight()
    } else if let Some(token) = &options.token {
        match token_of(&request) {
            Some(Token::Header(found)) if equal(&found, token) => next.run(request).await,
            Some(Token::Query(found)) if equal(&found, token) => set_cookie(token),
            _ if is_api => refuse(StatusCode::UNAUTHORIZED, "Send the secret of --token as `Authorization: Bearer SECRET`.", true),
            _ => refuse(StatusCode::UNAUTHORIZED, "Open this page as /?token=SECRET, with the secret of --token.", false),
        }
    } else {
        next.run(request).await
    };
    visitor.into_iter().fold(response, cors::allow)
}

/// A refusal, for people or for programs.
fn refuse(status: StatusCode, reason: &str, is_api: bool) -> Response {
    let mut response = if is_api { Problem::new(status, reason).into_response() } else { (status, format!("{reason}\n")).into_response() };
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The reason to refuse a request, if it is not from this server's page, and not from one that is allowed by its origin.
fn refusal(headers: &HeaderMap, names: &[String], is_allowed: bool) -> Option<&'static str> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(HOST).unwrap_or_default();
    if !is_own_host(host, names) {
        return Some("This host name is not served; start the dashboard with --host NAME.");
    }
    match text(ORIGIN) {
        Some(origin) if !is_allowed && origin.split_once("://").is_none_or(|(_, from)| !from.eq_ignore_ascii_case(host)) => {
            Some("Requests from pages of other sites are not served.")
        }
        _ => None,
    }
}

/// True for IP addresses, which DNS cannot redirect, for localhost and for `names`.
fn is_own_host(host: &str, names: &[String]) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let address = bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')).unwrap_or(bare);
    address.parse::<IpAddr>().is_ok() || bare.eq_ignore_ascii_case("localhost") || names.iter().any(|name| bare.eq_ignore_ascii_case(name))
}

/// A token in a request.
enum Token {
    /// In a cookie or an `Authorization` header.
    Header(String),
    /// In the address of the first visit.
    Query(String),
}

fn token_of(request: &Request) -> Option<Token> {
    let headers = request.headers();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let of = |pair: &str, name: &str| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    if request.uri().path() == "/"
        && let Some(token) = request.uri().query().and_then(|query| query.split('&').find_map(|pair| of(pair, "token")))
    {
        return Some(Token::Query(token));
    }
    let token = bearer.map(str::to_owned).or_else(|| text(COOKIE)?.split(';').find_map(|pair| of(pair, COOKIE_NAME)));
    token.map(Token::Header)
}

/// Stores the token in a cookie and redirects to the address without it.
fn set_cookie(token: &str) -> Response {
    let cookie = format!("{COOKIE_NAME}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000");
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_static("/")), (SET_COOKIE, cookie)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Compares in a time that does not depend on how many characters match.
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
        refusal(&headers, &["wall.example".into()], false).is_some()
    }

    #[test]
    fn other_host_names_are_refused() {
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
        assert!(!refused("wall.example", Some("https://wall.example")), "behind a TLS proxy");
        for origin in ["http://evil.example", "http://localhost:9999", "null", "http://localhost:8765.evil.example", "file://"] {
            assert!(refused("localhost:8765", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn only_equal_secrets_match() {
        assert!(equal("0123456789abcdef", "0123456789abcdef"));
        assert!(!equal("0123456789abcdeF", "0123456789abcdef") && !equal("", "0") && !equal("00", "0"));
    }
}
