// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small web server with faults, for the files of a folder. The first part of the path names the fault.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The user and the password of `/login/`.
pub const LOGIN: &str = "someone:pa%20ss";

/// A running server. It ends with the test program.
pub struct WebServer {
    scheme: &'static str,
    address: SocketAddr,
    counts: Counts,
}

/// The number of requests by method and path.
type Counts = Arc<Mutex<HashMap<String, usize>>>;

/// A request for a file.
struct Request {
    method: String,
    path: String,
    /// First byte that is asked for.
    from: Option<usize>,
    authorization: String,
}

impl WebServer {
    /// Serves the files of `root`.
    pub fn start(root: &Path) -> Self {
        Self::start_with(root, None)
    }

    /// Serves the files of `root` by HTTPS if there is a certificate.
    pub fn start_with(root: &Path, tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, counts) = (listener.local_addr().unwrap(), Counts::default());
        let (shared, root) = (counts.clone(), root.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, counts, root, tls) = (stream.unwrap(), shared.clone(), root.clone(), tls.clone());
                // A client that closes the connection ends it.
                std::thread::spawn(move || match tls {
                    Some(tls) => serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &root, &counts),
                    None => serve(stream, &root, &counts),
                });
            }
        });
        Self { scheme, address, counts }
    }

    /// The URL of a path, with a query if it has one.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}/{path}", self.scheme, self.address)
    }

    /// The URL of a path, with the user and the password of `/login/`.
    pub fn url_with_login(&self, path: &str) -> String {
        format!("{}://{LOGIN}@{}/{path}", self.scheme, self.address)
    }

    /// The number of requests, such as those of `GET /files/photo.jpg`.
    pub fn count(&self, request: &str) -> usize {
        self.counts.lock().unwrap().get(request).copied().unwrap_or(0)
    }
}

/// One connection, which may have several requests.
fn serve(stream: impl Read + Write, root: &Path, counts: &Counts) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        let count = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(format!("{} {}", request.method, request.path)).or_default();
            *count += 1;
            *count
        };
        let (fault, name) = request.path.trim_start_matches('/').split_once('/')?;
        answer(reader.get_mut(), &request, fault, &root.join(name), count)?;
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let mut request = Request { method, path: target.split('?').next()?.to_owned(), from: None, authorization: String::new() };
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "range" => request.from = value.strip_prefix("bytes=")?.split('-').next()?.parse().ok(),
            "authorization" => request.authorization = value.to_owned(),
            _ => {}
        }
    }
    Some(request)
}

/// Answers a request. Returns none to close the connection.
fn answer(stream: &mut impl Write, request: &Request, fault: &str, file: &Path, count: usize) -> Option<()> {
    let is_get = request.method == "GET";
    let login = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(LOGIN.replace("%20", " ")));
    let status = match fault {
        "forbidden" => Some("403 Forbidden"),
        "error" => Some("500 Internal Server Error"),
        "signed" if !is_get => Some("403 Forbidden"),
        "login" if request.authorization != login => Some("401 Unauthorized"),
        _ if !file.is_file() => Some("404 Not Found"),
        _ => None,
    };
    if let Some(status) = status {
        return write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").ok();
    }
    let whole = std::fs::read(file).ok()?;
    // Without a version, a client cannot continue a download.
    let etag = match fault {
        "restart" | "plain" => String::new(),
        "changing" => format!("ETag: \"{count}{}\"\r\n", request.method),
        _ => "ETag: \"1\"\r\n".to_owned(),
    };
    let from = request.from.filter(|_| !etag.is_empty());
    let body = &whole[from.unwrap_or(0)..];
    let (status, range) = match from {
        Some(from) => ("206 Partial Content", format!("Content-Range: bytes {from}-{}/{}\r\n", whole.len() - 1, whole.len())),
        None => ("200 OK", String::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\n{etag}{range}Content-Length: {}\r\n\r\n", body.len()).ok()?;
    if !is_get {
        return Some(());
    }
    let half = body.len() / 2;
    match fault {
        "cut" | "restart" if count <= 2 => stream.write_all(&body[..half]).ok().and(None),
        "broken" => stream.write_all(&body[..half]).ok().and(None),
        "stalled" => {
            stream.write_all(&body[..half]).ok()?;
            std::thread::sleep(Duration::from_secs(30));
            None
        }
        "slow" => body.chunks(body.len() / 20 + 1).try_for_each(|piece| {
            std::thread::sleep(Duration::from_millis(100));
            stream.write_all(piece).ok()
        }),
        _ => stream.write_all(body).ok(),
    }
}
