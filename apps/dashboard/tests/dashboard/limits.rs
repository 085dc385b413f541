// SPDX-License-Identifier: MIT OR Apache-2.0
//! What many requests, sources and files may use.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::json;
use test_support::fetched;

use crate::support::{Dashboard, until};

#[test]
fn a_second_report_is_refused_while_one_is_made() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("reports", &["media/clip.avi"]);
    if dashboard.get("/api/sources").json()["can_report"] != true {
        return;
    }
    until("a record", || (!dashboard.get("/api/sources/1/records/faces.ndjson").body.is_empty()).then_some(()));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..16).map(|_| scope.spawn(|| dashboard.get("/api/sources/1/report.html").status)).collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert_eq!(dashboard.get("/api/sources/1/report.html").status, 200, "the next one");
}

#[test]
fn a_playlist_does_not_make_the_server_open_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let dashboard = Dashboard::start("playlist", &[]);
    let address = listener.local_addr().unwrap();
    let list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://{address}/a.ts\n#EXT-X-ENDLIST\n");
    std::fs::write(dashboard.folder.0.join("media/list.mp4"), list).unwrap();
    assert_eq!(dashboard.post("/api/sources", &json!({"kind": "file", "address": "list.mp4"})).status, 201);
    dashboard.wait_for(1, "a second attempt", |source| source["attempts"].as_u64() >= Some(2));
    assert_eq!(listener.accept().map(|_| ()).unwrap_err().kind(), ErrorKind::WouldBlock, "nobody has connected");
}
