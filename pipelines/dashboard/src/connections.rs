// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accepts connections, no more than there is room for, and none that takes its time with a request.
//!
//! A connection waits or is busy: it waits until a whole request has come, and again once that is answered. If there is no
//! room for another one, the one that has waited longest is closed, so that half-sent requests make room for whole ones.
//! If all are busy, the new one is answered with 503. A WebSocket is busy until it ends.

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

use crate::guard;

/// Most connections at once, however many descriptors there are.
pub const MOST_CONNECTIONS: usize = 3000;
/// Largest request body, in bytes; pictures of browsers come by another way.
pub const MOST_BYTES: usize = 8 << 10;
/// How long the head of a request may take, counted from the connection or the answer before, and how long its body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that are told at the same time that there is no room; others are just closed.
const MOST_REFUSED: usize = 16;
/// How long one of them may take to read that.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause after the system could not accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 22\r\n\r\nToo many connections.\n";

/// Connections there is room for: half of the descriptors that the process may have. The sources need the others.
pub fn room() -> usize {
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    descriptors.map_or(MOST_CONNECTIONS, |most| usize::try_from(most / 2).unwrap_or(MOST_CONNECTIONS).clamp(16, MOST_CONNECTIONS))
}

/// Serves `router` on at most `room` connections at once, for ever.
pub async fn serve(listener: TcpListener, router: Router, room: usize) {
    let (connections, refused) = (Arc::new(Connections::new(room)), Arc::new(Semaphore::new(MOST_REFUSED)));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Some(slot) = connections.enter() {
            tokio::spawn(connection(stream, Arc::new(slot), router.clone()));
        } else if let Ok(permit) = refused.clone().try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(REFUSAL_TIMEOUT, refuse(stream)).await;
                drop(permit);
            });
        }
    }
}

/// Answers without reading the request, then waits for the other side to close: a connection that is closed with bytes
/// that nobody has read loses the answer.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(REFUSAL).await?;
    stream.shutdown().await?;
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Answers requests that come over `io` until it ends, or makes room for another.
async fn connection<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: I, slot: Arc<Slot>, router: Router) {
    let service = TowerToHyperService::new(router);
    let (own, evicted) = (slot.clone(), slot.evicted.clone());
    let answer = service_fn(move |request: hyper::Request<Incoming>| answer(request, own.clone(), service.clone()));
    let io = TokioIo::new(Held { io, _slot: slot });
    let served =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT).serve_connection(io, answer).with_upgrades();
    tokio::select! {
        // It fails if the other side is gone or was too slow, and then there is nobody to tell.
        _ = served => {}
        () = evicted.notified() => {}
    }
}

/// Answers a request once its body has come.
///
/// # Errors
/// If the body does not come in time.
async fn answer(request: hyper::Request<Incoming>, slot: Arc<Slot>, service: TowerToHyperService<Router>) -> io::Result<Response> {
    let (head, body) = request.into_parts();
    let body = timeout(REQUEST_TIMEOUT, to_bytes(Body::new(body), MOST_BYTES)).await?;
    slot.be_busy();
    let response = match body {
        Ok(body) => service.call(Request::from_parts(head, Body::from(body))).await.unwrap_or_else(|never| match never {}),
        // Too long, or cut off: then nobody reads this.
        Err(_) => guard::signed((StatusCode::PAYLOAD_TOO_LARGE, format!("a request has at most {MOST_BYTES} bytes\n")).into_response()),
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    Ok(response.map(|body| Body::new(Answered { body, slot })))
}

/// The connections there are.
struct Connections {
    room: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: usize,
    /// Those that wait, the one that has waited longest first.
    waiting: BTreeMap<u64, Arc<Notify>>,
    /// Number of the next one that waits.
    next: u64,
}

impl Connections {
    fn new(room: usize) -> Self {
        Self { room, table: Mutex::default() }
    }

    /// A place for a connection, which waits; none if all others are busy.
    fn enter(self: &Arc<Self>) -> Option<Slot> {
        let mut table = self.table();
        if table.open == self.room {
            let (_, longest) = table.waiting.pop_first()?;
            longest.notify_one();
            table.open -= 1;
        }
        table.open += 1;
        let (evicted, number) = (Arc::new(Notify::new()), table.next);
        table.next += 1;
        table.waiting.insert(number, evicted.clone());
        drop(table);
        Some(Slot { connections: self.clone(), evicted, state: Mutex::new(State::Waiting(number)) })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, free again when it is dropped.
struct Slot {
    connections: Arc<Connections>,
    /// Told when the connection is to make room for another.
    evicted: Arc<Notify>,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
enum State {
    /// With its number in [`Table::waiting`]. One that is no longer there has made room.
    Waiting(u64),
    Busy,
}

impl Slot {
    /// From now on nobody else gets this place.
    fn be_busy(&self) {
        let mut state = self.state();
        if let State::Waiting(number) = *state
            && self.connections.table().waiting.remove(&number).is_some()
        {
            *state = State::Busy;
        }
    }

    fn wait(&self) {
        let mut state = self.state();
        if let State::Busy = *state {
            let mut table = self.connections.table();
            let number = table.next;
            table.next += 1;
            table.waiting.insert(number, self.evicted.clone());
            *state = State::Waiting(number);
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
            State::Waiting(number) => table.waiting.remove(&number).is_some(),
            State::Busy => true,
        };
        table.open -= usize::from(held);
    }
}

/// A stream that keeps its place for as long as it is there, also as a WebSocket's.
struct Held<I> {
    io: I,
    _slot: Arc<Slot>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Held<I> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &mut tokio::io::ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, bytes)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Held<I> {
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

/// The body of an answer; the connection waits again when it was sent.
struct Answered {
    body: Body,
    slot: Arc<Slot>,
}

impl hyper::body::Body for Answered {
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

impl Drop for Answered {
    fn drop(&mut self) {
        self.slot.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::post;
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::Instant;

    /// The client's end of a connection to a server that answers `POST /` with the body.
    fn connect(connections: &Arc<Connections>) -> DuplexStream {
        let (client, server) = duplex(64 << 10);
        let router = Router::new().route("/", post(async |body: String| body));
        tokio::spawn(connection(server, Arc::new(connections.enter().expect("room")), router));
        client
    }

    /// Sends `text` over and over, a byte a second; how long it takes until the other side closes, and what it said.
    async fn trickle(client: &mut DuplexStream, text: &str) -> (Duration, String) {
        let start = Instant::now();
        let mut said = Vec::new();
        for byte in text.bytes().cycle() {
            let read = timeout(Duration::from_secs(1), client.read_to_end(&mut said)).await;
            if read.is_ok() || client.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        (start.elapsed(), String::from_utf8(said).expect("text"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_to_come_in_time_however_it_trickles_in() {
        let connections = Arc::new(Connections::new(8));
        for text in ["", "GET / HTTP/1.1\r\nhost: localhost\r\n"] {
            let mut client = connect(&connections);
            client.write_all(text.as_bytes()).await.expect("it reads");
            let (took, said) = trickle(&mut client, "x-more: 1\r\n").await;
            assert!(took <= REQUEST_TIMEOUT + Duration::from_secs(1), "{took:?} after {text:?}");
            assert!(!said.contains("200 OK"), "{said}");
        }
        assert_eq!(connections.table().open, 0, "their places are free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_to_come_in_time_as_well() {
        let connections = Arc::new(Connections::new(8));
        let mut client = connect(&connections);
        client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000\r\n\r\n").await.expect("it reads");
        let (took, _) = trickle(&mut client, "x").await;
        assert!(took <= REQUEST_TIMEOUT + Duration::from_secs(1), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_after_an_answer_is_closed() {
        let connections = Arc::new(Connections::new(8));
        let mut client = connect(&connections);
        client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi").await.expect("it reads");
        let mut said = String::new();
        let start = Instant::now();
        client.read_to_string(&mut said).await.expect("an answer, then the end");
        assert!(said.starts_with("HTTP/1.1 200 OK") && said.ends_with("hi"), "{said}");
        assert!(start.elapsed() <= REQUEST_TIMEOUT + Duration::from_secs(1), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_has_waited_longest_makes_room() {
        let connections = Arc::new(Connections::new(2));
        let (mut first, mut second) = (connect(&connections), connect(&connections));
        second.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi").await.expect("it reads");
        let mut third = connect(&connections);
        assert_eq!(first.read(&mut [0; 64]).await.expect("an end"), 0, "the first is closed");
        let mut said = [0; 15];
        second.read_exact(&mut said).await.expect("an answer");
        assert_eq!(&said, b"HTTP/1.1 200 OK");
        third.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nho").await.expect("it reads");
        third.read_exact(&mut said).await.expect("an answer");
        assert_eq!(connections.table().open, 2);
    }

    #[test]
    fn the_busy_ones_keep_their_places() {
        let connections = Arc::new(Connections::new(2));
        let slots = [connections.enter().expect("room"), connections.enter().expect("room")];
        slots.iter().for_each(Slot::be_busy);
        assert!(connections.enter().is_none(), "both are busy");
        slots[1].wait();
        let third = connections.enter().expect("the place of the one that waits");
        slots[1].be_busy();
        third.be_busy();
        assert!(connections.enter().is_none(), "who has made room does not come back");
        drop(slots);
        assert_eq!(connections.table().open, 1);
        drop(third);
        let table = connections.table();
        assert_eq!((table.open, table.waiting.len()), (0, 0));
    }
}
