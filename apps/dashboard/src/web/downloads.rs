// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that a viewer can save: the newest picture, the records and the report of a source.

use std::io::{self, Read};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::try_unfold;

use super::refused::{Answer, Refused, find, unknown};
use super::report;
use crate::sources::registry::Registry;
use crate::sources::source::{RECORDS, Source};

/// Size of the chunks in which records are read.
const CHUNK_BYTES: usize = 64 << 10;

/// The newest picture of a source.
pub async fn snapshot(State(registry): State<Arc<Registry>>, Path(id): Path<u32>) -> Answer {
    let source = find(&registry, id)?;
    let picture = source.pictures.borrow().clone();
    let picture = picture.ok_or_else(|| Refused(StatusCode::NOT_FOUND, "there is no picture yet".into()))?;
    Ok(attachment(&source, "snapshot.jpg", "image/jpeg", Body::from(picture)))
}

/// A record of a source, from its beginning.
pub async fn download(State(registry): State<Arc<Registry>>, Path((id, name)): Path<(u32, String)>) -> Answer {
    let source = find(&registry, id)?;
    let unknown = || Refused(StatusCode::NOT_FOUND, format!("no record {name}; the records are {}", RECORDS.join(", ")));
    if !source.allows(&name) {
        return Err(hidden());
    }
    let reader = source.recorded(&name).ok_or_else(unknown)?;
    let reader = reader.map_err(Refused::internal)?;
    let kind = if name.ends_with("csv") { "text/csv; charset=utf-8" } else { "application/x-ndjson" };
    let (weak, record) = (Arc::downgrade(&source), name.clone());
    let is_allowed = move || weak.upgrade().is_some_and(|source| source.allows(&record));
    Ok(attachment(&source, &name, kind, stream(reader, is_allowed)))
}

/// The page of a source's records, as `emotion-report` makes it.
pub async fn make_report(State(registry): State<Arc<Registry>>, Path(id): Path<u32>) -> Answer {
    let source = find(&registry, id)?;
    let busy = || Refused(StatusCode::SERVICE_UNAVAILABLE, "another report is being made; try again in a minute".into());
    let turn = report::Turn::take().ok_or_else(busy)?;
    let name = if source.switches().aggregate_only { "room.ndjson" } else { "faces.ndjson" };
    let title = file_name(&source.name);
    let record = source.recorded(name).ok_or_else(|| unknown(id))?;
    let mut record = record.map_err(Refused::internal)?;
    let page = tokio::task::spawn_blocking(move || report::write(turn, &mut record, &title)).await;
    let page = page.map_err(Refused::internal)?.map_err(Refused::internal)?;
    // It may have been switched meanwhile.
    if !source.allows(name) {
        return Err(hidden());
    }
    Ok(attachment(&source, "report.html", "text/html; charset=utf-8", Body::from(page)))
}

fn hidden() -> Refused {
    Refused(StatusCode::FORBIDDEN, "individual faces are hidden; only totals can be downloaded".into())
}

/// Replaces characters that file names may not have on every system.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// A download whose file name has the source's name and `name`.
fn attachment(source: &Source, name: &str, kind: &str, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{}-{name}\"", file_name(&source.name));
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], body).into_response()
}

/// A body that is read from `reader` as fast as the client takes it. It breaks off when `is_allowed` becomes false.
pub fn stream(reader: Box<dyn Read + Send>, is_allowed: impl Fn() -> bool + Send + 'static) -> Body {
    let chunks = try_unfold((reader, is_allowed), |(mut reader, is_allowed)| async move {
        if !is_allowed() {
            return Err(io::Error::other("the source is gone, or its individual faces are hidden"));
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = reader.read(&mut chunk)?;
            chunk.truncate(length);
            Ok::<_, io::Error>((chunk, reader))
        });
        let (chunk, reader) = read.await.map_err(io::Error::other)??;
        Ok::<_, io::Error>((!chunk.is_empty()).then_some((chunk, (reader, is_allowed))))
    });
    Body::from_stream(chunks)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_download_breaks_off_when_it_is_no_longer_allowed() {
        let allowed = Arc::new(AtomicBool::new(true));
        let is_allowed = allowed.clone();
        let endless = stream(Box::new(std::io::repeat(b'x')), move || is_allowed.load(Ordering::Relaxed));
        let mut chunks = endless.into_data_stream();
        assert_eq!(chunks.next().await.unwrap().unwrap().len(), CHUNK_BYTES);
        allowed.store(false, Ordering::Relaxed);
        assert!(chunks.next().await.unwrap().is_err());
    }
}
