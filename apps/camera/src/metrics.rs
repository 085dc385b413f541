// SPDX-License-Identifier: MIT OR Apache-2.0
//! A page for Prometheus, at `/metrics`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use emotion_http::Headers;
use emotion_supervise::metrics::{self, Kind, Labels, Page};
use tokio::net::TcpListener;

use crate::camera::Camera;
use crate::pushed;

/// Maximum number of connections at a time.
const MAX_CONNECTIONS: usize = 64;
/// Each connection has one request.
const HEADERS: Headers = &[("connection", "close")];

/// Metrics of the publisher, their kinds, what they are, and where they are in its `stats`.
const PUBLISHER: [(&str, Kind, &str, &str); 9] = [
    ("connected", Kind::Gauge, "1 while the broker is connected.", "connected"),
    ("queue_messages", Kind::Gauge, "Messages that wait or are in flight.", "queued"),
    ("queue_bytes", Kind::Gauge, "Memory of these messages.", "queued-bytes"),
    ("messages_total", Kind::Counter, "Messages from the stream.", "exported"),
    ("recovered_total", Kind::Counter, "Messages that an earlier process left in the spool.", "recovered"),
    ("sent_total", Kind::Counter, "Messages that the broker has acknowledged.", "sent"),
    ("dropped_total", Kind::Counter, "Messages that were lost.", "dropped"),
    ("rejected_total", Kind::Counter, "Lost messages that the broker never takes, such as too large ones.", "rejected"),
    ("reconnects_total", Kind::Counter, "Connections to the broker after the first.", "reconnects"),
];

/// The value of a field, if it is there.
fn number(stats: &gst::Structure, field: &str) -> Option<f64> {
    let is_true = stats.get::<bool>(field).map(f64::from);
    is_true.or_else(|_| stats.get::<u64>(field).map(|count| count as f64)).ok()
}

/// The text of the page.
fn page(cameras: &[Arc<Camera>]) -> String {
    let mut page = Page::default();
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.add("emotion_camera_info", Kind::Gauge, "The program; always 1.", [(&version[..], 1.0)]);
    let labels: Vec<_> = cameras.iter().map(|camera| [("name", camera.options.name.as_str())]).collect();
    let all = || labels.iter().map(|labels| &labels[..]).zip(cameras);
    page.add_sources(&all().map(|(labels, camera)| (labels, camera.progress.counts())).collect::<Vec<_>>());
    // A camera that could not start records and publishes nothing.
    let recording = all().filter(|(_, camera)| camera.options.files.is_some());
    let recording = recording.map(|(labels, camera)| {
        let is_up = camera.analysis().and_then(|analysis| Some(analysis.recorder.as_ref()?.is_up()));
        (labels, (is_up == Some(true), camera.progress.counts().recording_failures))
    });
    add_recordings(&mut page, &recording.collect::<Vec<_>>());
    let publishing = all().filter(|(_, camera)| camera.options.publish.is_some());
    let stats = publishing.map(|(labels, camera)| (labels, camera.publisher_stats()));
    let disconnected = || gst::Structure::builder("stats").field("connected", false).build();
    add_publishers(&mut page, &stats.map(|(labels, stats)| (labels, stats.unwrap_or_else(disconnected))).collect::<Vec<_>>());
    let pushing = cameras.iter().filter_map(|camera| {
        let sent = camera.analysis()?.pusher.as_ref()?.sent().collect();
        Some((camera.options.name.as_str(), sent))
    });
    pushed::add_metrics(&mut page, &pushing.collect::<Vec<_>>());
    page.into_text()
}

/// Adds the metrics of recordings, of each camera that records: whether it is up, and how often it failed.
fn add_recordings(page: &mut Page, recordings: &[(Labels<'_>, (bool, u64))]) {
    if recordings.is_empty() {
        return;
    }
    let ups = recordings.iter().map(|&(labels, (is_up, _))| (labels, f64::from(is_up)));
    page.add("emotion_recording_up", Kind::Gauge, "1 while frames reach the disk.", ups);
    let failures = recordings.iter().map(|&(labels, (_, failures))| (labels, failures as f64));
    page.add("emotion_recording_failures_total", Kind::Counter, "How often recordings stopped.", failures);
}

/// Adds the metrics of publishers, of each camera that has one.
fn add_publishers(page: &mut Page, publishers: &[(Labels<'_>, gst::Structure)]) {
    for (metric, kind, help, field) in PUBLISHER.into_iter().filter(|_| !publishers.is_empty()) {
        let samples = publishers.iter().filter_map(|(labels, stats)| Some((*labels, number(stats, field)?)));
        page.add(&format!("emotion_publish_{metric}"), kind, help, samples);
    }
}

/// Serves the page on a separate thread. A slow request does not delay others.
///
/// # Errors
/// If the address cannot be listened on.
pub fn serve(listen: SocketAddr, cameras: Vec<Arc<Camera>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(listen));
    let listener = listener.map_err(|error| io::Error::other(format!("cannot listen on {listen}: {error}")))?;
    println!("emotion-camera: metrics at http://{}/metrics", listener.local_addr()?);
    let router = router(move || page(&cameras));
    let serve = emotion_http::serve(listener, router, MAX_CONNECTIONS, HEADERS);
    std::thread::Builder::new().name("metrics".into()).spawn(move || runtime.block_on(serve))?;
    Ok(())
}

fn router(page: impl Fn() -> String + Send + Sync + 'static) -> Router {
    let page = Arc::new(page);
    let metrics = get(async move || ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page()));
    Router::new().route("/metrics", metrics).fallback((StatusCode::NOT_FOUND, "the metrics are at /metrics\n"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Serves a page of one line. Returns the address.
    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(emotion_http::serve(listener, router(|| "a 1\n".into()), MAX_CONNECTIONS, HEADERS));
        address
    }

    /// The response to a request.
    async fn ask(server: SocketAddr, first_line: &str) -> String {
        let mut client = TcpStream::connect(server).await.unwrap();
        client.write_all(format!("{first_line} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn only_the_page_is_served() {
        let server = serve().await;
        let page = ask(server, "GET /metrics?name=door").await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\na 1\n"), "{page}");
        assert!(page.contains("content-type: text/plain; version=0.0.4") && page.contains("content-length: 4\r\n"), "{page}");
        assert!(ask(server, "HEAD /metrics").await.ends_with("\r\n\r\n"));
        let other = ask(server, "GET /").await;
        assert!(other.starts_with("HTTP/1.1 404") && other.ends_with("the metrics are at /metrics\n"), "{other}");
        assert!(ask(server, "POST /metrics").await.starts_with("HTTP/1.1 405"));
    }

    #[tokio::test]
    async fn a_request_is_answered_while_others_are_slow() {
        let server = serve().await;
        let mut slow = Vec::new();
        for _ in 0..5 {
            let mut client = TcpStream::connect(server).await.unwrap();
            client.write_all(b"GET /metr").await.unwrap();
            slow.push(client);
        }
        assert!(ask(server, "GET /metrics").await.ends_with("a 1\n"));
        for mut client in slow {
            client.write_all(b"ics HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut response = String::new();
            client.read_to_string(&mut response).await.unwrap();
            assert!(response.ends_with("a 1\n"), "{response}");
        }
    }

    #[test]
    fn the_promised_metrics_are_kept() {
        gst::init().unwrap();
        let mut page = Page::default();
        page.add_sources(&[]);
        add_recordings(&mut page, &[(&[], (true, 0))]);
        add_publishers(&mut page, &[(&[], gst::Structure::new_empty("stats"))]);
        pushed::add_metrics(&mut page, &[("door", Vec::new())]);
        let text = page.into_text();
        test_support::promises::assert_kept("metrics", text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned));
    }

    #[test]
    fn the_publisher_has_a_metric_for_each_of_its_counts() {
        gst::init().unwrap();
        let stats = gst::Structure::builder("application/x-emotionpublish-stats").field("connected", true);
        let stats = stats.field("dropped", 7_u64).field("rejected", 3_u64).build();
        let mut page = Page::default();
        add_publishers(&mut page, &[(&[("name", "door")], stats)]);
        let text = page.into_text();
        for sample in ["connected{name=\"door\"} 1", "dropped_total{name=\"door\"} 7", "rejected_total{name=\"door\"} 3"] {
            assert!(text.contains(&format!("\nemotion_publish_{sample}\n")), "{text}");
        }
        assert!(!text.contains("emotion_publish_sent_total{"), "no sample without a count: {text}");
    }
}
