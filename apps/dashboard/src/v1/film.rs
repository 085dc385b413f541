// SPDX-License-Identifier: MIT OR Apache-2.0
//! A film to lines of records.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use emotion_core::export::ndjson::NdjsonWriter;
use emotion_core::export::{RecordWriter, VERSION};
use emotion_scan::findings::Kind;
use emotion_scan::sequence::Sequence;
use schemars::JsonSchema;
use serde::Serialize;

use super::analysis::Analysers;
use super::options::Plan;
use super::problem::Problem;
use crate::sources::upload::Upload;

/// The media type of records, a JSON object a line.
pub const NDJSON: &str = "application/x-ndjson";
/// A film is examined for at most this long.
const MAX_TIME: Duration = Duration::from_secs(3600);

/// How far the examination of a film is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Number of examined frames.
    pub frames: AtomicU64,
    /// Number of faces on them.
    pub faces: AtomicU64,
    /// The time of the last examined frame, and the length of the film, in nanoseconds; 0 if it is not known.
    position_ns: AtomicU64,
    length_ns: AtomicU64,
}

impl Progress {
    /// The examined share of the film; `None` if its length is not known.
    pub fn share(&self) -> Option<f64> {
        let (position, length) = (self.position_ns.load(Ordering::Relaxed), self.length_ns.load(Ordering::Relaxed));
        (length > 0).then(|| (position as f64 / length as f64).min(1.0))
    }
}

/// The last line of the records of a film. Without it, they are incomplete.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "end")]
#[schemars(rename = "EndLine", transform = emotion_records::Tag("end"))]
pub struct EndLine {
    /// Version of the fields.
    version: u32,
    /// Number of examined frames.
    frames: u64,
    /// Number of faces on them.
    faces: u64,
    /// Why the film was not examined to its end; null if it was.
    problem: Option<Problem>,
}

/// Opens the film of a client.
///
/// # Errors
/// If it is none, or cannot be decoded.
pub fn open(plan: &Plan, upload: &Upload) -> Result<Sequence, Problem> {
    upload.check_kind(Kind::Video)?;
    let film = plan.open(upload)?;
    let is_film = film.kind() == Kind::Video;
    let photo = || Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected a video, found a photo; POST it to /v1/faces");
    is_film.then_some(film).ok_or_else(photo)
}

/// Examines a film: passes the lines of each frame to `write`, and at last an [`EndLine`], until `write` returns false. Returns why the
/// film was not examined to its end.
pub fn examine(
    analysers: &Analysers,
    plan: &Plan,
    mut film: Sequence,
    progress: &Progress,
    mut write: impl FnMut(Vec<u8>) -> bool,
) -> Option<Problem> {
    let (mut lines, end) = (NdjsonWriter::default(), Instant::now() + MAX_TIME);
    progress.length_ns.store(film.length_ns().unwrap_or_default(), Ordering::Relaxed);
    let examined = analysers.with(plan.wanted, |analyser| {
        while let Some(seen) = film.next_frame(analyser)? {
            let mut text = Vec::new();
            lines.write_faces(&plan.report(&seen), seen.duration_ns, &mut text).map_err(Problem::internal)?;
            progress.frames.fetch_add(1, Ordering::Relaxed);
            progress.faces.fetch_add(seen.faces.len() as u64, Ordering::Relaxed);
            progress.position_ns.store(seen.time_ns, Ordering::Relaxed);
            if !write(text) {
                return Ok(());
            }
            if Instant::now() > end {
                let text = format!("a film is examined for at most {} s; use `every`, or cut it", MAX_TIME.as_secs());
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text));
            }
        }
        Ok(())
    });
    let (frames, faces) = (progress.frames.load(Ordering::Relaxed), progress.faces.load(Ordering::Relaxed));
    let problem = examined.err();
    let last = serde_json::to_string(&EndLine { version: VERSION, frames, faces, problem: problem.clone() });
    write(last.map(|line| line + "\n").unwrap_or_default().into_bytes());
    problem
}
