// SPDX-License-Identifier: MIT OR Apache-2.0
//! Receives a photo or video that a viewer drops onto the page, and adds it as a source.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use emotion_supervise::place::Place;
use serde_json::{Value, json};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use crate::dashboard::Dashboard;
use crate::sources::input::{Input, clean_name};
use crate::sources::registry::{AddError, Registry};
use crate::sources::upload::{Upload, UploadError};

/// Maximum size of one message.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;
/// Maximum number of files that are sent at the same time.
pub const MAX_UPLOADS: usize = 4;
/// The connection is closed if the browser sends nothing for this long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The reason for which a file does not become a source.
#[derive(Debug, thiserror::Error)]
enum ReceiveError {
    #[error("this dashboard takes no files; see --upload-size")]
    Disabled,
    #[error("expected at most {} MiB; see --upload-size", max_bytes >> 20)]
    TooLarge { max_bytes: u64 },
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Add(#[from] AddError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Task(#[from] JoinError),
}

/// Receives the file `name` in binary messages, each answered with `next`. After the text `end` the answer is JSON: the `id`
/// of the new source or an `error`.
pub async fn receive(mut socket: WebSocket, dashboard: Arc<Dashboard>, name: String) {
    let answer = match receive_file(&mut socket, &dashboard, &name).await {
        Ok(Some(upload)) => spawn_blocking(move || add(&dashboard.sources, upload, &name)).await.unwrap_or_else(|error| Err(error.into())),
        Ok(None) => return,
        Err(error) => Err(error),
    };
    let answer: Value = answer.map_or_else(|error| json!({ "error": error.to_string() }), |id| json!({ "id": id }));
    let _ = timeout(TIMEOUT, socket.send(Message::Text(answer.to_string().into()))).await;
    let _ = timeout(TIMEOUT, socket.send(Message::Close(None))).await;
}

/// Writes what arrives to a file; `None` if the viewer is gone.
async fn receive_file(socket: &mut WebSocket, dashboard: &Dashboard, name: &str) -> Result<Option<Upload>, ReceiveError> {
    let max_bytes = dashboard.options.upload_bytes();
    if max_bytes == 0 {
        return Err(ReceiveError::Disabled);
    }
    let (mut file, upload) = Upload::create(&dashboard.sources.uploads(), Path::new(name))?;
    let mut bytes = 0;
    loop {
        match timeout(TIMEOUT, socket.recv()).await {
            Ok(Some(Ok(Message::Binary(chunk)))) => {
                bytes += chunk.len() as u64;
                if bytes > max_bytes {
                    return Err(ReceiveError::TooLarge { max_bytes });
                }
                file = spawn_blocking(move || file.write_all(&chunk).map(|()| file)).await??;
                if !matches!(timeout(TIMEOUT, socket.send(Message::Text("next".into()))).await, Ok(Ok(()))) {
                    return Ok(None);
                }
            }
            Ok(Some(Ok(Message::Text(text)))) if text.as_str() == "end" => return Ok(Some(upload)),
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            _ => return Ok(None),
        }
    }
}

/// Adds the source and returns its id.
fn add(registry: &Registry, upload: Upload, name: &str) -> Result<u32, ReceiveError> {
    upload.check()?;
    let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let path = fs::canonicalize(upload.path())?;
    let input = Input::Place(Place::File(path));
    let source = registry.add(input, clean_name(&stem).unwrap_or_else(|| "File".into()))?;
    source.keep(upload);
    Ok(source.id)
}
