// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accepts a limited number of connections, and limits the time for a request.
//!
//! A connection is idle until a whole request has arrived, and again after the response; in between it is busy. A WebSocket
//! is busy until it closes. At the limit, a new connection replaces the one that has been idle longest, so that half-sent
//! requests cannot block whole ones. If all are busy, the new one gets status 503.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};

use super::guard;

/// Maximum number of connections, whatever the limit of file descriptors.
const MAX_CONNECTIONS: usize = 3000;
/// Minimum number of connections, likewise.
const MIN_CONNECTIONS: usize = 16;
/// Maximum size of a request body. Pictures of browsers come over WebSockets.
const MAX_BODY_BYTES: usize = 8 << 10;
/// Time limit for the head of a request, from the connection or the last response, and again for its body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of refused connections that get a response at the same time; more are closed without one.
const MAX_REFUSALS: usize = 16;
/// Time limit for a refused connection.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause after a connection could not be accepted, for example because descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 22\r\n\r\nToo many connections.\n";

/// The limit for this process: half of its file descriptors. The sources need the others.
pub fn max_connections() -> usize {
    let Some(descriptors) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current else { return MAX_CONNECTIONS };
    usize::try_from(descriptors / 2).unwrap_or(MAX_CONNECTIONS).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

/// Serves `router` on at most `max` connections at the same time. Does not return.
pub async fn serve(listener: TcpListener, router: Router, max: usize) {
    let (connections, refusals) = (Arc::new(Connections::new(max)), Arc::new(Semaphore::new(MAX_REFUSALS)));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Some(slot) = connections.enter() {
            tokio::spawn(connection(stream, Arc::new(slot), router.clone()));
        } else if let Ok(permit) = refusals.clone().try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(REFUSAL_TIMEOUT, refuse(stream)).await;
                drop(permit);
            });
        }
    }
}

/// Responds without reading the request, then waits until the client closes the connection. Closing it while unread bytes
/// are left would reset it, and the client could lose the response.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(REFUSAL).await?;
    stream.shutdown().await?;
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Answers the requests of one connection until it closes or is replaced by another.
async fn connection<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: I, slot: Arc<Slot>, router: Router) {
    let service = TowerToHyperService::new(router);
    let (own, evicted) = (slot.clone(), slot.evicted.clone());
    let answer = service_fn(move |request: hyper::Request<Incoming>| answer(request, own.clone(), service.clone()));
    let io = TokioIo::new(SlotStream { io, _slot: slot });
    let served =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT).serve_connection(io, answer).with_upgrades();
    tokio::select! {
        // Fails if the client is gone or too slow; there is nobody to report it to.
        _ = served => {}
        () = evicted.notified() => {}
    }
}

/// Answers a request once its body has arrived.
///
/// # Errors
/// If the body does not arrive in time.
async fn answer(request: hyper::Request<Incoming>, slot: Arc<Slot>, service: TowerToHyperService<Router>) -> io::Result<Response> {
    let (head, body) = request.into_parts();
    let body = timeout(REQUEST_TIMEOUT, to_bytes(Body::new(body), MAX_BODY_BYTES)).await?;
    slot.set_busy();
    let response = match body {
        Ok(body) => service.call(Request::from_parts(head, Body::from(body))).await.unwrap_or_else(|never| match never {}),
        // Too long. If it was truncated, the client is gone and gets nothing.
        Err(_) => {
            let message = format!("a request has at most {MAX_BODY_BYTES} bytes\n");
            guard::with_headers((StatusCode::PAYLOAD_TOO_LARGE, message).into_response())
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    Ok(response.map(|body| Body::new(ResponseBody { body, slot })))
}

/// All open connections.
struct Connections {
    max: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: usize,
    /// Idle connections by number, the one that has been idle longest first.
    idle: BTreeMap<u64, Arc<Notify>>,
    /// Number of the next connection that becomes idle.
    next: u64,
}

impl Connections {
    fn new(max: usize) -> Self {
        Self { max, table: Mutex::default() }
    }

    /// A slot for a new, idle connection; none if all slots are busy.
    fn enter(self: &Arc<Self>) -> Option<Slot> {
        let mut table = self.table();
        if table.open == self.max {
            let (_, longest_idle) = table.idle.pop_first()?;
            longest_idle.notify_one();
            table.open -= 1;
        }
        table.open += 1;
        let (evicted, number) = (Arc::new(Notify::new()), table.next);
        table.next += 1;
        table.idle.insert(number, evicted.clone());
        drop(table);
        Some(Slot { connections: self.clone(), evicted, state: Mutex::new(State::Idle(number)) })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of one connection, freed when it is dropped.
struct Slot {
    connections: Arc<Connections>,
    /// Notified when another connection takes the slot.
    evicted: Arc<Notify>,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
enum State {
    /// With its number in [`Table::idle`]. If the number is missing there, the connection was evicted.
    Idle(u64),
    Busy,
}

impl Slot {
    /// Protects the slot from eviction.
    fn set_busy(&self) {
        let mut state = self.state();
        if let State::Idle(number) = *state
            && self.connections.table().idle.remove(&number).is_some()
        {
            *state = State::Busy;
        }
    }

    fn set_idle(&self) {
        let mut state = self.state();
        if let State::Busy = *state {
            let mut table = self.connections.table();
            let number = table.next;
            table.next += 1;
            table.idle.insert(number, self.evicted.clone());
            *state = State::Idle(number);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = *self.state();
        let mut table = self.connections.table();
        let held = match state {
            State::Idle(number) => table.idle.remove(&number).is_some(),
            State::Busy => true,
        };
        table.open -= usize::from(held);
    }
}

/// A stream that holds its slot, also after the upgrade to a WebSocket.
struct SlotStream<I> {
    io: I,
    _slot: Arc<Slot>,
}

impl<I: AsyncRead + Unpin> AsyncRead for SlotStream<I> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &mut tokio::io::ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, bytes)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for SlotStream<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// The body of a response. The connection is idle again once it was sent.
struct ResponseBody {
    body: Body,
    slot: Arc<Slot>,
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.slot.set_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::post;
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::Instant;

    /// The client's end of a connection to a server that echoes the body of `POST /`.
    fn connect(connections: &Arc<Connections>) -> DuplexStream {
        let (client, server) = duplex(64 << 10);
        let router = Router::new().route("/", post(async |body: String| body));
        tokio::spawn(connection(server, Arc::new(connections.enter().expect("room")), router));
        client
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

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_head_times_out() {
        let connections = Arc::new(Connections::new(8));
        for text in ["", "GET / HTTP/1.1\r\nhost: localhost\r\n"] {
            let mut client = connect(&connections);
            client.write_all(text.as_bytes()).await.expect("it reads");
            let (took, received) = trickle(&mut client, "x-more: 1\r\n").await;
            assert!(took <= REQUEST_TIMEOUT + Duration::from_secs(1), "{took:?} after {text:?}");
            assert!(!received.contains("200 OK"), "{received}");
        }
        assert_eq!(connections.table().open, 0, "the slots are free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_body_times_out() {
        let connections = Arc::new(Connections::new(8));
        let mut client = connect(&connections);
        client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000\r\n\r\n").await.expect("it reads");
        let (took, _) = trickle(&mut client, "x").await;
        assert!(took <= REQUEST_TIMEOUT + Duration::from_secs(1), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed() {
        let connections = Arc::new(Connections::new(8));
        let mut client = connect(&connections);
        client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi").await.expect("it reads");
        let mut received = String::new();
        let start = Instant::now();
        client.read_to_string(&mut received).await.expect("a response, then the end");
        assert!(received.starts_with("HTTP/1.1 200 OK") && received.ends_with("hi"), "{received}");
        assert!(start.elapsed() <= REQUEST_TIMEOUT + Duration::from_secs(1), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_connection_is_evicted() {
        let connections = Arc::new(Connections::new(2));
        let (mut first, mut second) = (connect(&connections), connect(&connections));
        second.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi").await.expect("it reads");
        let mut third = connect(&connections);
        assert_eq!(first.read(&mut [0; 64]).await.expect("an end"), 0, "the first is closed");
        let mut status = [0; 15];
        second.read_exact(&mut status).await.expect("a response");
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        third.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nho").await.expect("it reads");
        third.read_exact(&mut status).await.expect("a response");
        assert_eq!(connections.table().open, 2);
    }

    #[test]
    fn busy_connections_keep_their_slots() {
        let connections = Arc::new(Connections::new(2));
        let slots = [connections.enter().expect("room"), connections.enter().expect("room")];
        slots.iter().for_each(Slot::set_busy);
        assert!(connections.enter().is_none(), "both are busy");
        slots[1].set_idle();
        let third = connections.enter().expect("the slot of the idle connection");
        slots[1].set_busy();
        third.set_busy();
        assert!(connections.enter().is_none(), "an evicted connection does not come back");
        drop(slots);
        assert_eq!(connections.table().open, 1);
        drop(third);
        let table = connections.table();
        assert_eq!((table.open, table.idle.len()), (0, 0));
    }
}
