// SPDX-License-Identifier: MIT OR Apache-2.0
//! Receives the pictures of a browser's camera.

use std::io::Cursor;
use std::sync::Weak;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use emotion_photo_reader::jpeg;
use tokio::time::timeout;

use crate::sources::source::Source;

/// Maximum size of a picture.
pub const MAX_BYTES: usize = 1 << 20;
/// Maximum size of a picture in pixels: Full HD, landscape or portrait.
const MAX_PIXELS: u32 = 1920 * 1080;
/// Minimum time between two pictures; pictures in between are skipped.
const MIN_INTERVAL: Duration = Duration::from_millis(25);
/// The connection is closed if the browser sends nothing for this long.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Close codes of RFC 6455, section 7.4.1.
const UNSUPPORTED_DATA: u16 = 1003;
const POLICY_VIOLATION: u16 = 1008;

/// Receives pictures until the browser or the source is gone. Each is answered with `next`, so that the browser can limit
/// the number of pictures in flight.
pub async fn receive(mut socket: WebSocket, source: Weak<Source>) {
    let mut last: Option<Instant> = None;
    while let Ok(Some(Ok(message))) = timeout(TIMEOUT, socket.recv()).await {
        let Some(source) = source.upgrade() else { return };
        match message {
            Message::Binary(jpeg) => {
                let Some((width, height)) = jpeg::frame_header(&mut Cursor::new(&jpeg)).map(|found| (found.width, found.height)) else {
                    return close(socket, UNSUPPORTED_DATA, "expected JPEG pictures").await;
                };
                if u32::from(width) * u32::from(height) > MAX_PIXELS {
                    return close(socket, POLICY_VIOLATION, "a picture has at most 1920 x 1080 pixels").await;
                }
                if last.is_none_or(|last| last.elapsed() >= MIN_INTERVAL) {
                    last = Some(Instant::now());
                    source.feed(jpeg);
                }
                drop(source);
                if !matches!(timeout(TIMEOUT, socket.send(Message::Text("next".into()))).await, Ok(Ok(()))) {
                    return;
                }
            }
            Message::Close(_) => return,
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    let _ = timeout(TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
}
