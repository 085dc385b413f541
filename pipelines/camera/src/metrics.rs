// SPDX-License-Identifier: MIT OR Apache-2.0
//! A page for Prometheus, at `/metrics`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use emotion_supervise::metrics::{CONTENT_TYPE, Kind, Page};
use emotion_supervise::progress::Progress;

use crate::analysis::Analysis;

/// Maximum size of the head of a request.
const MAX_HEAD: usize = 8 << 10;
/// Maximum time for a request. Requests are answered one after the other.
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

/// Serves the page on a thread of its own.
///
/// # Errors
/// If the address cannot be listened on.
pub fn serve(listen: SocketAddr, name: String, analysis: Arc<Analysis>, progress: Arc<Progress>) -> io::Result<()> {
    let listener = TcpListener::bind(listen).map_err(|error| io::Error::other(format!("cannot listen on {listen}: {error}")))?;
    println!("emotion-camera: metrics at http://{}/metrics", listener.local_addr()?);
    std::thread::Builder::new().name("metrics".into()).spawn(move || {
        loop {
            match listener.accept() {
                // Fails if the client is gone or too slow.
                Ok((stream, _)) => drop(answer(stream, || page(&name, &analysis, &progress))),
                Err(_) => std::thread::sleep(ACCEPT_PAUSE),
            }
        }
    })?;
    Ok(())
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, page: impl FnOnce() -> String) -> io::Result<()> {
    stream.set_write_timeout(Some(TIMEOUT))?;
    let head = read_head(&mut stream)?;
    let (status, kind, body) = match head.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["GET" | "HEAD", path] if path.split('?').next() == Some("/metrics") => ("200 OK", CONTENT_TYPE, page()),
        ["GET" | "HEAD", _] => ("404 Not Found", "text/plain", "the metrics are at /metrics\n".into()),
        _ => ("405 Method Not Allowed", "text/plain", "only GET is allowed\n".into()),
    };
    let length = body.len();
    let shown = if head.starts_with("HEAD ") { "" } else { &body };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{shown}")
}

fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let end = Instant::now() + TIMEOUT;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MAX_HEAD {
            return Err(io::Error::other("the request is too slow or too long"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => head.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response to a request that is sent in two parts.
    fn ask(first: &str, second: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = std::thread::spawn(move || answer(listener.accept().unwrap().0, || "a 1\n".into()));
        client.write_all(first.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        client.write_all(second.as_bytes()).unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        server.join().unwrap().unwrap();
        response
    }

    #[test]
    fn only_the_page_is_served() {
        let page = ask("GET /metr", "ics HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(page.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4"), "{page}");
        assert!(page.contains("content-length: 4\r\n") && page.ends_with("\r\n\r\na 1\n"), "{page}");
        assert!(ask("HEAD /metrics HTTP/1.1\r\n", "\r\n").ends_with("\r\n\r\n"));
        assert!(ask("GET / HTTP/1.1\r\n", "\r\n").starts_with("HTTP/1.1 404"));
        assert!(ask("POST /metrics HTTP/1.1\r\n", "\r\n").starts_with("HTTP/1.1 405"));
    }

    #[test]
    fn a_slow_request_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let began = Instant::now();
        assert!(answer(listener.accept().unwrap().0, String::new).is_err());
        assert!(began.elapsed() < TIMEOUT * 3);
    }
}
