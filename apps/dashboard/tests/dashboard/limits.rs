// SPDX-License-Identifier: MIT OR Apache-2.0
//! What many requests, sources and files may use.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::json;

use crate::support::Dashboard;

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
