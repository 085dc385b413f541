// SPDX-License-Identifier: MIT OR Apache-2.0
//! The HTTP server of the dashboard and of emotion-camera. It accepts a limited number of connections, and limits the time for a
//! request and for taking its response.
//!
//! A semaphore counts the connections. hyper limits the time for the head of a request. The connection of a WebSocket is
//! counted until the handshake; who opens WebSockets counts them.
//!
//! At the limit, a new connection replaces the oldest one that has not sent a whole request yet, so that half-sent requests
//! cannot block whole ones. If there is no such connection, the new one gets status 503.

mod arriving;
mod door;
mod writing;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use arriving::Arriving;
use door::{Connection, Door};
use writing::Writing;

/// Maximum number of connections and WebSockets, whatever the limit of file descriptors.
const MAX_CONNECTIONS: usize = 3000;
/// Minimum number of both, likewise.
const MIN_CONNECTIONS: usize = 16;
/// Maximum size of the head of a request. Browsers send the cookies of all programs on this machine.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// Maximum size of a request body, except where it is taken while it arrives. Pictures of browsers come over WebSockets.
const MAX_BODY_BYTES: usize = 8 << 10;
/// Time limit for the head of a request, from the connection or the last response, and again for its body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The connection is closed if the client takes nothing of a response for this long.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// When a client may try again after status 503, in seconds.
const RETRY_SECONDS: &str = "10";
/// Pause after a connection could not be accepted, for example because descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Names and values of headers.
pub type Headers = &'static [(&'static str, &'static str)];

/// The number of connections and WebSockets for this process: half of its file descriptors. The rest of the program needs the others.
pub fn max_connections() -> usize {
    let Some(descriptors) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current else { return MAX_CONNECTIONS };
    usize::try_from(descriptors / 2).unwrap_or(MAX_CONNECTIONS).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

/// Serves `router` on at most `max` connections at the same time. Each response has `headers`. Does not return.
pub async fn serve(listener: TcpListener, router: Router, max: usize, headers: Headers) {
    serve_streams(listener, router, max, headers, |_| false).await;
}

/// The same for a router that takes the bodies of requests while they arrive, where `is_stream` is true for their address. It limits
/// their size itself.
pub async fn serve_streams(listener: TcpListener, router: Router, max: usize, headers: Headers, is_stream: fn(&Uri) -> bool) {
    let mut door = Door::new(max);
    let server = Server { router, headers, is_stream };
    let refusal = Server { router: Router::new().fallback(refuse), headers, is_stream: |_| false };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Some(connection) = door.admit().await {
            tokio::spawn(server.clone().talk(stream, connection));
        } else if let Some(connection) = door.refuse() {
            tokio::spawn(refusal.clone().talk(stream, connection));
        }
    }
}

async fn refuse() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_SECONDS)], "Too many connections.\n").into_response()
}

/// What answers requests.
#[derive(Clone)]
struct Server {
    router: Router,
    headers: Headers,
    is_stream: fn(&Uri) -> bool,
}

impl Server {
    /// Answers the requests of one connection until it closes, becomes a WebSocket or is evicted.
    async fn talk<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, io: I, connection: Arc<Connection>) {
        let answer = service_fn(|request| self.answer(request, &connection));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
        let io = TokioIo::new(Writing::new(io, WRITE_TIMEOUT));
        tokio::select! {
            // Fails if the client is gone or too slow; there is nobody to report it to.
            _ = http.serve_connection(io, answer).with_upgrades() => {}
            () = connection.evicted.notified() => {}
        }
    }

    /// Answers a request once its body has arrived, or while it arrives.
    ///
    /// # Errors
    /// If the body does not arrive in time.
    async fn answer(&self, request: hyper::Request<Incoming>, connection: &Arc<Connection>) -> io::Result<Response> {
        let (head, body) = request.into_parts();
        let body = if (self.is_stream)(&head.uri) {
            Ok(Body::new(Arriving::new(Body::new(body), connection.clone())))
        } else {
            let body = timeout(REQUEST_TIMEOUT, to_bytes(Body::new(body), MAX_BODY_BYTES)).await?;
            connection.is_heard.store(true, Ordering::Relaxed);
            body.map(Body::from)
        };
        let mut response = match body {
            Ok(body) => {
                let answered = TowerToHyperService::new(self.router.clone()).call(Request::from_parts(head, body)).await;
                answered.unwrap_or_else(|never: Infallible| match never {})
            }
            // Too long. If it was truncated, the client is gone and gets nothing.
            Err(_) => (StatusCode::PAYLOAD_TOO_LARGE, format!("a request has at most {MAX_BODY_BYTES} bytes\n")).into_response(),
        };
        for (name, value) in self.headers {
            response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if !connection.keeps_alive && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests;
