// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of servers and connections. The messages of the crates contain URLs, whose secrets must not be shown.

use std::path::Path;
use std::time::Duration;

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

use crate::inputs::address::Address;
use crate::inputs::unavailable::{Status, Unavailable};

/// What object_store writes before the status of an answer.
const STATUS: &str = "Server returned non-2xx status code: ";

/// What is wrong with the file, its server or the connection. `limit` is the longest time without data.
pub fn describe(error: &Error, limit: Duration) -> Unavailable {
    if matches!(error, Error::Precondition { .. }) {
        return Unavailable::Changed;
    }
    match (status(error), kind(error)) {
        (Some(status), _) => match status.code {
            404 => Unavailable::Missing(status),
            401 | 403 => Unavailable::Refused(status),
            _ => Unavailable::Server(status),
        },
        (None, Some(HttpErrorKind::Timeout)) => Unavailable::Silent(limit),
        (None, Some(HttpErrorKind::Connect)) => Unavailable::Unreachable(cause(error)),
        (None, Some(_)) => Unavailable::Broken(cause(error)),
        (None, None) => Unavailable::Other(cause(error)),
    }
}

/// True if a repetition from the start may help: a connection broke, or the server did not continue where it broke.
pub fn is_transient(error: &Error) -> bool {
    match kind(error) {
        Some(kind) => kind != HttpErrorKind::Timeout,
        None => matches!(error, Error::NotSupported { .. } | Error::Generic { .. }) && status(error).is_none(),
    }
}

/// True if there is no connection to the server.
pub fn is_unreachable(error: &Error) -> bool {
    matches!(kind(error), Some(HttpErrorKind::Connect | HttpErrorKind::Timeout))
}

/// What is wrong with the connection, if that is it.
fn kind(error: &Error) -> Option<HttpErrorKind> {
    chain(error).find_map(|error| error.downcast_ref::<HttpError>()).map(HttpError::kind)
}

/// The status of the answer.
fn status(error: &Error) -> Option<Status> {
    let texts = chain(error).map(ToString::to_string);
    texts.filter_map(|text| parse_status(text.strip_prefix(STATUS)?)).next()
}

/// Reads a status such as `500 Internal Server Error`, which a colon and the answer follow.
fn parse_status(text: &str) -> Option<Status> {
    let (code, name) = text.split(':').next()?.split_once(' ')?;
    Some(Status { code: code.parse().ok()?, name: name.to_owned() })
}

/// The innermost error, without secrets.
fn cause(error: &Error) -> String {
    let innermost = chain(error).last().map(ToString::to_string).unwrap_or_default();
    let first = innermost.lines().next().unwrap_or_default();
    first.split(' ').map(without_secrets).collect::<Vec<_>>().join(" ")
}

fn without_secrets(word: &str) -> String {
    Address::parse(Path::new(word.trim_matches(['"', '\'', '(', ')', ',']))).map_or_else(|| word.to_owned(), |address| address.name())
}

/// The error and its causes.
fn chain(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let error: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Generic { store: "test", source: source.into() }
    }

    #[test]
    fn answers_and_broken_connections_are_told_apart() {
        let limit = Duration::from_secs(3);
        let answer = generic("Server returned non-2xx status code: 503 Service Unavailable: <a long page>");
        assert_eq!(describe(&answer, limit), Unavailable::Server(Status { code: 503, name: "Service Unavailable".into() }));
        assert!(!is_transient(&answer));
        let refused = describe(&generic("Server returned non-2xx status code: 403 Forbidden: "), limit);
        assert_eq!(refused, Unavailable::Refused(Status { code: 403, name: "Forbidden".into() }));
        assert!(refused.to_string().starts_with("expected a file that may be read, found: 403 Forbidden;"), "{refused}");
        let late = generic(HttpError::new(HttpErrorKind::Timeout, std::io::Error::other("late")));
        assert_eq!(describe(&late, limit), Unavailable::Silent(limit));
        assert!(!is_transient(&late) && is_unreachable(&late));
        let cut = generic(HttpError::new(HttpErrorKind::Interrupted, std::io::Error::other("reset")));
        assert_eq!(describe(&cut, limit), Unavailable::Broken("reset".into()));
        assert!(is_transient(&cut) && !is_unreachable(&cut));
    }

    #[test]
    fn texts_of_other_crates_have_no_secrets() {
        let error = generic("cannot open 'https://me:pw@host/a?sig=1' now\n<Secret/>");
        let shown = describe(&error, Duration::ZERO).to_string();
        assert_eq!(shown, "expected a file, found: cannot open https://***@host/a?sig=*** now");
    }
}
