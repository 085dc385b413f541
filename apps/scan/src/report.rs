// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page of `pipelines/report.sh`, of all files of a scan.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use emotion_supervise::report;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::findings::{Face, FileFacts, Kind};
use crate::inputs::{Copies, Input};
use crate::journal::Journal;
use crate::table::face_id;

/// Time that a photo takes on the page.
const PHOTO_NS: u64 = 1_000_000_000;

/// Writes the page. The files follow one another on its time axis. A single video has key frames.
///
/// # Errors
/// If Python is missing or the page cannot be written.
pub fn write(page: &Path, name: &str, inputs: &[Input], journal: &Journal, copies: &Copies) -> Result<(), Error> {
    let folder = journal.folder().join("report");
    let records = folder.join(name).with_extension("ndjson");
    fs::create_dir_all(&folder).and_then(|()| write_records(&records, inputs, journal)).map_err(Error::at(&folder))?;
    match single_video(inputs, journal) {
        // A video that can no longer be read has no pictures on the page.
        Some(video) => copies.with(0, video, |path| run(&folder, &records, path.ok(), page)),
        None => run(&folder, &records, None, page),
    }
}

fn run(folder: &Path, records: &Path, video: Option<&Path>, page: &Path) -> Result<(), Error> {
    let mut command = report::command(folder, records, video, page).map_err(Error::at(folder))?;
    let output = command.output().map_err(|error| Error::Report(format!("python3: {error}")))?;
    if output.status.success() { Ok(()) } else { Err(Error::Report(String::from_utf8_lossy(&output.stderr).trim().to_owned())) }
}

/// The video, if the scan has no other file and its pictures can be read.
fn single_video<'a>(inputs: &'a [Input], journal: &Journal) -> Option<&'a Input> {
    let [input] = inputs else { return None };
    let is_video = journal.facts(&input.key).is_some_and(|facts| facts.kind == Some(Kind::Video) && facts.length_ns.is_some());
    (is_video && report::can_have_pictures()).then_some(input)
}

/// Writes the faces as records of `emotionexport`.
fn write_records(path: &Path, inputs: &[Input], journal: &Journal) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut start_ns = 0;
    for input in inputs {
        let facts = journal.facts(&input.key).cloned().unwrap_or_default();
        start_ns += write_file(&mut out, input, &facts, start_ns, journal)?;
    }
    out.flush()
}

/// Writes the faces of a file that begins at `start_ns`, and returns its length.
fn write_file(out: &mut impl Write, input: &Input, facts: &FileFacts, start_ns: u64, journal: &Journal) -> io::Result<u64> {
    let (mut frames_before, mut last_ns) = (0, 0);
    for slice in 0..facts.slices.len() {
        let result = journal.slice(&input.key, slice).map_err(io::Error::other)?.unwrap_or_default();
        let end_ns = facts.slices.get(slice + 1).copied().or(facts.length_ns);
        let slice_ns = end_ns.map_or(PHOTO_NS, |end| end.saturating_sub(facts.slices[slice]));
        let duration_ns = slice_ns / result.frames.max(1);
        for face in &result.faces {
            let scores: Map<String, Value> = result.labels.iter().cloned().zip(face.scores.iter().map(|score| json!(score))).collect();
            let (frame, pts) = (frames_before + face.frame, start_ns + face.time_ns);
            let record = json!({
                "type": "face", "version": 1, "stream": input.key.name, "frame": frame, "pts": pts, "duration": duration_ns,
                "stream_time": pts, "id": face_id(slice, face), "box": rect(face), "detector": face.detector, "label": face.label,
                "score": face.score, "scores": (!face.scores.is_empty()).then_some(scores), "smoothed": facts.kind == Some(Kind::Video),
            });
            writeln!(out, "{record}")?;
            last_ns = last_ns.max(face.time_ns + duration_ns);
        }
        frames_before += result.frames;
    }
    Ok(facts.length_ns.unwrap_or(if facts.slices.is_empty() { 0 } else { last_ns.max(PHOTO_NS) }))
}

fn rect(face: &Face) -> Value {
    let [x, y, w, h] = face.rect;
    json!({"x": x, "y": y, "w": w, "h": h})
}
