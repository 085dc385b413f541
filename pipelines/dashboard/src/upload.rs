// SPDX-License-Identifier: MIT OR Apache-2.0
//! Receives a photo or video that a viewer drops onto the page, and adds it as a source.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use emotion_supervise::place::Place;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::input::{Input, VIDEO_EXTENSIONS, clean_name};
use crate::jpeg;
use crate::registry::Registry;

/// Maximum size of one message.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;
/// File extensions of photos.
const PHOTO_EXTENSIONS: [&str; 3] = ["jpeg", "jpg", "png"];
/// Maximum size of a photo in pixels. Its pixels are in memory.
const MAX_PHOTO_PIXELS: u64 = 60_000_000;
/// Bytes at the start of a file that are examined.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// A file that begins with this many bytes of text is text.
const MAX_TEXT_BYTES: usize = 256;
/// Maximum number of files that are sent at the same time.
pub const MAX_UPLOADS: usize = 4;
/// The connection is closed if the browser sends nothing for this long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A file from a viewer, deleted when it is dropped.
#[derive(Debug)]
pub struct Upload(PathBuf);

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// True if the name is that of a photo.
pub fn is_photo(path: &Path) -> bool {
    has_extension(path, &PHOTO_EXTENSIONS)
}

fn has_extension(path: &Path, known: &[&str]) -> bool {
    path.extension().is_some_and(|extension| known.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Receives the file `name` in binary messages, each answered with `next`. After the text `end` the answer is JSON: the `id`
/// of the new source or an `error`.
pub async fn receive(mut socket: WebSocket, registry: Arc<Registry>, name: String) {
    let answer = match receive_file(&mut socket, &registry, &name).await {
        Ok(Some(upload)) => spawn_blocking(move || add(&registry, upload, &name)).await.unwrap_or_else(|error| Err(error.to_string())),
        Ok(None) => return,
        Err(error) => Err(error),
    };
    let answer: Value = answer.map_or_else(|error| json!({ "error": error }), |id| json!({ "id": id }));
    let _ = timeout(TIMEOUT, socket.send(Message::Text(answer.to_string().into()))).await;
    let _ = timeout(TIMEOUT, socket.send(Message::Close(None))).await;
}

/// Writes what arrives to a file; none if the viewer is gone.
async fn receive_file(socket: &mut WebSocket, registry: &Registry, name: &str) -> Result<Option<Upload>, String> {
    let max_bytes = registry.options().upload_bytes;
    let path = Path::new(name);
    if max_bytes == 0 {
        return Err("this dashboard takes no files; see --upload-size".into());
    }
    if !is_photo(path) && !has_extension(path, &VIDEO_EXTENSIONS) {
        return Err(format!("expected a photo ({}) or a video ({})", PHOTO_EXTENSIONS.join(", "), VIDEO_EXTENSIONS.join(", ")));
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let (mut file, upload) = create(&registry.options().data.join("uploads"), &extension).map_err(|error| error.to_string())?;
    let mut bytes = 0;
    loop {
        match timeout(TIMEOUT, socket.recv()).await {
            Ok(Some(Ok(Message::Binary(chunk)))) => {
                bytes += chunk.len() as u64;
                if bytes > max_bytes {
                    return Err(format!("expected at most {} MiB; see --upload-size", max_bytes >> 20));
                }
                let written = spawn_blocking(move || file.write_all(&chunk).map(|()| file)).await;
                file = written.map_err(std::io::Error::other).flatten().map_err(|error| error.to_string())?;
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

fn create(folder: &Path, extension: &str) -> std::io::Result<(File, Upload)> {
    fs::create_dir_all(folder)?;
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(|error| std::io::Error::other(error.to_string()))?;
    let path = folder.join(format!("{:016x}.{extension}", u64::from_ne_bytes(name)));
    let file = File::options().write(true).create_new(true).open(&path)?;
    Ok((file, Upload(path)))
}

/// Adds the source and returns its id.
fn add(registry: &Registry, upload: Upload, name: &str) -> Result<u32, String> {
    let header = header(&upload.0).map_err(|error| error.to_string())?;
    if is_photo(&upload.0) {
        check_photo(&header)?
    } else {
        check_video(&header)?
    }
    let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let path = fs::canonicalize(&upload.0).map_err(|error| error.to_string())?;
    let input = Input::Place(Place::File(path));
    let source = registry.add(input, clean_name(&stem).unwrap_or_else(|| "File".into()))?;
    source.keep(upload);
    Ok(source.id)
}

/// The first bytes of a file.
fn header(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(MAX_HEADER_BYTES).read_to_end(&mut header)?;
    Ok(header)
}

/// Refuses text: it could be a playlist, by which a decoder reads other files and addresses.
fn check_video(header: &[u8]) -> Result<(), String> {
    let is_text = header.iter().take(MAX_TEXT_BYTES).all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace());
    if is_text { Err("expected a video, found text".into()) } else { Ok(()) }
}

/// Reads the size of a photo before memory is allocated for its pixels.
fn check_photo(header: &[u8]) -> Result<(), String> {
    let size = jpeg::size(header).map(|(width, height)| (u32::from(width), u32::from(height))).or_else(|| png_size(header));
    let (width, height) = size.ok_or("expected a photo in JPEG or PNG format")?;
    if u64::from(width) * u64::from(height) > MAX_PHOTO_PIXELS {
        return Err(format!("expected a photo of at most {} megapixels, found {width} x {height}", MAX_PHOTO_PIXELS / 1_000_000));
    }
    Ok(())
}

/// Width and height of a PNG picture, whose first chunk is IHDR (PNG specification, section 11.2.1).
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let field = |at: usize| Some(u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    (rest.get(4..8)? == b"IHDR").then_some(())?;
    Some((field(8)?, field(12)?)).filter(|&(width, height)| width > 0 && height > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_photo_is_checked_by_its_header() {
        let header = |width: u32| [&b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"[..], &width.to_be_bytes(), &5000_u32.to_be_bytes()].concat();
        assert!(check_photo(b"").unwrap_err().contains("JPEG or PNG"), "an empty file");
        assert_eq!(check_photo(&header(5000)), Ok(()));
        assert!(check_photo(&header(50_000)).unwrap_err().contains("50000 x 5000"));
    }

    #[test]
    fn playlists_are_not_videos() {
        for text in ["", "#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", "\u{feff}<?xml version=\"1.0\"?>\r\n\t<MPD>"] {
            assert!(check_video(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(check_video(b"\0\0\0\x20ftypisom"), Ok(()));
    }

    #[test]
    fn a_file_is_deleted_with_its_source() {
        let (_, upload) = create(&std::env::temp_dir().join("emotion-dashboard-upload"), "png").unwrap();
        let path = upload.0.clone();
        assert!(path.exists());
        drop(upload);
        assert!(!path.exists());
    }

    #[test]
    fn photos_are_known_by_their_extension() {
        assert!(is_photo(Path::new("a/b.JPG")) && is_photo(Path::new("b.png")));
        assert!(!is_photo(Path::new("b.mp4")) && !is_photo(Path::new("jpg")));
    }
}
