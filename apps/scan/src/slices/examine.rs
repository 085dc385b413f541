// SPDX-License-Identifier: MIT OR Apache-2.0
//! Examines one slice of one file: its frames to faces.

use std::collections::HashMap;
use std::sync::LazyLock;

use gstemotion::record::FaceRecord;

use super::plan::{Sampler, Slice};
use crate::analysis::{Analyser, Faces};
use crate::decode::{Chosen, Failure, Frame, Frames};
use crate::error::Error;
use crate::findings::{Face, Kind, SliceResult};
use crate::inputs::Input;
use crate::options::Options;
use crate::progress::Counts;
use crate::sampling::Sampling;
use crate::turn::{Direction, Turn};

static CATEGORY: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("emotion-scan", gst::DebugColorFlags::empty(), Some("emotion-scan")));
/// A photo with at most this many faces is searched in the other directions, if that is to be found out. More faces are hardly
/// ever found in a picture that lies on its side.
const FEW_FACES: usize = 2;
/// What the confidences of another direction must have more in sum. A face can be found in two directions.
const CLEARLY_MORE: f32 = 0.25;

/// Examines slice number `index` of a file whose slices begin at `starts`. An error is part of the result.
pub fn examine_at(
    input: &Input,
    index: usize,
    starts: &[u64],
    decoder: Result<Frames, Failure>,
    analyser: &mut Analyser,
    options: &Options,
    counts: &Counts,
) -> SliceResult {
    let slice = Slice::of(starts, index);
    let (sampling, is_only) = (options.sampling(), starts.len() <= 1);
    let keeps_times = matches!(sampling, Sampling::Nearest(_));
    let mut work = Work { input, slice, is_only, analyser, sampling, keeps_times, turn: options.turn, counts };
    let mut result = decoder.and_then(|decoder| work.run(decoder)).unwrap_or_else(|failure| SliceResult {
        error: Some(match failure {
            Failure::Other => "expected a video, found none".into(),
            broken => broken.to_string(),
        }),
        ..SliceResult::default()
    });
    if input.is_changed() {
        result.error = Some("the file was changed while it was examined; scan it again when nothing writes to it".into());
    }
    result
}

/// A slice to examine, and with what.
struct Work<'a> {
    input: &'a Input,
    slice: Slice,
    /// Set if the file has no other slice.
    is_only: bool,
    analyser: &'a mut Analyser,
    sampling: Sampling,
    keeps_times: bool,
    turn: Turn,
    counts: &'a Counts,
}

impl Work<'_> {
    /// Examines the slice. If the marks of keyframes are wrong, all its frames are decoded instead.
    ///
    /// # Errors
    /// If the file cannot be decoded at the slice.
    fn run(&mut self, decoder: Frames) -> Result<SliceResult, Failure> {
        let Slice { run_up_ns, start_ns, end_ns } = self.slice;
        let mut decoder = decoder;
        if !self.is_only {
            decoder.continue_at(run_up_ns, start_ns, end_ns)?;
        }
        let (result, ended) = self.examine(&mut decoder);
        let Err(Failure::Unsampled(distrust)) = ended else { return Ok(with_error(result, ended)) };
        gst::warning!(CATEGORY, "{}: {distrust}; all frames of the slice at {start_ns} ns are decoded", self.input.key.name);
        self.sampling = self.sampling.exact();
        let mut decoder = decoder.reopened()?;
        if !self.is_only {
            decoder.continue_at(run_up_ns, start_ns, end_ns)?;
        }
        let (result, ended) = self.examine(&mut decoder);
        Ok(with_error(result, ended))
    }

    /// Examines the frames of the slice, at which `decoder` is, until the first error.
    fn examine(&mut self, decoder: &mut Frames) -> (SliceResult, Result<(), Failure>) {
        let sampler = Sampler::new(self.sampling.every());
        let mut examination = Examination {
            slice: self.slice,
            keeps_times: self.keeps_times,
            sampler,
            tracks: HashMap::new(),
            result: SliceResult::default(),
        };
        let direction = self.turn.direction();
        let ended = match direction {
            None if decoder.kind() == Kind::Photo => examination.run_in_all_directions(decoder, self.analyser, self.counts),
            _ => examination.run(decoder, self.analyser, direction.unwrap_or_default(), self.counts),
        };
        (examination.result, ended)
    }
}

/// The result of a slice that ended in this way.
fn with_error(mut result: SliceResult, ended: Result<(), Failure>) -> SliceResult {
    result.error = match ended {
        Ok(()) if result.frames == 0 => Some("expected frames, found none".into()),
        Ok(()) => None,
        Err(Failure::Other) => Some("the video ended unexpectedly".into()),
        Err(broken) => Some(broken.to_string()),
    };
    result
}

struct Examination {
    slice: Slice,
    keeps_times: bool,
    sampler: Sampler,
    /// Number of each track within the slice.
    tracks: HashMap<u32, u32>,
    result: SliceResult,
}

impl Examination {
    fn run(&mut self, decoder: &mut Frames, analyser: &mut Analyser, direction: Direction, counts: &Counts) -> Result<(), Failure> {
        self.result.turn = direction.degrees();
        analyser.restart(&decoder.tags(), direction).map_err(unanalysed)?;
        while let Some(frame) = decoder.next_frame()? {
            self.result.decoded += 1;
            if self.slice.end_ns.is_some_and(|end| frame.time_ns >= end) {
                break;
            }
            self.take(frame, analyser, counts).map_err(unanalysed)?;
        }
        self.result.frames = decoder.frames()?.unwrap_or(self.result.frames);
        Ok(())
    }

    /// Searches a photo, and if it has few faces, in all directions. Reports the faces of the best one.
    fn run_in_all_directions(&mut self, decoder: &mut Frames, analyser: &mut Analyser, counts: &Counts) -> Result<(), Failure> {
        let tags = decoder.tags();
        while let Some(frame) = decoder.next_frame()? {
            let best = best_direction(&frame, &tags, analyser).map_err(unanalysed)?;
            counts.add_frame(best.1.records.len());
            self.result.turn = best.0.degrees();
            self.report(&best.1, frame.time_ns, self.result.frames);
            self.result.decoded += 1;
            self.result.frames += 1;
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame, analyser: &mut Analyser, counts: &Counts) -> Result<(), Error> {
        let time_ns = frame.time_ns;
        let is_run_up = time_ns < self.slice.start_ns;
        let number = match frame.chosen {
            Chosen::Undecided => self.sampler.wants(time_ns).then_some(self.result.frames),
            Chosen::No => None,
            Chosen::Yes(number) => Some(number),
        };
        if let Some(number) = number {
            let faces = analyser.analyse(frame.sample)?;
            if !is_run_up {
                counts.add_frame(faces.records.len());
                self.report(&faces, time_ns, number);
            }
        }
        self.result.frames += u64::from(!is_run_up);
        Ok(())
    }

    /// Adds the faces of a frame that has `number` frames of the slice before it.
    fn report(&mut self, faces: &Faces, time_ns: u64, number: u64) {
        self.result.examined += 1;
        self.result.size = Some((faces.size.width, faces.size.height));
        self.result.times_ns.extend(self.keeps_times.then_some(time_ns));
        for record in &faces.records {
            if let (true, Some(emotion)) = (self.result.labels.is_empty(), &record.emotion) {
                self.result.labels = emotion.labels.as_slice().to_vec();
            }
            let track = self.track(record);
            self.result.faces.push(Face::new(record, number, time_ns, track));
        }
    }

    /// The elements number tracks across files. Within a slice, numbers begin at 1.
    fn track(&mut self, record: &FaceRecord) -> Option<u32> {
        let next = self.tracks.len() as u32 + 1;
        (record.id != 0).then(|| *self.tracks.entry(record.id).or_insert(next))
    }
}

/// The direction in which a photo is upright, with the faces that are found there.
fn best_direction(frame: &Frame, tags: &[gst::Event], analyser: &mut Analyser) -> Result<(Direction, Faces), Error> {
    let mut search = |direction| {
        analyser.restart(tags, direction)?;
        Ok::<_, Error>((direction, analyser.analyse(frame.sample.clone())?))
    };
    let mut best = search(Direction::Stored)?;
    if best.1.records.len() > FEW_FACES {
        return Ok(best);
    }
    let mut needed = confidence(&best.1) + CLEARLY_MORE;
    for direction in Direction::OTHERS {
        let found = search(direction)?;
        if confidence(&found.1) > needed {
            needed = confidence(&found.1);
            best = found;
        }
    }
    Ok(best)
}

/// The sum of the detector's confidences.
fn confidence(faces: &Faces) -> f32 {
    faces.records.iter().filter_map(|record| record.detection.as_ref()).map(|detection| detection.confidence).sum()
}

/// Turns an error of the elements into one of the slice, since the analysis of other files may succeed.
fn unanalysed(error: Error) -> Failure {
    Failure::Analysis(error.to_string())
}
