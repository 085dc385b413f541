// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clients of the dashboard: one that gets what the page of a fleet gets, and one that follows a live source by `/v1`. They connect again
//! when they are disconnected.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use test_support::tungstenite::client::IntoClientRequest;
use test_support::tungstenite::{self, Message};

/// Time until a client that was disconnected connects again.
const RETRY: Duration = Duration::from_secs(1);
/// A connection without a word for so long is given up: the server says something every 20 seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// Something that a client got, and when, in seconds from the start.
pub type Got = Arc<Mutex<Vec<(f64, Value)>>>;

/// Both clients, and what they got.
pub struct Clients {
    /// A camera of the fleet, as the page got it.
    pub cameras: Got,
    /// A record of a face, by `/v1`.
    pub faces: Got,
    port: u16,
}

impl Clients {
    /// Connects to the dashboard at a port, until the test ends.
    pub fn start(port: u16, start: Instant) -> Self {
        let clients = Self { cameras: Got::default(), faces: Got::default(), port };
        type Client = fn(u16, &mut dyn FnMut(Value)) -> Option<()>;
        for (client, got) in [(look_at_page as Client, clients.cameras.clone()), (follow_source, clients.faces.clone())] {
            std::thread::spawn(move || {
                // Ends with the test.
                while Arc::strong_count(&got) > 1 {
                    client(port, &mut |value| got.lock().expect("no panic").push((start.elapsed().as_secs_f64(), value)));
                    std::thread::sleep(RETRY);
                }
            });
        }
        clients
    }

    /// The totals of a camera of the fleet from one second to another, since 1970, in spans of 10 s: starts and mean numbers of faces.
    pub fn timeline(&self, camera: u64, from: u64, to: u64) -> Option<Vec<(u64, f64)>> {
        let mut text = String::new();
        let path = format!("/api/cameras/{camera}/timeline?from={from}&to={to}&points=1200");
        get(self.port, &path)?.read_to_string(&mut text).ok()?;
        let timeline: Value = serde_json::from_str(&text).ok()?;
        let points = timeline["points"].as_array()?.iter();
        Some(points.filter_map(|point| Some((point[0].as_u64()?, point[1].as_f64()?))).collect())
    }
}

/// The body of an answer. By HTTP/1.0, it is not cut into chunks.
fn get(port: u16, path: &str) -> Option<impl BufRead> {
    let mut stream = connect(port)?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n\r\n").as_bytes()).ok()?;
    let (mut answer, mut line) = (BufReader::new(stream), String::new());
    answer.read_line(&mut line).ok()?;
    if !line.contains(" 200 ") {
        return None;
    }
    while line.trim() != "" {
        line.clear();
        answer.read_line(&mut line).ok().filter(|count| *count > 0)?;
    }
    Some(answer)
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(SILENCE)).ok()?;
    Some(stream)
}

/// What the page of a fleet gets.
fn look_at_page(port: u16, got: &mut dyn FnMut(Value)) -> Option<()> {
    let mut request = format!("ws://127.0.0.1:{port}/api/overview").into_client_request().ok()?;
    request.headers_mut().insert("origin", format!("http://127.0.0.1:{port}").parse().ok()?);
    let (mut socket, _) = tungstenite::client(request, connect(port)?).ok()?;
    loop {
        let Message::Text(text) = socket.read().ok()? else { continue };
        let message: Value = serde_json::from_str(&text).ok()?;
        message["fleet"]["cameras"].as_array().into_iter().flatten().for_each(|camera| got(camera.clone()));
    }
}

/// The records of the first source.
fn follow_source(port: u16, got: &mut dyn FnMut(Value)) -> Option<()> {
    let mut text = String::new();
    get(port, "/v1/sources")?.read_to_string(&mut text).ok()?;
    let id = serde_json::from_str::<Value>(&text).ok()?["sources"][0]["id"].as_u64()?;
    for line in get(port, &format!("/v1/sources/{id}/faces"))?.lines() {
        if let Some(data) = line.ok()?.strip_prefix("data:") {
            got(serde_json::from_str(data).ok()?);
        }
    }
    None
}
