// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames of a file with their faces, one after another, for programs that write no tables.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;

use crate::analysis::Analyser;
use crate::decode::{Failure, Frames, Limits};
use crate::findings::Kind;
use crate::sampling::Sampling;
use crate::slices::{Sampler, best_direction};
use crate::turn::{Direction, Turn};

/// An opened photo or video.
#[derive(Debug)]
pub struct Sequence {
    frames: Frames,
    sampler: Sampler,
    /// The direction in which pictures are searched; `None` if it is to be found.
    direction: Option<Direction>,
    /// Number of frames so far.
    decoded: u64,
    /// The number of each track in this file.
    tracks: HashMap<u32, u32>,
}

/// An examined frame.
#[derive(Debug)]
pub struct Seen {
    /// Number of frames before it.
    pub number: u64,
    /// Position in the file, in nanoseconds.
    pub time_ns: u64,
    /// How long it is shown, in nanoseconds; 0 for a photo, and where the file does not say it.
    pub duration_ns: u64,
    /// Its size, as it is stored and turned upright by the file's own marks.
    pub size: Size,
    /// How it was turned before it was searched. Faces have the place that they had before.
    pub direction: Direction,
    /// The faces, with ids from 1 in this file.
    pub faces: Vec<FaceRecord>,
}

impl Sequence {
    /// Opens a file, of which the first frame of each interval of `every` is examined, or all frames.
    ///
    /// # Errors
    /// If it has no pictures, cannot be decoded or is too large.
    pub fn open(path: &Path, limits: Limits, every: Option<Duration>, turn: Turn) -> Result<Self, Failure> {
        let frames = Frames::open(path, limits, every.map_or(Sampling::All, Sampling::First))?;
        let direction = turn.direction().or((frames.kind() != Kind::Photo).then_some(Direction::Stored));
        Ok(Self { frames, sampler: Sampler::new(every), direction, decoded: 0, tracks: HashMap::new() })
    }

    /// Photo or video.
    pub fn kind(&self) -> Kind {
        self.frames.kind()
    }

    /// Length of a video, if its container has it.
    pub fn length_ns(&self) -> Option<u64> {
        self.frames.length_ns().filter(|_| self.kind() == Kind::Video)
    }

    /// The next frame that is examined; `None` at the end. The same `analyser` examines all frames of a file, and no others between.
    ///
    /// # Errors
    /// If the file is damaged there, or the analysis fails.
    pub fn next_frame(&mut self, analyser: &mut Analyser) -> Result<Option<Seen>, Failure> {
        while let Some(frame) = self.frames.next_frame()? {
            let is_first = self.decoded == 0;
            self.decoded += 1;
            let Some(number) = self.sampler.number(&frame, self.decoded - 1) else { continue };
            let duration_ns = frame.sample.buffer().and_then(gst::BufferRef::duration).map_or(0, gst::ClockTime::nseconds);
            let time_ns = frame.time_ns;
            let (direction, found) = match self.direction {
                None => best_direction(&frame, &self.frames.tags(), analyser)?,
                Some(direction) => {
                    if is_first {
                        analyser.restart(&self.frames.tags(), direction)?;
                    }
                    (direction, analyser.analyse(frame.sample)?)
                }
            };
            let mut faces = found.records;
            faces.iter_mut().for_each(|face| face.id = self.track(face.id));
            return Ok(Some(Seen { number, time_ns, duration_ns, size: found.size, direction, faces }));
        }
        Ok(None)
    }

    /// The elements number tracks across files.
    fn track(&mut self, id: u32) -> u32 {
        let next = self.tracks.len() as u32 + 1;
        if id == 0 { 0 } else { *self.tracks.entry(id).or_insert(next) }
    }
}
