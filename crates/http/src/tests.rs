// SPDX-License-Identifier: MIT OR Apache-2.0
//! The limits, by a clock that does not run.

use super::*;
use crate::door::MAX_REFUSALS;
use axum::routing::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

/// A request that is answered with `hi`.
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi";

const HEADERS: Headers = &[("x-content-type-options", "nosniff")];

/// The client's end of a connection to a server that echoes the body of `POST /`.
fn start(connection: Arc<Connection>) -> DuplexStream {
    let (client, server) = duplex(64 << 10);
    let router = Router::new().route("/", post(async |body: String| body));
    tokio::spawn(Server { router, headers: HEADERS, is_stream: |_| false }.talk(server, connection));
    client
}

/// The client's end of a connection to a server that counts the bytes of `POST /` while they arrive.
fn start_stream(connection: Arc<Connection>) -> DuplexStream {
    let (client, server) = duplex(64 << 10);
    let counted = async |body: Body| match to_bytes(body, usize::MAX).await {
        Ok(bytes) => (StatusCode::OK, bytes.len().to_string()),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, String::new()),
    };
    let router = Router::new().route("/", post(counted));
    tokio::spawn(Server { router, headers: HEADERS, is_stream: |_| true }.talk(server, connection));
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
    assert_eq!(door.free(), 8, "there is room for others again");
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_body_times_out() {
    let mut client = connect(&mut Door::new(8)).await;
    client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000\r\n\r\n").await.expect("it reads");
    let (took, _) = trickle(&mut client, "x").await;
    assert!(took <= REQUEST_TIMEOUT + Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_large_body_is_taken_while_it_arrives_and_a_slow_one_is_not() {
    let mut door = Door::new(8);
    let mut client = start_stream(door.admit().await.expect("room"));
    client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000000\r\n\r\n").await.expect("it reads");
    // 40 s, at 100 kB/s.
    for _ in 0..40 {
        client.write_all(&[0; 100_000]).await.expect("it reads");
        sleep(Duration::from_secs(1)).await;
    }
    let mut received = String::new();
    client.read_to_string(&mut received).await.expect("a response, then the end");
    assert!(received.starts_with("HTTP/1.1 200 OK") && received.ends_with("4000000"), "{received}");

    let mut client = start_stream(door.admit().await.expect("room"));
    client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000000\r\n\r\n").await.expect("it reads");
    let (took, received) = trickle(&mut client, "x").await;
    assert!(received.starts_with("HTTP/1.1 408"), "{received}");
    assert!(took <= REQUEST_TIMEOUT + Duration::from_secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_body_still_arrives_is_evicted() {
    let mut door = Door::new(1);
    let mut slow = start_stream(door.admit().await.expect("room"));
    slow.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n").await.expect("it reads");
    sleep(Duration::from_secs(1)).await;
    assert!(ask(&mut connect(&mut door).await).await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(slow.read(&mut [0; 64]).await.expect("an end"), 0, "it is closed");
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
    tokio::spawn(Server { router: waiting, headers: HEADERS, is_stream: |_| false }.talk(server, door.admit().await.expect("room")));
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
    assert!(door.known() <= 8, "{}", door.known());
}

/// A response without end, of which a client reads only the head. The server's writes fill the pipe and then wait.
async fn stall(door: &mut Door) -> DuplexStream {
    let (mut client, server) = duplex(1 << 10);
    let endless = Router::new().fallback(async || Body::new(Endless));
    tokio::spawn(Server { router: endless, headers: HEADERS, is_stream: |_| false }.talk(server, door.admit().await.expect("room")));
    client.write_all(REQUEST).await.expect("it reads");
    client.read_exact(&mut [0; 15]).await.expect("a response");
    client
}

/// A body without end.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = axum::body::Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Infallible>>> {
        std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(axum::body::Bytes::from_static(&[b'x'; 1 << 10])))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_take_its_response_makes_room() {
    let mut door = Door::new(2);
    let _stalled = [stall(&mut door).await, stall(&mut door).await];
    assert!(door.admit().await.is_none(), "both have sent a request");
    sleep(WRITE_TIMEOUT - Duration::from_secs(1)).await;
    assert!(door.admit().await.is_none(), "they may go on");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(door.free(), 2);
    assert!(ask(&mut connect(&mut door).await).await.starts_with("HTTP/1.1 200 OK"), "another one is served");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_response_slowly_is_served() {
    let mut door = Door::new(1);
    let mut slow = stall(&mut door).await;
    for _ in 0..10 {
        sleep(WRITE_TIMEOUT - Duration::from_secs(1)).await;
        slow.read_exact(&mut [0; 512]).await.expect("more");
    }
    assert_eq!(door.free(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_response_has_the_headers_and_a_head_has_a_limit() {
    let mut door = Door::new(1);
    let received = ask(&mut connect(&mut door).await).await;
    assert!(received.contains("\r\nx-content-type-options: nosniff\r\n"), "{received}");
    let mut client = connect(&mut door).await;
    let long = format!("GET / HTTP/1.1\r\nhost: localhost\r\ncookie: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD_BYTES));
    // Fails once the server has refused it.
    let _ = client.write_all(long.as_bytes()).await;
    let mut received = String::new();
    client.read_to_string(&mut received).await.expect("a response, then the end");
    assert!(received.starts_with("HTTP/1.1 431"), "{received}");
}
