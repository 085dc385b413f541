// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a picture or film is examined: the query of a request.

use std::time::Duration;

use axum::http::StatusCode;
use emotion_core::export::{FrameReport, FrameTime};
use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;
use emotion_scan::Limits;
use emotion_scan::sequence::{Seen, Sequence};
use emotion_scan::turn::Turn;
use emotion_supervise::chain::Prior;
use schemars::JsonSchema;
use serde::Deserialize;

use super::analysis::Wanted;
use super::problem::Problem;
use crate::sources::input::clean_name;
use crate::sources::switches::choices;
use crate::sources::upload::{MAX_PHOTO_PIXELS, Upload};

/// A file without progress is given up after this time.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Minimum and maximum time between two examined frames of a film, in seconds.
const EVERY_S: [f64; 2] = [0.001, 86_400.0];

/// How a picture or the frames of a film are examined.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PictureOptions {
    /// The `stream` of the records.
    name: Option<String>,
    /// Estimate pose, landmarks and blendshapes of each face too.
    geometry: Option<bool>,
    /// How frequent the expressions are assumed to be: as in front of a camera, or all alike, as in posed or selected pictures.
    #[schemars(schema_with = "choices::<Prior>")]
    prior: Option<Prior>,
    /// Degrees by which a picture is turned clockwise before it is searched; `auto` searches a picture with few faces in all four
    /// directions. Boxes refer to the picture before this turn.
    #[schemars(schema_with = "choices::<Turn>")]
    turn: Option<Turn>,
}

/// Which frames of a film are examined.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FilmOptions {
    /// Seconds between examined frames; without it, every frame is examined.
    #[schemars(range(min = EVERY_S[0], max = EVERY_S[1]))]
    every: Option<f64>,
}

/// How a file is examined.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The `stream` of the records.
    pub name: String,
    /// What the networks need.
    pub wanted: Wanted,
    every: Option<Duration>,
    turn: Turn,
}

impl From<PictureOptions> for Plan {
    fn from(options: PictureOptions) -> Self {
        let PictureOptions { name, geometry, prior, turn } = options;
        let name = name.and_then(|name| clean_name(&name)).unwrap_or_default();
        let wanted = Wanted { geometry: geometry.unwrap_or_default(), prior: prior.unwrap_or_default() };
        Self { name, wanted, every: None, turn: turn.unwrap_or_default() }
    }
}

impl Plan {
    /// That of a film.
    ///
    /// # Errors
    /// If the time between frames is out of range.
    pub fn of_film(frames: PictureOptions, film: FilmOptions) -> Result<Self, Problem> {
        let [min, max] = EVERY_S;
        let wrong = || Problem::new(StatusCode::BAD_REQUEST, format!("expected `every` to be {min} to {max} seconds"));
        let interval = |seconds| if (min..=max).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err(wrong()) };
        Ok(Self { every: film.every.map(interval).transpose()?, ..Self::from(frames) })
    }

    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be examined.
    pub fn open(&self, upload: &Upload) -> Result<Sequence, Problem> {
        let limits = Limits { time: TIMEOUT, pixels: Some(MAX_PHOTO_PIXELS) };
        Ok(Sequence::open(upload.path(), limits, self.every, self.turn)?)
    }

    /// The frame of which records are written.
    pub fn report<'a>(&'a self, seen: &'a Seen) -> FrameReport<'a> {
        let time =
            FrameTime { pts_ns: seen.time_ns, duration_ns: seen.duration_ns, stream_time_ns: Some(seen.time_ns), ..FrameTime::default() };
        let (size, faces): (Size, &[FaceRecord]) = (seen.size, &seen.faces);
        FrameReport { stream: &self.name, frame: seen.number, time, size, faces, misplaced: false }
    }
}
