// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests to `/v1` of the dashboard, with any head and body: none is an error of the server, and each refusal is a problem.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Request, Response, Uri};
use emotion_dashboard::{Options, router};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower_service::Service;

use crate::input::Input;

const METHODS: [&str; 8] = ["POST", "GET", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT", "ODD"];
const PATHS: [&str; 14] = [
    "/v1/faces",
    "/v1/videos",
    "/v1/jobs/{id}",
    "/v1/jobs/{id}/result",
    "/v1/sources",
    "/v1/sources/{id}/faces",
    "/v1/sources/{id}/summary",
    "/v1/sources/{id}/switches",
    "/v1/models",
    "/v1/health",
    "/v1/openapi.json",
    "/v1",
    "/v1/",
    "/v1/{id}",
];
const IDS: [&str; 8] = ["1", "0", "4294967296", "-1", "x", "", "%00", "%ff"];
const QUERIES: [&str; 12] = [
    "every=0.5",
    "every=-1",
    "every=1e400",
    "every=",
    "geometry=true",
    "geometry=2",
    "turn=auto",
    "turn=45",
    "prior=balanced",
    "name=%ff",
    "limit=0",
    "&&==",
];
const HEADERS: [(&str, &str); 14] = [
    ("content-type", "application/json"),
    ("content-type", "application/merge-patch+json"),
    ("content-type", "image/x-tga"),
    ("content-type", "image/x-portable-pixmap"),
    ("content-type", "video/x-motion-jpeg"),
    ("content-type", "multipart/form-data"),
    ("content-length", "18446744073709551615"),
    ("content-length", "-1"),
    ("expect", "100-continue"),
    ("prefer", "respond-async, wait=1"),
    ("authorization", "Bearer "),
    ("origin", "null"),
    ("origin", "https://lab.example"),
    ("host", "evil.example"),
];
/// Starts of files, which bytes of the case follow.
const STARTS: [&[u8]; 10] = [
    b"",
    b"{\"blur\": ",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"GIF89a\x04\0\x04\0",
    b"\xff\xd8\xff\xc0\0\x11\x08\0\x04\0\x04",
    b"II*\0\x08\0\0\0",
    b"RIFF\x10\0\0\0WEBPVP8 ",
    b"P5\n4 4\n255\n",
    b"#EXTM3U\n",
    b"\0\0\0\x18ftypisom\0\0\0\0isom",
];

/// A server without a network, and the folder in which it keeps files of clients while it examines them.
struct Server {
    runtime: Runtime,
    router: Router,
    uploads: PathBuf,
}

fn server() -> &'static Mutex<Server> {
    static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
    SERVER.get_or_init(|| {
        let data = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz/requests-{}", std::process::id()));
        let arguments = ["emotion-dashboard", "--api-only", "--upload-size", "1", "--cors", "https://lab.example", "--data"];
        let arguments = arguments.into_iter().map(Into::into).chain([data.clone().into_os_string()]);
        let router = router(Options::read(arguments).expect("options")).expect("a server");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Mutex::new(Server { runtime, router, uploads: data.join("uploads") })
    })
}

impl Server {
    fn ask(&mut self, request: Request<Body>) -> (Response<()>, Vec<u8>) {
        self.runtime.block_on(async {
            let answered = self.router.call(request).await.unwrap_or_else(|never| match never {});
            let (head, body) = answered.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a whole body");
            (Response::from_parts(head, ()), body.to_vec())
        })
    }

    /// The number of files of clients.
    fn files(&self) -> usize {
        std::fs::read_dir(&self.uploads).map_or(0, Iterator::count)
    }

    /// Deletes a job that a case has begun, and waits until its files are gone.
    fn delete(&mut self, location: &HeaderValue) {
        let location = location.to_str().expect("an address").to_owned();
        for (method, expected) in [("GET", 200), ("DELETE", 204), ("GET", 404)] {
            let request =
                Request::builder().method(method).uri(&location).header("host", "localhost").body(Body::empty()).expect("a request");
            let (head, _) = self.ask(request);
            assert_eq!(head.status(), expected, "{method} {location}");
        }
        while self.files() > 0 {
            self.runtime.block_on(async { tokio::time::sleep(std::time::Duration::from_millis(1)).await });
        }
    }
}

pub fn check(input: &mut Input) {
    let Some(request) = request(input) else { return };
    let asked = format!("{request:?}");
    let mut server = server().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let is_head = request.method() == "HEAD";
    let (head, body) = server.ask(request);
    let status = head.status();
    assert!(status != 500, "{asked}: {}", String::from_utf8_lossy(&body));
    let kind = head.headers().get("content-type").map(|kind| kind.to_str().expect("text")).unwrap_or_default();
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(kind, "application/problem+json", "{asked}: {status}");
        assert!(is_head || serde_json::from_slice::<Value>(&body).expect("JSON")["status"] == status.as_u16(), "{asked}");
    } else if kind == "application/json" && !is_head {
        serde_json::from_slice::<Value>(&body).expect("JSON");
    }
    match head.headers().get("location") {
        Some(location) => server.delete(location),
        None => assert_eq!(server.files(), 0, "{asked}: a file is left"),
    }
}

/// A request; none if the case has an address that is not valid.
fn request(input: &mut Input) -> Option<Request<Body>> {
    let method = input.pick(&METHODS);
    let id = if input.one_in(4) { input.text() } else { input.pick(&IDS).to_owned() };
    let mut address = input.pick(&PATHS).replace("{id}", &id);
    let queries = input.many(3, |input| if input.one_in(4) { input.text() } else { input.pick(&QUERIES).to_owned() });
    if !queries.is_empty() {
        address += &format!("?{}", queries.join("&"));
    }
    let uri: Uri = address.parse().ok()?;
    let mut request = Request::builder().method(method).uri(uri);
    if !input.one_in(16) {
        request = request.header("host", "localhost:8765");
    }
    let headers = input.many(2, |input| {
        let (name, value) = input.pick(&HEADERS);
        let value = if input.one_in(4) { input.text() } else { value.to_owned() };
        Some((HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    for (name, value) in headers.into_iter().flatten() {
        request.headers_mut()?.insert(name, value);
    }
    let body = [input.pick(&STARTS), input.bytes(usize::MAX)].concat();
    request.body(Body::from(body)).ok()
}
