// SPDX-License-Identifier: MIT OR Apache-2.0
//! The dashboard over HTTP and WebSockets, with a clip of average faces.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::fetched;
use tungstenite::Message;

use crate::support::{Dashboard, PATIENCE, Shown, jpeg, labels, next, reading, receive, until};

/// The labels of the clip, from left to right.
const EXPECTED_LABELS: [&str; 2] = ["happiness", "neutral"];

#[test]
fn a_clip_has_pictures_readings_a_timeline_and_records() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("clip", &["media/clip.avi"]);
    dashboard.wait_for(1, "the clip to play", |source| source["state"] == "playing");
    assert_eq!(dashboard.source(1)["name"], "clip");

    let mut viewer = dashboard.socket("api/sources/1/watch");
    let seen = reading(&mut viewer, "two faces", |reading| labels(reading) == EXPECTED_LABELS);
    assert_eq!(seen["frame"], json!([320, 240]));
    assert_eq!((seen["room"]["faces"].as_u64(), seen["labels"].as_array().map(Vec::len)), (Some(2), Some(8)));
    let picture = loop {
        if let Shown::Picture(picture) = next(&mut viewer) {
            break picture;
        }
    };
    assert!(picture.starts_with(&[0xff, 0xd8]) && picture.ends_with(&[0xff, 0xd9]), "a whole JPEG picture");

    // The clip lasts 1.5 seconds and plays in a loop, so that times in the records restart.
    let lines = until("records of three loops", || {
        let text = dashboard.get("/api/sources/1/records/faces.ndjson").text();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let restarts = lines.windows(2).filter(|pair| pair[0]["pts"].as_u64() > pair[1]["pts"].as_u64()).count();
        (restarts >= 2).then_some(lines)
    });
    assert!(lines.iter().all(|line| line["type"] == "face" && EXPECTED_LABELS.contains(&line["label"].as_str().unwrap())), "{lines:?}");
    let table = dashboard.get("/api/sources/1/records/faces.csv");
    assert!(table.headers.contains("attachment; filename=\"clip-faces.csv\""), "{}", table.headers);
    let mut table = csv::Reader::from_reader(table.body.as_slice());
    let column = table.headers().unwrap().iter().position(|name| name == "label").unwrap();
    assert!(table.records().all(|row| EXPECTED_LABELS.contains(&&row.unwrap()[column])));
    let room = dashboard.get("/api/sources/1/records/room.ndjson").text();
    let room: Vec<Value> = room.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(room.iter().any(|line| line["type"] == "summary" && line["faces_max"] == 2), "{room:?}");
    assert_eq!(dashboard.get("/api/sources/1/records/passwd").status, 404);

    let timeline = dashboard.get("/api/sources/1/timeline").json();
    let points = timeline["points"].as_array().unwrap();
    assert!(points.len() >= 2 && points.iter().all(|point| point[1].as_f64().is_some_and(|faces| faces <= 2.0)), "{timeline}");
    let snapshot = dashboard.get("/api/sources/1/snapshot.jpg");
    assert!(snapshot.status == 200 && snapshot.body.starts_with(&[0xff, 0xd8]), "{}", snapshot.headers);

    let report = dashboard.get("/api/sources/1/report.html");
    assert_eq!(report.status, 200, "{}", report.text());
    assert!(report.text().contains("happiness"), "the report names the label");
}

#[test]
fn switches_reach_pictures_readings_and_records() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("switches", &["media/clip.avi"]);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    reading(&mut viewer, "faces", |reading| labels(reading) == EXPECTED_LABELS);
    // The snapshot is the newest picture. It has more bytes while boxes are drawn, but not right after the clip starts
    // again, because new faces are not confirmed yet.
    until("a picture", || Some(dashboard.get("/api/sources/1/snapshot.jpg")).filter(|answer| answer.status == 200));
    let size = |viewer: &mut _| {
        next(viewer);
        dashboard.get("/api/sources/1/snapshot.jpg").body.len()
    };
    let drawn = (0..10).map(|_| size(&mut viewer)).max().unwrap();

    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"aggregate_only": true})).status, 204);
    assert_eq!(dashboard.source(1)["switches"]["aggregate_only"], true);
    let room = reading(&mut viewer, "totals only", |reading| reading["faces"].is_null() && reading["room"]["faces"] == 2);
    assert!(room["room"]["scores"][1].as_f64().unwrap() > 0.2, "{room}");
    until("a picture without boxes", || {
        let bare = size(&mut viewer);
        (bare * 100 < drawn * 97).then_some(())
    });
    assert_eq!(dashboard.get("/api/sources/1/records/faces.csv").status, 403);
    assert_eq!(dashboard.get("/api/sources/1/records/room.csv").status, 200);

    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"aggregate_only": false})).status, 204);
    reading(&mut viewer, "faces again", |reading| labels(reading) == EXPECTED_LABELS);
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"faces": 1})).status, 422);

    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"blur": true})).status, 204);
    assert_eq!(dashboard.source(1)["switches"]["blur"], true);
}

#[test]
fn a_viewers_photo_or_video_becomes_a_source() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("upload", &["--upload-size", "1"]);
    assert_eq!(dashboard.upload("Two%20faces.JPG", jpeg()), json!({"id": 1}));
    assert_eq!(dashboard.source(1)["name"], "Two faces");
    let mut viewer = dashboard.socket("api/sources/1/watch");
    reading(&mut viewer, "the faces of the photo", |reading| labels(reading) == EXPECTED_LABELS);
    let clip = std::fs::read(dashboard.folder.0.join("media/clip.avi")).unwrap();
    assert_eq!(dashboard.upload("clip.avi", &clip), json!({"id": 2}));
    dashboard.wait_for(2, "the clip to play", |source| source["state"] == "playing");

    let error = |name: &str, bytes: &[u8]| dashboard.upload(name, bytes)["error"].as_str().unwrap_or_default().to_owned();
    assert!(error("notes.txt", b"text").contains("expected a photo"));
    assert!(error("photo.png", b"text").contains("expected a photo, found another kind of file"));
    assert!(error("photo.tif", b"II*\0").contains("found a damaged TIFF photo"));
    assert!(
        error("playlist.mp4", b"#EXTM3U\n#\x01\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n")
            .contains("found application/x-hls")
    );
    assert!(error("large.mp4", &vec![0; 2_000_000]).contains("at most 1 MiB"));
    let files = || std::fs::read_dir(dashboard.folder.0.join("data/uploads")).unwrap().count();
    until("only the files of the two sources", || (files() == 2).then_some(()));
    for id in [1, 2] {
        assert_eq!(dashboard.ask("DELETE", &format!("/api/sources/{id}"), &[], b"").status, 204);
    }
    drop(viewer);
    until("no file without a source", || (files() == 0).then_some(()));
}

#[test]
fn a_failing_source_is_reported_and_retried() {
    let dashboard = Dashboard::start("dead", &["rtsp://user:secret@127.0.0.1:1/"]);
    let failed = dashboard.wait_for(1, "a second attempt", |source| source["attempts"].as_u64() >= Some(2));
    assert_eq!((&failed["state"], &failed["name"]), (&json!("failed"), &json!("127.0.0.1:1")));
    assert!(failed["reason"].as_str().is_some_and(|reason| !reason.is_empty() && !reason.contains("secret")), "{failed}");
    assert!(failed["retry_at"].as_u64() > dashboard.get("/api/sources").json()["now"].as_u64().map(|now| now - 5000));

    dashboard.post("/api/sources/1/stop", &Value::Null);
    dashboard.wait_for(1, "a stop", |source| source["state"] == "stopped");
    assert_eq!(dashboard.ask("DELETE", "/api/sources/1", &[], b"").status, 204);
    assert_eq!(dashboard.source(1), Value::Null);
    assert_eq!(dashboard.ask("DELETE", "/api/sources/1", &[], b"").status, 404);
}

#[test]
fn a_repaired_source_plays_again() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("mended", &[]);
    let (clip, broken) = (dashboard.folder.0.join("media/clip.avi"), dashboard.folder.0.join("media/broken.avi"));
    std::fs::write(&broken, b"no video at all").unwrap();
    let added = dashboard.post("/api/sources", &json!({"kind": "file", "address": "broken.avi", "name": " A <b>name</b>\n"}));
    assert_eq!((added.status, added.json()["id"].as_u64()), (201, Some(1)));
    assert_eq!(dashboard.source(1)["name"], "A <b>name</b>");
    dashboard.wait_for(1, "a failure", |source| source["state"] == "failed");
    std::fs::copy(clip, broken).unwrap();
    dashboard.wait_for(1, "the next attempt", |source| source["state"] == "playing");
    dashboard.post("/api/sources/1/stop", &Value::Null);
    dashboard.wait_for(1, "a stop", |source| source["state"] == "stopped");
    dashboard.post("/api/sources/1/start", &Value::Null);
    dashboard.wait_for(1, "a start", |source| source["state"] == "playing");
}

#[test]
fn a_network_camera_is_reconnected() {
    use gst_rtsp_server::prelude::*;
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("rtsp", &[]);
    gst::init().unwrap();
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_service("0"); // any port that is free
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    let clip = dashboard.folder.0.join("media/clip.avi");
    // The stream ends with the clip.
    factory.set_launch(&format!("( filesrc location={} ! avidemux ! jpegparse ! rtpjpegpay name=pay0 )", clip.display()));
    server.mount_points().unwrap().add_factory("/camera", factory);
    let context = gst::glib::MainContext::new();
    server.attach(Some(&context)).unwrap();
    let main_loop = gst::glib::MainLoop::new(Some(&context), false);
    let serving = std::thread::spawn({
        let main_loop = main_loop.clone();
        move || main_loop.run()
    });

    let address = format!("rtsp://127.0.0.1:{}/camera", server.bound_port());
    assert_eq!(dashboard.post("/api/sources", &json!({"kind": "rtsp", "address": address})).status, 201);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    for time in ["first", "second"] {
        reading(&mut viewer, &format!("faces for the {time} time"), |reading| labels(reading) == EXPECTED_LABELS);
        let failed = dashboard.wait_for(1, "the camera to go", |source| source["state"] == "failed");
        assert!(failed["reason"].as_str().unwrap().contains("ended"), "{failed}");
    }
    main_loop.quit();
    serving.join().unwrap();
}

#[test]
fn a_browser_can_send_pictures() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("browser", &[]);
    let added = dashboard.post("/api/sources", &json!({"kind": "browser", "name": "Me"})).json();
    let key = added["key"].as_str().unwrap();
    dashboard.wait_for(1, "a source that waits", |source| source["state"] == "waiting");
    let own = format!("http://{}", dashboard.address);
    assert!(dashboard.socket_from("api/sources/1/feed?key=guessed", &own).unwrap_err().contains("403"));

    let mut viewer = dashboard.socket("api/sources/1/watch");
    let feeding = std::thread::spawn({
        let mut camera = dashboard.socket(&format!("api/sources/1/feed?key={key}"));
        move || {
            // Until the connection is closed.
            while camera.send(Message::Binary(jpeg().into())).is_ok() && receive(&mut camera).is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    reading(&mut viewer, "faces of the browser's pictures", |reading| labels(reading) == EXPECTED_LABELS);
    dashboard.wait_for(1, "a source that plays", |source| source["state"] == "playing");

    for wrong in [b"not a picture".to_vec(), [&[0xff, 0xd8, 0xff, 0xc0, 0, 17, 8][..], &[0xff; 12]].concat(), vec![0; 2 << 20]] {
        let mut camera = dashboard.socket(&format!("api/sources/1/feed?key={key}"));
        let _ = camera.send(Message::Binary(wrong.into()));
        let end = (0..100).find_map(|_| receive(&mut camera).map_or(Some(true), |message| message.is_close().then_some(true)));
        assert_eq!(end, Some(true), "invalid pictures close the connection");
    }
    assert_eq!(dashboard.source(1)["state"], "playing", "the other connection keeps playing");

    dashboard.ask("DELETE", "/api/sources/1", &[], b"");
    feeding.join().unwrap();
    until("the viewer's end", || {
        loop {
            match receive(&mut viewer) {
                Ok(Message::Close(_)) | Err(_) => return Some(()),
                Ok(_) => {}
            }
        }
    });
}

#[test]
fn many_viewers_are_served_and_slow_ones_skip_pictures() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("viewers", &["media/clip.avi"]);
    dashboard.wait_for(1, "the clip to play", |source| source["state"] == "playing");
    let never_reads = dashboard.socket("api/sources/1/watch");
    let viewers: Vec<_> = (0..24).map(|_| dashboard.socket("api/sources/1/watch")).collect();
    let began = Instant::now();
    let watching = viewers.into_iter().map(|mut viewer| {
        std::thread::spawn(move || {
            let (mut pictures, mut readings) = (0, 0);
            while pictures < 20 || readings < 20 {
                match next(&mut viewer) {
                    Shown::Picture(picture) => pictures += usize::from(picture.starts_with(&[0xff, 0xd8])),
                    Shown::Reading(_) => readings += 1,
                }
                assert!(began.elapsed() < PATIENCE, "{pictures} pictures and {readings} readings");
            }
            viewer
        })
    });
    let viewers: Vec<_> = watching.collect::<Vec<_>>().into_iter().map(|viewer| viewer.join().unwrap()).collect();
    let memory = dashboard.memory_kib();
    // These viewers stop reading while another one receives 30 pictures. Pictures for them are skipped, not queued.
    let mut counter = dashboard.socket("api/sources/1/watch");
    (0..30).for_each(|_| while !matches!(next(&mut counter), Shown::Picture(_)) {});
    let grown = dashboard.memory_kib().saturating_sub(memory);
    assert!(grown < 40_000, "{grown} KiB more");
    assert_eq!(dashboard.source(1)["state"], "playing");
    drop((never_reads, viewers));
}

#[test]
fn closed_connections_free_their_memory() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("come-and-go", &["media/clip.avi"]);
    dashboard.wait_for(1, "the clip to play", |source| source["state"] == "playing");
    let come_and_go = |times: usize| {
        for _ in 0..times {
            let mut viewer = dashboard.socket("api/sources/1/watch");
            while !matches!(next(&mut viewer), Shown::Picture(_)) {}
            assert_eq!(dashboard.get("/").status, 200);
            // Without a close frame.
            drop(viewer);
        }
        dashboard.memory_kib()
    };
    // One-time allocations happen with the first viewers.
    let memory = [50, 100, 100].map(come_and_go);
    println!("KiB after 50, 150 and 250 viewers: {memory:?}");
    assert!(memory[2].saturating_sub(memory[1]) < 8_000, "KiB after 50, 150 and 250 viewers: {memory:?}");
}

#[test]
fn other_hosts_and_origins_are_refused() {
    let dashboard = Dashboard::start("guard", &["--max-sources", "1", "--host", "wall.example"]);
    let page = dashboard.get("/");
    assert_eq!(page.status, 200);
    assert!(page.headers.contains("content-security-policy: default-src 'none'"), "{}", page.headers);
    assert!(
        !page.text().contains("style=") && !page.text().contains("onclick") && !page.text().contains("http"),
        "no inline code and nothing from other servers"
    );
    for file in ["/app.js", "/tile.js", "/style.css", "/icon.svg", "/api/choices"] {
        assert_eq!(dashboard.get(file).status, 200, "{file}");
    }
    assert_eq!(dashboard.get("/api/choices").json()["files"], json!(["clip.avi"]));
    assert_eq!(dashboard.get("/nowhere").status, 404);

    let evil = "origin: http://evil.example";
    assert_eq!(dashboard.ask("GET", "/", &["host: evil.example"], b"").status, 403);
    assert_eq!(dashboard.ask("GET", "/", &["host: wall.example"], b"").status, 200);
    let body = br#"{"kind":"browser"}"#;
    assert_eq!(dashboard.ask("POST", "/api/sources", &[evil, "content-type: application/json"], body).status, 403);
    assert!(dashboard.socket_from("api/list", "http://evil.example").unwrap_err().contains("403"));
    dashboard.socket("api/list");

    assert_eq!(dashboard.ask("POST", "/api/sources", &["content-type: text/plain"], body).status, 415);
    assert_eq!(dashboard.ask("POST", "/api/sources", &["content-type: application/json"], &[b' '; 20_000]).status, 413);
    for wrong in
        [json!({"kind": "screen"}), json!({"kind": "file", "address": "../secret"}), json!({"kind": "rtsp", "address": "http://x/"})]
    {
        let answer = dashboard.post("/api/sources", &wrong);
        assert!((400..500).contains(&answer.status) && answer.json()["error"].is_string(), "{wrong}: {}", answer.status);
    }
    assert_eq!(dashboard.post("/api/sources", &json!({"kind": "browser"})).status, 201);
    let full = dashboard.post("/api/sources", &json!({"kind": "browser"}));
    assert_eq!(full.status, 409);
    assert!(full.json()["error"].as_str().unwrap().contains("1 sources"), "{}", full.text());
}

#[test]
fn the_list_is_updated() {
    let dashboard = Dashboard::start("list", &[]);
    let mut list = dashboard.socket("api/list");
    let mut next = || serde_json::from_str::<Value>(receive(&mut list).unwrap().to_text().unwrap()).unwrap_or_default();
    assert_eq!(next()["sources"], json!([]));
    dashboard.post("/api/sources", &json!({"kind": "browser", "name": "One"}));
    until("the new source", || (next()["sources"][0]["name"] == "One").then_some(()));
}

#[test]
fn a_token_is_required_if_set() {
    let token = "0123456789abcdef";
    let dashboard = Dashboard::start("token", &["--token", token]);
    assert_eq!(dashboard.get("/").status, 401);
    assert_eq!(dashboard.get("/?token=0123456789abcdeX").status, 401);
    assert_eq!(dashboard.get("/api/sources").status, 401);
    assert!(dashboard.socket_from("api/list", &format!("http://{}", dashboard.address)).unwrap_err().contains("401"));
    let welcome = dashboard.get(&format!("/?token={token}"));
    assert_eq!(welcome.status, 303);
    assert!(welcome.headers.contains("httponly") && welcome.headers.contains("location: /"), "{}", welcome.headers);
    assert_eq!(dashboard.ask("GET", "/api/sources", &[&format!("cookie: a=b; emotion-dashboard={token}")], b"").status, 200);
    assert_eq!(dashboard.ask("GET", "/api/sources", &[&format!("authorization: Bearer {token}")], b"").status, 200);
}

#[test]
fn half_sent_requests_do_not_block_others() {
    let dashboard = Dashboard::start_with_descriptors("half-sent", 128);
    let mut list = dashboard.socket("api/list");
    let half_sent: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(dashboard.address).unwrap();
            // Evicted connections may be closed already.
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n");
            stream
        })
        .collect();
    assert_eq!(dashboard.get("/").status, 200);
    dashboard.socket("api/list");
    dashboard.post("/api/sources", &json!({"kind": "browser", "name": "One"}));
    let mut next = || serde_json::from_str::<Value>(receive(&mut list).unwrap().to_text().unwrap()).unwrap_or_default();
    until("the new source, at a viewer who was connected before", || (next()["sources"][0]["name"] == "One").then_some(()));
    drop(half_sent);
}

#[test]
fn connections_over_the_limit_are_refused() {
    // The limit is 32 connections, of which 21 may be WebSockets.
    let dashboard = Dashboard::start_with_descriptors("full", 64);
    let viewers: Vec<_> = (0..21).map(|_| dashboard.socket("api/list")).collect();
    let refused = dashboard.socket_from("api/list", &format!("http://{}", dashboard.address)).unwrap_err();
    assert!(refused.contains("503"), "{refused}");
    assert_eq!(dashboard.get("/").status, 200, "requests are still served");
    drop(viewers);
    until("a connection for another viewer", || dashboard.socket_from("api/list", &format!("http://{}", dashboard.address)).ok());
}

#[test]
fn prometheus_reads_the_counts_of_all_sources() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("metrics", &["media/clip.avi", "rtsp://127.0.0.1:1/"]);
    until("counts", || {
        let is_counted = dashboard.metric("emotion_faces", 1) == Some(2.0) && dashboard.metric("emotion_reconnects_total", 2) >= Some(1.0);
        is_counted.then_some(())
    });
    assert_eq!([1, 2].map(|source| dashboard.metric("emotion_source_up", source)), [Some(1.0), Some(0.0)]);
    assert!(dashboard.metric("emotion_frames_analysed_total", 1) > Some(0.0));
    let page = dashboard.get("/metrics");
    assert!(page.headers.contains("content-type: text/plain; version=0.0.4"), "{}", page.headers);
    let text = page.text();
    assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE emotion_faces ")).count(), 1, "{text}");
}
