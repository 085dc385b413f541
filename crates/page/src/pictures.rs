// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pictures of each face at the moments that show it best, cut out of the video.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::error::Error;
use crate::faces::{Faces, Shown, Track};
use crate::records::Records;
use crate::video::Video;

/// Of one face.
const MAX_PICTURES: usize = 3;
/// Of the page.
const MAX_PICTURES_OF_PAGE: usize = 40;
/// Maximum number of faces that have their own section. `MAX_FACES` of the page's script must not be larger.
const MAX_FACES: usize = 60;

/// A face at one moment.
#[derive(Debug, Serialize)]
pub(crate) struct Picture {
    /// The row of the face in the columns of the page.
    row: usize,
    score: Option<f32>,
    /// In Base64.
    jpeg: String,
}

/// Pictures of the faces that are visible for the longest time.
///
/// # Errors
/// If a frame cannot be read.
pub(crate) fn pictures(faces: &Faces<'_>, records: &Records, video: &mut Video) -> Result<Vec<Picture>, Error> {
    let mut pictures = Vec::new();
    let unknown = records.unknown();
    for (first_row, track) in shown_tracks(faces) {
        for index in best_moments(track, unknown) {
            if pictures.len() == MAX_PICTURES_OF_PAGE {
                return Ok(pictures);
            }
            let Shown { times, seen, .. } = track.shown[index];
            // In the middle of the frame's duration, where rounded times still find the same frame.
            if let Some(jpeg) = video.jpeg(times.pts_ns + times.duration_ns / 2, seen.rect_norm)? {
                pictures.push(Picture { row: first_row + index, score: seen.score, jpeg: STANDARD.encode(jpeg) });
            }
        }
    }
    Ok(pictures)
}

/// The tracks with their own section and their first rows, in the order in which they appear.
fn shown_tracks<'a, 'b>(faces: &'b Faces<'a>) -> Vec<(usize, &'b Track<'a>)> {
    let mut row = 0;
    let mut tracks: Vec<_> = faces
        .tracks
        .iter()
        .map(|track| {
            let first_row = row;
            row += track.shown.len();
            (first_row, track)
        })
        .collect();
    tracks.sort_by_key(|(_, track)| std::cmp::Reverse(track.visible_ns()));
    tracks.truncate(MAX_FACES);
    tracks.sort_by_key(|(_, track)| track.shown[0].times.pts_ns);
    tracks
}

/// The rows in which the most frequent labels of a face have their highest scores, in the order of time.
fn best_moments(track: &Track<'_>, unknown: Option<u32>) -> Vec<usize> {
    let mut labels: Vec<(u32, u64)> = Vec::new();
    let mut best: HashMap<u32, usize> = HashMap::new();
    for (row, shown) in track.shown.iter().enumerate() {
        let Some(label) = shown.seen.label.filter(|label| Some(*label) != unknown) else { continue };
        match labels.iter_mut().find(|(other, _)| *other == label) {
            Some((_, time_ns)) => *time_ns += shown.hold_ns,
            None => labels.push((label, shown.hold_ns)),
        }
        let score = |row: usize| track.shown[row].seen.score.unwrap_or_default();
        best.entry(label).and_modify(|best| *best = if score(row) > score(*best) { row } else { *best }).or_insert(row);
    }
    labels.sort_by_key(|(_, time_ns)| std::cmp::Reverse(*time_ns));
    let mut rows: Vec<usize> = labels.iter().take(MAX_PICTURES).map(|(label, _)| best[label]).collect();
    rows.sort_unstable();
    rows
}
