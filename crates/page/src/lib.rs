// SPDX-License-Identifier: MIT OR Apache-2.0
//! Draws one HTML page of the records that `emotionexport` writes: timelines, shares of the time, pictures of the faces, and
//! the video, which plays where the page is clicked. `emotion-report`, `emotion-scan` and the dashboard write it.
//!
//! ```text
//! NDJSON ─ ndjson ─▶ records ─ faces ─▶ columns ─ page ─▶ HTML with the columns as JSON, and a script that draws them
//!                      │          └─ pictures ─ video (GStreamer)
//!                      └─ outline, best_frame ─▶ a summary as text, and a picture
//! ```
//!
//! The script is made of the modules in `page/`; the dashboard's page uses the [`SHARED_MODULES`] as well. The page needs no other file and
//! loads none but the video. It shows records only: times without a record are blank, because an export says nothing about
//! frames without a face.

mod error;
mod records;
mod ndjson;
mod faces;
mod activity;
mod crop;
mod video;
mod pictures;
mod best_frame;
mod outline;
mod columns;
mod player;
mod page;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use best_frame::best_frame;
use columns::{Data, FaceColumns, SummaryColumns};
use emotion_core::behaviour::face_states::{AWAY_PITCH, AWAY_YAW, BACK_PITCH, BACK_YAW};
use faces::Faces;
use outline::outline;
use page::Page;
use pictures::pictures;
use records::Content;
use video::Video;

pub use error::Error;
pub use page::SHARED_MODULES;
pub use player::{player_address, relative_path};
pub use records::Records;

/// Times of records may end after the video by this much.
const TOLERANCE_NS: u64 = 1_000_000_000;

/// What a page shows besides the records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report<'a> {
    /// The title.
    pub name: &'a str,
    /// The video of the records, from which pictures of the faces are taken.
    pub video: Option<&'a Path>,
    /// The address of the video that the page plays, as from [`player_address`].
    pub player: Option<&'a str>,
    /// A paragraph for a methods section: programs, networks, settings. What a reader must know of all such pages follows it.
    pub methods: Option<&'a str>,
}

impl Report<'_> {
    /// The page as HTML. Without a video, times that start over, as in a loop, go on.
    ///
    /// # Errors
    /// If the video cannot be read, or does not belong to the records.
    pub fn html(&self, mut records: Records) -> Result<String, Error> {
        if self.video.is_none() && self.player.is_none() {
            records.unroll();
        }
        let mut notes = records.notes.clone();
        let (faces, summaries) = match records.all.iter().find(|record| !matches!(record.content, Content::Gone)) {
            None => (None, None),
            Some(record) if matches!(record.content, Content::Totals(_)) => {
                notes.extend(self.video.map(|_| "There are no pictures of faces, because the export has totals only.".to_owned()));
                (None, Some(SummaryColumns::new(&records)))
            }
            Some(_) => (Some(self.faces(&records, &mut notes)?), None),
        };
        notes.extend(export_notes(&records));
        let is_empty = faces.is_none() && summaries.is_none();
        let player = self.player.filter(|_| !is_empty);
        let data = serde_json::to_string(&Data { faces, summaries, player }).expect("columns are JSON");
        let methods = methods(self.methods, &records);
        let (records, notes) = (records.all.len(), notes.as_slice());
        Ok(Page { name: self.name, records, is_empty, notes, methods: &methods, data: &data, has_player: player.is_some() }.html())
    }

    /// Writes the page.
    ///
    /// # Errors
    /// As [`Self::html`], or if the page cannot be written.
    pub fn write(&self, records: Records, page: &Path) -> Result<(), Error> {
        fs::write(page, self.html(records)?).map_err(|source| Error::Write { path: page.to_owned(), source })
    }

    fn faces<'a>(&self, records: &'a Records, notes: &mut Vec<String>) -> Result<FaceColumns<'a>, Error> {
        let faces = Faces::of(records);
        notes.extend(faces.note.clone());
        let mut columns = FaceColumns::new(records, &faces);
        let Some(path) = self.video else { return Ok(columns) };
        let mut video = Video::open(path)?;
        check_length(&video, faces.range_ns().1)?;
        columns.axis = columns.axis.with_video(video.length_ns);
        columns.pictures = pictures(&faces, records, &mut video)?;
        Ok(columns)
    }
}

fn check_length(video: &Video, last_ns: u64) -> Result<(), Error> {
    if last_ns <= video.length_ns + TOLERANCE_NS {
        return Ok(());
    }
    let seconds = |ns: u64| ns as f64 / 1e9;
    Err(Error::OtherVideo { path: video.path.clone(), records_s: seconds(last_ns), video_s: seconds(video.length_ns) })
}

/// How the records were made.
fn export_notes(records: &Records) -> Vec<String> {
    let mut notes = Vec::new();
    if records.is_smoothed {
        notes.push("Scores are smoothed over time.".into());
    }
    if !records.detectors.is_empty() {
        let detectors: Vec<&str> = records.detectors.iter().map(String::as_str).collect();
        notes.push(format!("Face detector: {}.", detectors.join(", ")));
    }
    if records.has_geometry {
        notes.push(format!(
            "A face faces the camera until its head is turned by more than {AWAY_YAW} degrees to a side, or {AWAY_PITCH} up or down, and \
             again from {BACK_YAW} and {BACK_PITCH} degrees on. This is a direction, not attention; and a blink is not tiredness. The \
             network misses some blinks."
        ));
    }
    notes.extend(records.first_utc.as_ref().map(|utc| format!("Time of the first record: {utc}.")));
    notes
}

/// What a reader of any such page must know.
const LIMITS: &str = "Labels are apparent expressions: they say what an expression looks like to people who labelled pictures, not what \
a person feels. Where no label was probable enough, or the face was too small, it is unknown; the share of unknown is reported beside \
every mean. Ids are tracks within one recording: a person who leaves and returns has several. Standard errors are over tracks, not over \
frames. How accuracy differs between groups of people was not measured.";

/// The same about the geometry of faces.
const GEOMETRY_LIMITS: &str = "Facing the camera is a direction of the head, not attention, and a blink is not tiredness. The network \
misses blinks, how many was not measured; they are counted only where frames are at most 70 ms apart.";

/// The paragraph for a methods section, which begins with `made` or with what the records say.
fn methods(made: Option<&str>, records: &Records) -> String {
    let made = made.map_or_else(
        || {
            let detectors: Vec<&str> = records.detectors.iter().map(String::as_str).collect();
            let by = if detectors.is_empty() { String::new() } else { format!(" (face detector {})", detectors.join(", ")) };
            let smoothed = if records.is_smoothed { " Scores were smoothed over time." } else { "" };
            format!("Faces were found and their apparent expressions scored with gst-plugin-emotion{by}.{smoothed}")
        },
        str::to_owned,
    );
    let geometry = if records.has_geometry { [" ", GEOMETRY_LIMITS] } else { [""; 2] }.concat();
    format!("{made} {LIMITS}{geometry}")
}

/// Writes the page of a file of records, by default beside it, and returns its path. With `video` it has pictures of the
/// faces. It also plays that video, or else one beside the records with the same name.
///
/// # Errors
/// If a file cannot be read or written.
pub fn write(path: &Path, video: Option<&Path>, page: Option<&Path>) -> Result<PathBuf, Error> {
    let page = page.map_or_else(|| path.with_extension("html"), Path::to_owned);
    let records = read(path)?;
    if let Some(video) = video.filter(|video| !video.is_file()) {
        return Err(Error::NoVideo { path: video.to_owned() });
    }
    let player = video.map(Path::to_owned).or_else(|| player::beside(path)).and_then(|video| player_address(&video, &page));
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let title = [Some(path), video].into_iter().flatten().map(name).collect::<Vec<_>>().join(", ");
    Report { name: &title, video, player: player.as_deref(), methods: None }.write(records, &page)?;
    Ok(page)
}

/// The records of the file `path` in a few lines of text. The frame of `video` that shows the faces best is written to
/// `picture`, as PNG.
///
/// # Errors
/// If a file cannot be read or written.
pub fn summary(path: &Path, video: &Path, picture: &Path) -> Result<String, Error> {
    let records = read(path)?;
    let best = best_frame(video, &records)?;
    best.picture.write_png(picture)?;
    Ok(format!("{}\n  frame {:<7} {}\n", outline(&records, best.frames), best.index, picture.display()))
}

fn read(path: &Path) -> Result<Records, Error> {
    let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Records::read(BufReader::new(file), path)
}
