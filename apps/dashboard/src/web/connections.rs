// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accepts a limited number of connections, and limits the time for a request.
//!
//! A semaphore counts the connections. hyper limits the time for the head of a request. The connection of a WebSocket is
//! counted until the handshake; `server.rs` counts open WebSockets.
//!
//! At the limit, a new connection replaces the oldest one that has not sent a whole request yet, so that half-sent requests
//! cannot block whole ones. If there is no such connection, the new one gets status 503.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::guard;

/// Maximum number of connections and WebSockets, whatever the limit of file descriptors.
const MAX_CONNECTIONS: usize = 3000;
/// Minimum number of both, likewise.
const MIN_CONNECTIONS: usize = 16;
/// Maximum size of a request body. Pictures of browsers come over WebSockets.
const MAX_BODY_BYTES: usize = 8 << 10;
/// Time limit for the head of a request, from the connection or the last response, and again for its body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of connections that get status 503 at the same time; more are closed without a response.
const MAX_REFUSALS: usize = 16;
/// When a client may try again after status 503, in seconds.
const RETRY_SECONDS: &str = "10";
/// Pause after a connection could not be accepted, for example because descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The number of connections and WebSockets for this process: half of its file descriptors. The sources need the others.
pub fn max_connections() -> usize {
    let Some(descriptors) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current else { return MAX_CONNECTIONS };
    usize::try_from(descriptors / 2).unwrap_or(MAX_CONNECTIONS).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

/// Serves `router` on at most `max` connections at the same time. Does not return.
pub async fn serve(listener: TcpListener, router: Router, max: usize) {
    let (mut door, refusal) = (Door::new(max), Router::new().fallback(refuse));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Some(connection) = door.admit().await {
            tokio::spawn(talk(stream, connection, router.clone()));
        } else if let Some(connection) = door.refuse() {
            tokio::spawn(talk(stream, connection, refusal.clone()));
        }
    }
}

async fn refuse() -> Response {
    let response = (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_SECONDS)], "Too many connections.\n");
    guard::with_headers(response.into_response())
}

/// Counts the connections.
struct Door {
    max: usize,
    room: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    /// The connections that may not have sent a request yet, the oldest first.
    silent: VecDeque<Weak<Connection>>,
}

/// A connection, until it closes or becomes a WebSocket.
struct Connection {
    /// True once a whole request has arrived.
    is_heard: AtomicBool,
    /// Notified when a new connection takes the place of this one.
    evicted: Notify,
    keeps_alive: bool,
    _permit: OwnedSemaphorePermit,
}

impl Door {
    fn new(max: usize) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { max, room: semaphore(max), refusals: semaphore(MAX_REFUSALS), silent: VecDeque::new() }
    }

    /// Admits a new connection; `None` if all others have sent a request.
    async fn admit(&mut self) -> Option<Arc<Connection>> {
        if self.room.available_permits() == 0 && !self.evict_oldest() {
            return None;
        }
        // Connections that wait for another request may take half of the room.
        let keeps_alive = self.room.available_permits() > self.max / 2;
        // An evicted connection returns its permit at once.
        let permit = self.room.clone().acquire_owned().await.ok()?;
        let connection = Connection::new(permit, keeps_alive);
        self.silent.push_back(Arc::downgrade(&connection));
        if self.silent.len() > 2 * self.max {
            self.silent.retain(|known| known.upgrade().is_some_and(|known| !known.is_heard.load(Ordering::Relaxed)));
        }
        Some(connection)
    }

    /// Lets a connection in that gets status 503; `None` if there are too many of them.
    fn refuse(&self) -> Option<Arc<Connection>> {
        self.refusals.clone().try_acquire_owned().ok().map(|permit| Connection::new(permit, false))
    }

    /// Closes the oldest connection that has not sent a request. Returns false if there is no such connection.
    fn evict_oldest(&mut self) -> bool {
        while let Some(oldest) = self.silent.pop_front() {
            if let Some(oldest) = oldest.upgrade()
                && !oldest.is_heard.load(Ordering::Relaxed)
            {
                oldest.evicted.notify_one();
                return true;
            }
        }
        false
    }
}

impl Connection {
    fn new(permit: OwnedSemaphorePermit, keeps_alive: bool) -> Arc<Self> {
        Arc::new(Self { is_heard: AtomicBool::new(false), evicted: Notify::new(), keeps_alive, _permit: permit })
    }
}

/// Answers the requests of one connection until it closes, becomes a WebSocket or is evicted.
async fn talk<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: I, connection: Arc<Connection>, router: Router) {
    let (service, own) = (TowerToHyperService::new(router), connection.clone());
    let answer = service_fn(move |request: hyper::Request<Incoming>| answer(request, own.clone(), service.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT);
    tokio::select! {
        // Fails if the client is gone or too slow; there is nobody to report it to.
        _ = http.serve_connection(TokioIo::new(io), answer).with_upgrades() => {}
        () = connection.evicted.notified() => {}
    }
}

/// Answers a request once its body has arrived.
///
/// # Errors
/// If the body does not arrive in time.
async fn answer(
    request: hyper::Request<Incoming>,
    connection: Arc<Connection>,
    service: TowerToHyperService<Router>,
) -> io::Result<Response> {
    let (head, body) = request.into_parts();
    let body = timeout(REQUEST_TIMEOUT, to_bytes(Body::new(body), MAX_BODY_BYTES)).await?;
    connection.is_heard.store(true, Ordering::Relaxed);
    let mut response = match body {
        Ok(body) => service.call(Request::from_parts(head, Body::from(body))).await.unwrap_or_else(|never: Infallible| match never {}),
        // Too long. If it was truncated, the client is gone and gets nothing.
        Err(_) => {
            let message = format!("a request has at most {MAX_BODY_BYTES} bytes\n");
            guard::with_headers((StatusCode::PAYLOAD_TOO_LARGE, message).into_response())
        }
    };
    if !connection.keeps_alive && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    /// A request that is answered with `hi`.
    const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi";

    /// The client's end of a connection to a server that echoes the body of `POST /`.
    fn start(connection: Arc<Connection>) -> DuplexStream {
        let (client, server) = duplex(64 << 10);
        let router = Router::new().route("/", post(async |body: String| body));
        tokio::spawn(talk(server, connection, router));
        client
    }

    async fn connect(door: &mut Door) -> DuplexStream {
        start(door.admit().await.expect("room"))
    }

    /// Sends `text` repeatedly, one byte per second. Returns the time until the server closes, and what it sent.
    async fn trickle(client: &mut DuplexStream, text: &str) -> (Duration, String) {
        let start = Instant::now();
        let mut received = Vec::new();
        for byte in text.bytes().cycle() {
            let read = timeout(Duration::from_secs(1), client.read_to_end(&mut received)).await;
            if read.is_ok() || client.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        (start.elapsed(), String::from_utf8(received).expect("text"))
    }

    /// Sends a request. Returns what arrives until the server closes.
    async fn ask(client: &mut DuplexStream) -> String {
        client.write_all(REQUEST).await.expect("it reads");
        let mut received = String::new();
        client.read_to_string(&mut received).await.expect("a response, then the end");
        received
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_head_times_out() {
        let mut door = Door::new(8);
        for text in ["", "GET / HTTP/1.1\r\nhost: localhost\r\n"] {
            let mut client = connect(&mut door).await;
            client.write_all(text.as_bytes()).await.expect("it reads");
            let (took, received) = trickle(&mut client, "x-more: 1\r\n").await;
            assert!(took <= REQUEST_TIMEOUT + Duration::from_secs(1), "{took:?} after {text:?}");
            assert!(!received.contains("200 OK"), "{received}");
        }
        assert_eq!(door.room.available_permits(), 8, "there is room for others again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_body_times_out() {
        let mut client = connect(&mut Door::new(8)).await;
        client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000\r\n\r\n").await.expect("it reads");
        let (took, _) = trickle(&mut client, "x").await;
        assert!(took <= REQUEST_TIMEOUT + Duration::from_secs(1), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed_at_once_if_there_is_little_room() {
        let mut door = Door::new(2);
        let (mut first, mut second) = (connect(&mut door).await, connect(&mut door).await);
        for (client, seconds) in [(&mut second, 0), (&mut first, 10)] {
            let start = Instant::now();
            let received = ask(client).await;
            assert!(received.starts_with("HTTP/1.1 200 OK") && received.ends_with("hi"), "{received}");
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_connection_without_a_request_is_evicted() {
        let mut door = Door::new(3);
        let (mut first, mut second) = (connect(&mut door).await, connect(&mut door).await);
        first.write_all(REQUEST).await.expect("it reads");
        let mut status = [0; 15];
        first.read_exact(&mut status).await.expect("a response");
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        let mut third = connect(&mut door).await;
        third.write_all(b"POST / HTTP/1.1\r\n").await.expect("it reads");
        let mut fourth = connect(&mut door).await;
        assert_eq!(second.read(&mut [0; 64]).await.expect("an end"), 0, "the second is closed");
        assert!(ask(&mut fourth).await.starts_with("HTTP/1.1 200 OK"));
        third.write_all(b"host: localhost\r\ncontent-length: 0\r\n\r\n").await.expect("it reads");
        third.read_exact(&mut status).await.expect("a response");
        assert_eq!(&status, b"HTTP/1.1 200 OK", "the third kept its place");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_refused_if_all_others_have_sent_a_request() {
        let mut door = Door::new(1);
        let (client, server) = duplex(64 << 10);
        let waiting = Router::new().fallback(async || std::future::pending::<()>().await);
        tokio::spawn(talk(server, door.admit().await.expect("room"), waiting));
        let mut client = client;
        client.write_all(REQUEST).await.expect("it reads");
        assert!(timeout(Duration::from_secs(1), client.read_u8()).await.is_err(), "no response yet");
        assert!(door.admit().await.is_none());
        let refused: Vec<_> = (0..MAX_REFUSALS).map(|_| door.refuse().expect("a refusal")).collect();
        assert!(door.refuse().is_none());
        drop((refused, client));
        tokio::task::yield_now().await;
        assert!(door.refuse().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_of_earlier_connections_is_forgotten() {
        let mut door = Door::new(4);
        for _ in 0..100 {
            ask(&mut connect(&mut door).await).await;
        }
        assert!(door.silent.len() <= 8, "{}", door.silent.len());
    }
}
