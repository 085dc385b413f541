// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small web server with faults, for the files of a folder. The first part of the path names the fault.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The user and the password of `/login/`.
pub const LOGIN: &str = "someone:pa%20ss";

/// A running server. It ends with the test program.
pub struct WebServer {
    scheme: &'static str,
    address: SocketAddr,
    site: Arc<Site>,
}

/// What a server serves.
struct Site {
    root: PathBuf,
    /// The number of requests by method and path.
    counts: Mutex<HashMap<String, usize>>,
    /// Called before each download.
    before_download: Box<dyn Fn() + Send + Sync>,
}

/// A request for a file.
struct Request {
    method: String,
    path: String,
    /// First byte that is asked for.
    from: Option<usize>,
    authorization: String,
}

/// The number of requests so far.
struct Count {
    /// Of these, with this method and path.
    same: usize,
    /// Downloads of any file with this fault.
    downloads: usize,
}

impl Site {
    /// Counts a request.
    fn count(&self, request: &Request, fault: &str) -> Count {
        let mut counts = self.counts.lock().unwrap();
        let same = counts.entry(format!("{} {}", request.method, request.path)).or_default();
        *same += 1;
        let same = *same;
        let with_fault = format!("GET /{fault}/");
        let downloads = counts.iter().filter(|(name, _)| name.starts_with(&with_fault)).map(|(_, count)| count).sum();
        Count { same, downloads }
    }
}

impl WebServer {
    /// Serves the files of `root`.
    pub fn start(root: &Path) -> Self {
        Self::start_with(root, None, || ())
    }

    /// Serves the files of `root` by HTTPS if there is a certificate, and calls `before_download` before each download.
    pub fn start_with(root: &Path, tls: Option<Arc<ServerConfig>>, before_download: impl Fn() + Send + Sync + 'static) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let site = Arc::new(Site { root: root.to_owned(), counts: Mutex::default(), before_download: Box::new(before_download) });
        let served = site.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, site, tls) = (stream.unwrap(), served.clone(), tls.clone());
                // A client that closes the connection ends it.
                std::thread::spawn(move || match tls {
                    Some(tls) => serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &site),
                    None => serve(stream, &site),
                });
            }
        });
        Self { scheme, address, site }
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
        self.site.counts.lock().unwrap().get(request).copied().unwrap_or(0)
    }
}

/// One connection, which may have several requests.
fn serve(stream: impl Read + Write, site: &Site) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        if request.method == "GET" {
            (site.before_download)();
        }
        let (fault, name) = request.path.trim_start_matches('/').split_once('/')?;
        let count = site.count(&request, fault);
        answer(reader.get_mut(), &request, fault, &site.root.join(name), count)?;
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
fn answer(stream: &mut (impl Read + Write), request: &Request, fault: &str, file: &Path, count: Count) -> Option<()> {
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
        "changing" => format!("ETag: \"{}{}\"\r\n", count.same, request.method),
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
        "cut" | "restart" if count.same <= 2 => stream.write_all(&body[..half]).ok().and(None),
        "broken" => stream.write_all(&body[..half]).ok().and(None),
        "stalled" => send_and_wait(stream, &body[..half]),
        "first-two-stalled" if count.downloads <= 2 => send_and_wait(stream, &body[..half]),
        "pieces" => body.chunks(body.len() / 20 + 1).try_for_each(|piece| stream.write_all(piece).and_then(|()| stream.flush()).ok()),
        _ => stream.write_all(body).ok(),
    }
}

/// Sends the beginning of a file, and nothing more until the client gives up.
fn send_and_wait(stream: &mut (impl Read + Write), beginning: &[u8]) -> Option<()> {
    stream.write_all(beginning).and_then(|()| stream.flush()).ok()?;
    let _ = stream.read(&mut [0]);
    None
}
