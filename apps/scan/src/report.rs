// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page of `emotion-report`, of all files of a scan.

use std::path::Path;

use emotion_page::{Records, Report, player_address};
use emotion_photo_reader::Reading;
use emotion_records::{FaceBox, FaceLine, Pose, Times};
use gstemotion::face_geometry::BLENDSHAPES;

use crate::error::Error;
use crate::findings::{self, FileFacts, Geometry, Kind, SliceResult};
use crate::inputs::{Copies, Input};
use crate::journal::Journal;
use crate::table::face_id;

/// Time that a photo takes on the page.
const PHOTO_NS: u64 = 1_000_000_000;

/// Writes the page of the table `name`, with the paragraph `methods`. The files follow one another on its time axis. The page of a single video has pictures
/// and plays it.
///
/// # Errors
/// If the results or the video cannot be read, or the page cannot be written.
pub fn write(page: &Path, name: &str, methods: &str, inputs: &[Input], journal: &Journal, copies: &Copies) -> Result<(), Error> {
    let records = records(inputs, journal)?;
    match single_video(inputs, journal) {
        // A video that can no longer be read has no pictures on the page, and neither has an animation, which browsers do not play.
        Some(video) => copies.with(0, video, |path| {
            let path = path.ok().filter(|path| matches!(Reading::of(path), Ok(Reading::Stream(_))));
            // The copy of a remote video is removed.
            let player = path.filter(|_| !video.is_remote()).and_then(|path| player_address(path, page));
            write_page(page, (name, methods), (path, player.as_deref()), records)
        }),
        None => write_page(page, (name, methods), (None, None), records),
    }
}

/// `video` and the address of the `player` are none for several files.
fn write_page(
    page: &Path,
    (name, methods): (&str, &str),
    (video, player): (Option<&Path>, Option<&str>),
    records: Records,
) -> Result<(), Error> {
    let title = video.and_then(Path::file_name).map_or_else(|| name.to_owned(), |video| format!("{name}, {}", video.to_string_lossy()));
    Report { name: &title, video, player, methods: Some(methods) }.write(records, page).map_err(Error::Report)
}

/// The video, if the scan has no other file.
fn single_video<'a>(inputs: &'a [Input], journal: &Journal) -> Option<&'a Input> {
    let [input] = inputs else { return None };
    let is_video = journal.facts(0).is_some_and(|facts| facts.kind == Some(Kind::Video) && facts.length_ns.is_some());
    is_video.then_some(input)
}

fn records(inputs: &[Input], journal: &Journal) -> Result<Records, Error> {
    let mut records = Records::default();
    let mut start_ns = 0;
    for (file, input) in inputs.iter().enumerate() {
        let facts = journal.facts(file).cloned().unwrap_or_default();
        start_ns += push_file(&mut records, (file, input), &facts, start_ns, journal)?;
    }
    Ok(records)
}

/// Adds the faces of a file that begins at `start_ns`, and returns its length.
fn push_file(
    records: &mut Records,
    (file, input): (usize, &Input),
    facts: &FileFacts,
    start_ns: u64,
    journal: &Journal,
) -> Result<u64, Error> {
    let (mut frames_before, mut last_ns) = (0, 0);
    for slice in 0..facts.slices.len() {
        let result = journal.slice(file, slice)?.unwrap_or_default();
        let end_ns = facts.slices.get(slice + 1).copied().or(facts.length_ns);
        let slice_ns = end_ns.map_or(PHOTO_NS, |end| end.saturating_sub(facts.slices[slice]));
        let duration_ns = slice_ns / result.frames.max(1);
        for found in &result.faces {
            let times = Times { pts: start_ns + found.time_ns, duration: duration_ns, ..Times::default() };
            let (stream, frame) = (input.key.name.as_str().into(), frames_before + found.frame);
            records.push_face(&FaceLine { stream, frame, times, ..face(found, slice, &result, facts) });
            last_ns = last_ns.max(found.time_ns + duration_ns);
        }
        frames_before += result.frames;
    }
    Ok(facts.length_ns.unwrap_or(if facts.slices.is_empty() { 0 } else { last_ns.max(PHOTO_NS) }))
}

fn face<'a>(found: &'a findings::Face, slice: usize, result: &'a SliceResult, facts: &FileFacts) -> FaceLine<'a> {
    let [x, y, w, h] = found.rect.map(f64::from);
    let scores = result.labels.iter().map(String::as_str).zip(found.scores.iter().copied().map(f64::from));
    FaceLine {
        id: face_id(slice, found),
        r#box: FaceBox { x, y, w, h },
        label: found.label.as_deref().map(Into::into),
        reason: found.reason.as_deref().and_then(|reason| reason.parse().ok()),
        score: found.score.map(f64::from),
        scores: Some(scores.collect()),
        detector: found.detector.as_deref().map(Into::into),
        smoothed: Some(facts.kind == Some(Kind::Video)),
        geometry: found.geometry.as_ref().map(geometry),
        ..FaceLine::default()
    }
}

fn geometry(found: &Geometry) -> emotion_records::Geometry<'static> {
    let [yaw, pitch, roll] = found.pose.map(f64::from);
    emotion_records::Geometry {
        pose: Some(Pose { yaw, pitch, roll }),
        blendshapes: Some(BLENDSHAPES.into_iter().zip(found.blendshapes.iter().copied().map(f64::from)).collect()),
        trust: Some(found.trust.into()),
        ..Default::default()
    }
}
