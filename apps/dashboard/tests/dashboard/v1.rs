// SPDX-License-Identifier: MIT OR Apache-2.0
//! The interface `/v1`: pictures and films in, records out, and what it refuses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use emotion_records::{FaceLine, SummaryLine};
use serde_json::{Value, json};
use test_support::fetched;

use crate::support::{Answer, Dashboard, PATIENCE, encode, jpeg, labels, until};

/// The labels of the clip, from left to right.
const EXPECTED_LABELS: [&str; 2] = ["happiness", "neutral"];

/// The labels of records, from left to right in the picture.
fn labels_of(faces: &[Value]) -> Vec<String> {
    let boxes = |face: &Value| json!({"box": [face["box"]["x"]], "label": face["label"]});
    labels(&json!({"faces": faces.iter().map(boxes).collect::<Vec<_>>()}))
}

/// The records of a response.
fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Asserts that an answer is a problem with this status, and returns its detail.
fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.headers.contains("content-type: application/problem+json"), "{}", answer.headers);
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")), "{problem}");
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
    problem["detail"].as_str().unwrap().to_owned()
}

impl Dashboard {
    fn send(&self, path: &str, body: &[u8]) -> Answer {
        self.ask("POST", path, &["content-type: application/octet-stream"], body)
    }

    fn clip(&self) -> Vec<u8> {
        std::fs::read(self.folder.0.join("media/clip.avi")).unwrap()
    }

    /// The number of files of clients that are there.
    fn uploads(&self) -> usize {
        std::fs::read_dir(self.folder.0.join("data/uploads")).map_or(0, Iterator::count)
    }
}

#[test]
fn a_picture_has_its_faces_as_records() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("v1-faces", &["--api-only"]);
    let answer = dashboard.send("/v1/faces?name=door", jpeg());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let found = answer.json();
    assert_eq!(found["picture"], json!({"width": 320, "height": 240, "turn": 0}));
    let faces = found["faces"].as_array().unwrap();
    assert_eq!(labels_of(faces), EXPECTED_LABELS);
    for (index, face) in faces.iter().enumerate() {
        let text = face.to_string();
        let line: FaceLine<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!((&*line.stream, line.id, line.geometry.unwrap().pose), ("door", Some(index as u64 + 1), None));
        assert!(line.landmarks.is_some() && line.scores.is_some_and(|scores| scores.0.len() == 8));
    }
    let again = dashboard.send("/v1/faces?geometry=true&turn=auto&prior=balanced", jpeg()).json();
    let face = &again["faces"][0];
    assert!(face["pose"]["yaw"].as_f64().unwrap().abs() < 20.0 && face["blendshapes"]["jawOpen"].is_number(), "{face}");
    assert_eq!((face["landmarks_70"].as_array().unwrap().len(), &face["id"]), (70, &json!(1)), "ids begin anew");
    let turned = dashboard.send("/v1/faces?turn=90", jpeg()).json();
    assert_eq!(turned["picture"], json!({"width": 320, "height": 240, "turn": 90}), "its size is that before the turn");
    assert_eq!(dashboard.uploads(), 0, "nothing is kept");
}

#[test]
fn what_is_refused_is_a_problem_with_a_reason() {
    let dashboard = Dashboard::start("v1-problems", &["--api-only", "--upload-size", "1"]);
    let faces = |body: &[u8]| dashboard.send("/v1/faces", body);
    assert!(problem(&faces(&vec![0; (1 << 20) + 1]), 413).contains("at most 1 MiB"));
    assert!(problem(&faces(b""), 400).contains("found nothing"));
    assert!(problem(&faces(b"text"), 415).contains("expected a photo"));
    assert!(problem(&faces(&dashboard.clip()), 415).contains("expected a photo"));
    problem(&faces(b"\xff\x0a\0\0"), 415);
    problem(&faces(b"\x89PNG\r\n\x1a\n"), 422);
    // The start of a JPEG and its frame header, with 5000 rows of 50,000 pixels.
    let large = [&[0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0x13, 0x88][..], &50_000_u16.to_be_bytes(), &[3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]];
    assert!(problem(&faces(&large.concat()), 413).contains("60 megapixels"));
    let form = dashboard.ask("POST", "/v1/faces", &["content-type: multipart/form-data; boundary=a"], b"--a");
    assert!(problem(&form, 415).contains("found a form"));

    problem(&dashboard.send("/v1/faces?turn=45", jpeg()), 400);
    problem(&dashboard.send("/v1/videos?every=0", jpeg()), 400);
    problem(&dashboard.send("/v1/videos?every=NaN", jpeg()), 400);
    assert!(problem(&dashboard.send("/v1/videos", jpeg()), 415).contains("/v1/faces"));
    let list = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1/a.ts\n";
    assert!(problem(&dashboard.send("/v1/videos", list), 415).contains("expected a video"));
    problem(&dashboard.get("/v1/nothing"), 404);
    problem(&dashboard.get("/v1/jobs/1"), 404);
    problem(&dashboard.get("/v1/sources/7/summary"), 404);
    problem(&dashboard.get("/v1/sources/x/summary"), 400);
    let method = dashboard.get("/v1/faces");
    problem(&method, 405);
    assert!(method.headers.contains("allow: post"), "{}", method.headers);
    assert_eq!(dashboard.uploads(), 0);
}

#[test]
fn a_film_is_answered_with_records_and_their_end() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("v1-videos", &["--api-only"]);
    let clip = dashboard.clip();
    let answer = dashboard.send("/v1/videos?name=clip", &clip);
    assert!(answer.headers.contains("content-type: application/x-ndjson"), "{}", answer.headers);
    let records = lines(&answer);
    let (end, frames) = records.split_last().unwrap();
    assert_eq!((&end["type"], &end["frames"], &end["problem"]), (&json!("end"), &json!(15), &Value::Null), "{end}");
    let last: Vec<Value> = frames.iter().filter(|line| line["frame"] == 14).cloned().collect();
    assert_eq!(labels_of(&last), EXPECTED_LABELS);
    assert_eq!((&last[0]["time_s"], &last[0]["stream"], &last[0]["type"]), (&json!(1.4), &json!("clip"), &json!("face")));
    let every = lines(&dashboard.send("/v1/videos?every=0.5", &clip));
    let numbers: std::collections::BTreeSet<u64> = every.iter().filter_map(|line| line["frame"].as_u64()).collect();
    assert_eq!(numbers, [0, 5, 10].into());

    // A film that is cut off is examined as far as it goes.
    let film = dashboard.folder.0.join("film.mov");
    encode(15, "videoconvert ! video/x-raw,format=I420 ! jpegenc ! qtmux faststart=true", &film);
    let film = std::fs::read(film).unwrap();
    let cut = lines(&dashboard.send("/v1/videos", &film[..film.len() - 20_000]));
    let end = cut.last().unwrap();
    assert!(end["frames"].as_u64().unwrap() > 2 && end["problem"]["status"] == 422, "{end}");
    assert_eq!(dashboard.uploads(), 0, "nothing is kept");
}

#[test]
fn a_job_has_progress_a_result_and_an_end() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("v1-jobs", &["--api-only"]);
    let begin = |body: &[u8]| dashboard.ask("POST", "/v1/videos?name=clip", &["prefer: respond-async"], body);
    let begun = begin(&dashboard.clip());
    assert_eq!(begun.status, 202, "{}", begun.text());
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    assert!(begun.headers.contains(&format!("location: /v1/jobs/{id}")), "{}", begun.headers);
    let job = format!("/v1/jobs/{id}");
    let done = until("the job to end", || {
        let status = dashboard.get(&job).json();
        (status["state"] == "done").then_some(status)
    });
    assert_eq!((&done["progress"], &done["frames"], &done["problem"]), (&json!(1.0), &json!(15), &Value::Null), "{done}");
    assert!(done["expires"].as_str().unwrap().ends_with('Z') && done["faces"].as_u64() > Some(20), "{done}");
    let result = dashboard.get(&format!("{job}/result"));
    assert_eq!(result.text(), dashboard.send("/v1/videos?name=clip", &dashboard.clip()).text());
    assert_eq!(dashboard.uploads(), 1, "the records");
    assert_eq!(dashboard.ask("DELETE", &job, &[], b"").status, 204);
    problem(&dashboard.get(&job), 404);
    problem(&dashboard.ask("DELETE", &job, &[], b""), 404);
    until("its file to be deleted", || (dashboard.uploads() == 0).then_some(()));

    // What is no film fails, and counts until it is deleted.
    let refused = until("too many jobs", || Some(begin(b"text")).filter(|answer| answer.status != 202));
    problem(&refused, 429);
    assert!(refused.headers.contains("retry-after: "), "{}", refused.headers);
}

/// Clients that have all places for films, and send none.
fn occupy(dashboard: &Dashboard) -> Vec<TcpStream> {
    let host = dashboard.address;
    let head = format!("POST /v1/videos HTTP/1.1\r\nhost: {host}\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut waiting: Vec<TcpStream> = (0..processors.max(2) / 2).map(|_| TcpStream::connect(dashboard.address).unwrap()).collect();
    for stream in &mut waiting {
        stream.write_all(head.as_bytes()).unwrap();
        let mut asks = [0; 12];
        stream.read_exact(&mut asks).unwrap();
        assert_eq!(&asks, b"HTTP/1.1 100", "it has its place, and waits for the film");
    }
    waiting
}

#[test]
fn a_job_that_is_deleted_before_its_turn_leaves_no_file() {
    let dashboard = Dashboard::start("v1-deleted", &["--api-only"]);
    let _waiting = occupy(&dashboard);
    let files = dashboard.uploads();
    let begun = dashboard.ask("POST", "/v1/videos", &["prefer: respond-async"], b"text");
    let job = format!("/v1/jobs/{}", begun.json()["id"].as_str().unwrap());
    assert_eq!((&dashboard.get(&job).json()["state"], dashboard.uploads()), (&json!("queued"), files + 2), "the film and its records");
    assert_eq!(dashboard.ask("DELETE", &job, &[], b"").status, 204);
    until("its files to be deleted", || (dashboard.uploads() == files).then_some(()));
}

#[test]
fn too_many_films_are_refused_for_some_time() {
    let dashboard = Dashboard::start("v1-busy", &["--api-only"]);
    let waiting = occupy(&dashboard);
    let busy = until("a refusal", || Some(dashboard.send("/v1/videos", b"text")).filter(|answer| answer.status == 503));
    problem(&busy, 503);
    assert!(busy.headers.contains("retry-after: 30"), "{}", busy.headers);
    drop(waiting);
    until("room", || Some(dashboard.send("/v1/videos", b"text")).filter(|answer| answer.status == 415));
}

#[test]
fn sources_are_followed_and_switched() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("v1-sources", &["--api-only", "media/clip.avi"]);
    let playing = until("the clip to play", || {
        let list = dashboard.get("/v1/sources").json();
        (list["sources"][0]["state"] == "playing").then_some(list)
    });
    assert_eq!((&playing["sources"][0]["id"], &playing["sources"][0]["kind"]), (&json!(1), &json!("file")));
    let events = dashboard.get("/v1/sources/1/faces?limit=3");
    assert!(events.headers.contains("content-type: text/event-stream"), "{}", events.headers);
    let text = events.text();
    let records: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(records.len(), 3, "{text}");
    assert!(records.iter().all(|record| serde_json::from_str::<FaceLine<'_>>(record).is_ok_and(|face| &*face.stream == "clip")), "{text}");
    let summary = until("a summary", || Some(dashboard.get("/v1/sources/1/summary")).filter(|answer| answer.status == 200)).text();
    assert!(serde_json::from_str::<SummaryLine<'_>>(&summary).unwrap().frames > 0);

    let switch = |change: &str| {
        let headers = ["content-type: application/merge-patch+json"];
        dashboard.ask("PATCH", "/v1/sources/1/switches", &headers, change.as_bytes())
    };
    let switched = switch(r#"{"interval": 2, "threshold": 0.5}"#).json();
    assert_eq!((&switched["interval"], &switched["threshold"], &switched["blur"]), (&json!(2), &json!(0.5), &json!(false)));
    problem(&switch(r#"{"interval": 0}"#), 400);
    problem(&switch(r#"{"unknown": 0}"#), 422);
    problem(&switch("{"), 400);
    problem(&dashboard.ask("PATCH", "/v1/sources/1/switches", &["content-type: text/plain"], b"{}"), 415);
    problem(&switch(&format!("{{\"prior\": \"{}\"}}", "a".repeat(9000))), 413);

    // Who follows faces goes on when they are shown again.
    let mut follower = TcpStream::connect(dashboard.address).unwrap();
    follower.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(follower, "GET /v1/sources/1/faces HTTP/1.0\r\nhost: {}\r\n\r\n", dashboard.address).unwrap();
    follower.read_exact(&mut [0; 500]).unwrap();
    assert_eq!(switch(r#"{"aggregate_only": true}"#).status, 200);
    problem(&dashboard.get("/v1/sources/1/faces"), 403);
    assert_eq!(switch(r#"{"aggregate_only": false}"#).status, 200);
    follower.read_exact(&mut [0; 20_000]).unwrap();
}

#[test]
fn without_a_page_there_are_v1_and_the_metrics() {
    let arguments = ["--api-only", "--token", "0123456789abcdef", "--cors", "https://lab.example"];
    let dashboard = Dashboard::start("v1-alone", &arguments);
    let ask = |method: &str, path: &str, headers: &[&str]| dashboard.ask(method, path, headers, b"");
    let token = "authorization: Bearer 0123456789abcdef";
    let refused = ask("GET", "/v1/health", &[]);
    assert!(problem(&refused, 401).contains("Authorization: Bearer"), "{}", refused.text());
    assert!(refused.headers.contains("www-authenticate: bearer"), "{}", refused.headers);
    let health = ask("GET", "/v1/health", &[token]);
    assert_eq!(health.json(), json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "sources": 0}));
    assert_eq!(ask("GET", "/metrics", &[token]).status, 200);
    for path in ["/", "/api/sources", "/app.js"] {
        assert_eq!(ask("GET", path, &[token]).status, 404, "{path}");
    }
    problem(&ask("GET", "/v1/health", &[token, "host: evil.example"]), 403);
    problem(&ask("GET", "/v1/health", &[token, "origin: https://evil.example"]), 403);

    let visitor = ask("GET", "/v1/health", &[token, "origin: https://lab.example"]);
    assert!(visitor.status == 200 && visitor.headers.contains("access-control-allow-origin: https://lab.example"), "{}", visitor.headers);
    assert!(!health.headers.contains("access-control"), "{}", health.headers);
    let preflight = ask("OPTIONS", "/v1/faces", &["origin: https://lab.example", "access-control-request-method: POST"]);
    assert!(preflight.status == 204 && preflight.headers.contains("access-control-allow-headers: authorization"), "{}", preflight.headers);
    problem(&ask("POST", "/v1/faces", &["origin: https://lab.example"]), 401);
}

#[test]
fn the_interface_describes_itself() {
    let dashboard = Dashboard::start("v1-openapi", &[]);
    let document = dashboard.get("/v1/openapi.json").json();
    assert_eq!((document["openapi"].as_str(), document["paths"].as_object().map(serde_json::Map::len)), (Some("3.1.0"), Some(10)));
    let page = dashboard.get("/v1");
    assert!(page.headers.contains("text/html") && page.text().contains("POST /v1/faces"), "{}", page.text());
    let networks = dashboard.get("/v1/models").json()["networks"].as_array().unwrap().clone();
    let roles: Vec<&str> = networks.iter().filter_map(|network| network["role"].as_str()).collect();
    assert!(roles.contains(&"detector") && roles.contains(&"expression") && roles.contains(&"geometry"), "{networks:?}");
}

#[test]
fn an_alert_of_a_source_reaches_a_web_server() {
    if !fetched("centerface") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = std::env::temp_dir().join(format!("emotion-dashboard-webhook-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (configuration, secret) = (folder.join("wall.toml"), folder.join("secret"));
    std::fs::write(&secret, "a secret of the test\n").unwrap();
    let location = format!("http://{}/alerts?wall=1", listener.local_addr().unwrap());
    let text = format!(
        "alerts-location = \"{location}\"\nalerts-secret-file = '{}'\n[[alerts]]\nname = \"two\"\nwhen = \"faces > 1\"\n",
        secret.display()
    );
    std::fs::write(&configuration, text).unwrap();
    let _dashboard = Dashboard::start("v1-webhook", &["--api-only", "--config", configuration.to_str().unwrap(), "media/clip.avi"]);
    let mut stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = String::new();
    until("the alert", || {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).unwrap();
        request += std::str::from_utf8(&chunk[..length]).unwrap();
        request.contains("\"version\":1").then_some(())
    });
    std::fs::remove_dir_all(folder).unwrap();
    assert!(request.starts_with("POST /alerts?wall=1 HTTP/1.1\r\n") && request.contains("webhook-signature: v1,"), "{request}");
    assert!(request.contains("emotion-schema: alerts") && request.contains("\"alert\":\"two\""), "{request}");
}
