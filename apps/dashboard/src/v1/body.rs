// SPDX-License-Identifier: MIT OR Apache-2.0
//! The body of a request to a file, which is deleted with what examines it.

use std::fs::File;
use std::io::Write;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use futures_util::{StreamExt, TryStreamExt};
use tokio::task::spawn_blocking;

use super::problem::Problem;
use crate::dashboard::Dashboard;
use crate::sources::upload::Upload;

/// Bytes that are written at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes of a refused body that are read nevertheless, so that a client that sends before it listens receives the answer.
const MAX_WASTE_BYTES: usize = 4 << 20;
/// Extensions of formats that a reader knows by the name of the file alone.
const EXTENSIONS: [(&str, &str); 8] = [
    ("image/x-tga", "tga"),
    ("image/x-portable-bitmap", "pnm"),
    ("image/x-portable-graymap", "pnm"),
    ("image/x-portable-pixmap", "pnm"),
    ("image/x-portable-anymap", "pnm"),
    ("image/x-icon", "ico"),
    ("image/vnd.microsoft.icon", "ico"),
    ("video/x-motion-jpeg", "mjpeg"),
];
/// The extension of other files. Their contents say what they are.
const NO_EXTENSION: &str = "file";

/// Writes the body of a request to a file.
///
/// # Errors
/// If it is too large, empty or a form, or does not arrive whole.
pub async fn receive(dashboard: &Dashboard, headers: &HeaderMap, body: Body) -> Result<Upload, Problem> {
    let max_bytes = dashboard.options.upload_bytes();
    if let Err(problem) = check(headers, max_bytes) {
        waste(headers, body).await;
        return Err(problem);
    }
    let (folder, extension) = (dashboard.sources.uploads(), extension(headers));
    let (file, upload) =
        spawn_blocking(move || Upload::open(&folder, extension)).await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    let written = write(file, body.into_data_stream(), max_bytes).await?;
    if written == 0 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "expected a file as the body, found nothing"));
    }
    Ok(upload)
}

/// What the head of a request says about its body.
fn check(headers: &HeaderMap, max_bytes: u64) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if max_bytes == 0 {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this server takes no files; see --upload-size"));
    }
    if text(CONTENT_TYPE).is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/")) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected the file itself as the body, found a form"));
    }
    length.map_or(Ok(()), |length| check_size(length, max_bytes))
}

fn check_size(bytes: u64, max_bytes: u64) -> Result<(), Problem> {
    let problem = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("expected at most {} MiB; see --upload-size", max_bytes >> 20));
    (bytes <= max_bytes).then_some(()).ok_or_else(problem)
}

/// Reads a body that nobody wants. A client that waits for permission has not sent it.
pub async fn waste(headers: &HeaderMap, body: Body) {
    if !headers.contains_key(EXPECT) {
        let _ = axum::body::to_bytes(body, MAX_WASTE_BYTES).await;
    }
}

fn extension(headers: &HeaderMap) -> &'static str {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    EXTENSIONS.iter().find(|(known, _)| kind.eq_ignore_ascii_case(known)).map_or(NO_EXTENSION, |(_, extension)| extension)
}

/// Writes what arrives, and counts it.
async fn write(mut file: File, body: BodyDataStream, max_bytes: u64) -> Result<u64, Problem> {
    let failed = |error: axum::Error| Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body did not arrive whole: {error}"));
    let mut body = body.map_err(failed);
    let (mut bytes, mut waiting) = (0, Vec::new());
    loop {
        let chunk: Option<Bytes> = body.next().await.transpose()?;
        let is_end = chunk.is_none();
        let chunk = chunk.unwrap_or_default();
        bytes += chunk.len() as u64;
        check_size(bytes, max_bytes)?;
        waiting.extend_from_slice(&chunk);
        if waiting.len() >= CHUNK_BYTES || (is_end && !waiting.is_empty()) {
            let text = std::mem::take(&mut waiting);
            let written = spawn_blocking(move || file.write_all(&text).map(|()| file)).await.map_err(Problem::internal)?;
            file = written.map_err(Problem::internal)?;
        }
        if is_end {
            return Ok(bytes);
        }
    }
}
