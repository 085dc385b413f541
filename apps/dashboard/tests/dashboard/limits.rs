// SPDX-License-Identifier: MIT OR Apache-2.0
//! What many requests, sources and files may use.

use std::io::ErrorKind;
use std::net::TcpListener;

use gst::prelude::*;
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

#[test]
fn a_video_with_too_many_pixels_is_not_decoded() {
    let dashboard = Dashboard::start("pixels", &[]);
    let large = dashboard.folder.0.join("large.mkv");
    let line = format!(
        "videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=8192,height=8192 ! jpegenc ! matroskamux ! filesink location={}",
        large.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    let before = dashboard.memory_kib();
    assert_eq!(dashboard.upload("large.mkv", &std::fs::read(large).unwrap())["id"], 1);
    let failed = dashboard.wait_for(1, "a refusal", |source| source["state"] == "failed");
    assert!(failed["reason"].as_str().unwrap().contains("at most 20 megapixels, found 8192 x 8192"), "{failed}");
    let grown = dashboard.memory_kib().saturating_sub(before);
    assert!(grown < 300 << 10, "{grown} KiB more");
}
