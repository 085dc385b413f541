// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page of `emotion-report`, of all files of a scan.

use std::path::Path;

use emotion_core::face_geometry::BLENDSHAPES;
use emotion_page::{Records, Report, player_address};
use emotion_photo_reader::Reading;
use emotion_records::{FaceBox, FaceLine, Pose, Times};

use crate::error::Error;
use crate::findings::{self, FileFacts, Geometry, Kind, SliceResult};
use crate::inputs::Input;
use crate::scan::{FileResults, Results};
use crate::table::face_id;

/// Time that a photo takes on the page.
const PHOTO_NS: u64 = 1_000_000_000;

/// Writes the page, with the paragraph `methods`. The files follow one another on its time axis. The page of a single video has
/// pictures and plays it.
pub(crate) fn write(page: &Path, methods: &str, results: &Results<'_>) -> Result<(), Error> {
    let (mut records, mut start_ns) = (Records::default(), 0);
    for file in results.files() {
        start_ns += push_file(&mut records, &file, start_ns)?;
    }
    let name = results.scan.outputs.output.file_name().unwrap_or_default().to_string_lossy();
    let report = Report { name: &name, video: None, player: None, methods: Some(methods) };
    let Some(video) = single_video(results) else { return report.write(records, page).map_err(Error::Report) };
    results.copies.with(0, video, |path| {
        // A video that can no longer be read has no pictures on the page, and neither has an animation, which browsers do not play.
        let path = path.ok().filter(|path| matches!(Reading::of(path), Ok(Reading::Stream(_))));
        // The copy of a remote video is removed.
        let player = path.filter(|_| !video.is_remote()).and_then(|path| player_address(path, page));
        let title = path.and_then(Path::file_name).map(|video| format!("{name}, {}", video.to_string_lossy()));
        let report = Report { name: title.as_deref().unwrap_or(&name), video: path, player: player.as_deref(), ..report };
        report.write(records, page).map_err(Error::Report)
    })
}

/// The video, if the scan has no other file.
fn single_video<'a>(results: &Results<'a>) -> Option<&'a Input> {
    let [input] = results.scan.inputs else { return None };
    let facts = results.journal.facts(0)?;
    // Where seeks change times, the pictures would be those of other frames.
    (facts.kind == Some(Kind::Video) && facts.length_ns.is_some() && facts.origin_ns.is_none()).then_some(input)
}

/// Adds the faces of a file that begins at `start_ns`, and returns its length.
fn push_file(records: &mut Records, file: &FileResults<'_>, start_ns: u64) -> Result<u64, Error> {
    let (facts, mut frames_before, mut last_ns) = (&file.facts, 0, 0);
    for slice in file.slices() {
        let slice = slice?;
        let slice_ns = slice.end_ns.map_or(PHOTO_NS, |end| end.saturating_sub(slice.start_ns));
        let duration_ns = slice_ns / slice.result.frames.max(1);
        for found in &slice.result.faces {
            let times = Times { pts: start_ns + found.time_ns, duration: duration_ns, ..Times::default() };
            let (stream, frame) = (file.input.key.name.as_str().into(), frames_before + found.frame);
            records.push_face(&FaceLine { stream, frame, times, ..face(found, slice.number, &slice.result, facts) });
            last_ns = last_ns.max(found.time_ns + duration_ns);
        }
        frames_before += slice.result.frames;
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
