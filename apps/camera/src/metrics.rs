// SPDX-License-Identifier: MIT OR Apache-2.0
//! A page for Prometheus, at `/metrics`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use emotion_supervise::metrics::{CONTENT_TYPE, Kind, Page};
use emotion_supervise::progress::Progress;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::analysis::Analysis;

/// Maximum size of the head of a request.
const MAX_HEAD: usize = 8 << 10;
/// Maximum number of requests at a time. Further ones wait until one of these ends.
const MAX_REQUESTS: usize = 64;
/// Maximum time for a request and its answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Value = fn(&gst::Structure) -> Option<f64>;

/// Metrics of the publisher and where they are in its `stats`.
const PUBLISHER: [(&str, Kind, &str, Value); 8] = [
    ("emotion_publish_connected", Kind::Gauge, "1 while the broker is connected.", |stats| {
        stats.get::<bool>("connected").ok().map(f64::from)
    }),
    ("emotion_publish_queue_messages", Kind::Gauge, "Messages that wait or are in flight.", |stats| number(stats, "queued")),
    ("emotion_publish_queue_bytes", Kind::Gauge, "Memory of these messages.", |stats| number(stats, "queued-bytes")),
    ("emotion_publish_messages_total", Kind::Counter, "Messages from the stream.", |stats| number(stats, "exported")),
    ("emotion_publish_recovered_total", Kind::Counter, "Messages that an earlier process left in the spool.", |stats| {
        number(stats, "recovered")
    }),
    ("emotion_publish_sent_total", Kind::Counter, "Messages that the broker has acknowledged.", |stats| number(stats, "sent")),
    ("emotion_publish_dropped_total", Kind::Counter, "Messages that were lost.", |stats| number(stats, "dropped")),
    ("emotion_publish_reconnects_total", Kind::Counter, "Connections to the broker after the first.", |stats| number(stats, "reconnects")),
];

fn number(stats: &gst::Structure, field: &str) -> Option<f64> {
    stats.get::<u64>(field).ok().map(|count| count as f64)
}

/// The text of the page.
fn page(name: &str, analysis: &Analysis, progress: &Progress) -> String {
    let mut page = Page::default();
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.add("emotion_camera_info", Kind::Gauge, "The program; always 1.", [(&version[..], 1.0)]);
    let labels = [("name", name)];
    page.add_sources(&[(&labels[..], progress.counts())]);
    if let Some(stats) = analysis.publisher_stats() {
        for (metric, kind, help, value) in PUBLISHER {
            page.add(metric, kind, help, value(&stats).map(|value| (&labels[..], value)));
        }
    }
    page.into_text()
}

/// Serves the page on a thread of its own. A slow request does not delay others.
///
/// # Errors
/// If the address cannot be listened on.
pub fn serve(listen: SocketAddr, name: String, analysis: Arc<Analysis>, progress: Arc<Progress>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(listen));
    let listener = listener.map_err(|error| io::Error::other(format!("cannot listen on {listen}: {error}")))?;
    println!("emotion-camera: metrics at http://{}/metrics", listener.local_addr()?);
    let page = Arc::new(move || page(&name, &analysis, &progress));
    std::thread::Builder::new().name("metrics".into()).spawn(move || runtime.block_on(accept(listener, page)))?;
    Ok(())
}

/// Answers the requests of all connections.
async fn accept(listener: TcpListener, page: Arc<impl Fn() -> String + Send + Sync + 'static>) {
    let free = Arc::new(Semaphore::new(MAX_REQUESTS));
    while let Ok(slot) = free.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let page = page.clone();
                tokio::spawn(async move {
                    // Fails if the client is gone or too slow.
                    let _ = timeout(TIMEOUT, answer(stream, &*page)).await;
                    drop(slot);
                });
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Answers one request and closes the connection.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, page: impl Fn() -> String) -> io::Result<()> {
    let head = read_head(&mut stream).await?;
    let (status, kind, body) = match head.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["GET" | "HEAD", path] if path.split('?').next() == Some("/metrics") => ("200 OK", CONTENT_TYPE, page()),
        ["GET" | "HEAD", _] => ("404 Not Found", "text/plain", "the metrics are at /metrics\n".into()),
        _ => ("405 Method Not Allowed", "text/plain", "only GET is allowed\n".into()),
    };
    let length = body.len();
    let shown = if head.starts_with("HEAD ") { "" } else { &body };
    let response = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{shown}");
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if head.len() > MAX_HEAD {
            return Err(io::Error::other("the request is too long"));
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::duplex;
    use tokio::net::TcpStream;

    use super::*;

    /// The response to a request that is sent in two parts, the second after the first was read.
    async fn ask(first: &str, second: &str) -> String {
        let (mut client, server) = duplex(first.len());
        let asked = async {
            // The pipe is full after the first part.
            client.write_all([first, second].concat().as_bytes()).await.unwrap();
            let mut response = String::new();
            client.read_to_string(&mut response).await.unwrap();
            response
        };
        let (answered, response) = tokio::join!(answer(server, || "a 1\n".into()), asked);
        answered.unwrap();
        response
    }

    #[tokio::test]
    async fn only_the_page_is_served() {
        let page = ask("GET /metr", "ics HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4"), "{page}");
        assert!(page.contains("content-length: 4\r\n") && page.ends_with("\r\n\r\na 1\n"), "{page}");
        assert!(ask("HEAD /metrics HTTP/1.1\r\n", "\r\n").await.ends_with("\r\n\r\n"));
        assert!(ask("GET / HTTP/1.1\r\n", "\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(ask("POST /metrics HTTP/1.1\r\n", "\r\n").await.starts_with("HTTP/1.1 405"));
    }

    #[tokio::test]
    async fn a_request_is_answered_while_others_are_slow_and_those_are_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(accept(listener, Arc::new(|| "a 1\n".to_owned())));
        let began = Instant::now();
        let mut slow = Vec::new();
        for _ in 0..5 {
            slow.push(TcpStream::connect(address).await.unwrap());
        }
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert!(response.ends_with("a 1\n"), "{response}");
        let answered = began.elapsed();
        for mut stream in slow {
            assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "closed without an answer");
        }
        assert!(began.elapsed() >= TIMEOUT && answered < TIMEOUT, "{answered:?}, {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_request_without_an_end_is_refused() {
        let (mut client, server) = duplex(MAX_HEAD);
        let sent = async { while client.write_all(&[b'a'; 1024]).await.is_ok() {} };
        let (answered, ()) = tokio::join!(answer(server, String::new), sent);
        assert!(answered.is_err());
    }
}
