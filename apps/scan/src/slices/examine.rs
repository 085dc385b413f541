// SPDX-License-Identifier: MIT OR Apache-2.0
//! Examines one slice of one file: its frames to faces.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use emotion_core::record::FaceRecord;

use super::look::{Span, View, look};
use super::plan::{self, Sampler};
use super::times;
use crate::analysis::{Analyser, Faces};
use crate::command_line::CommandLine;
use crate::decode::{Failure, Frame, Frames, Limits, Part};
use crate::error::Error;
use crate::examination::Examination;
use crate::findings::{Face, FileFacts, Kind, SliceResult};
use crate::inputs::{Input, Unavailable};
use crate::models::Models;
use crate::progress::Counts;
use crate::sampling::{ROUNDING_NS, Sampling, Schedule};
use crate::turn::Direction;

static CATEGORY: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("emotion-scan", gst::DebugColorFlags::empty(), Some("emotion-scan")));
/// A photo with at most this many faces is searched in the other directions, if that is to be found out. More faces are hardly
/// ever found in a picture that lies on its side.
const FEW_FACES: usize = 2;
/// What the confidences of another direction must have more in sum. A face can be found in two directions.
const CLEARLY_MORE: f32 = 0.25;

/// Loaded networks, and how they examine files.
pub struct Examiner<'a> {
    analyser: Analyser,
    examination: &'a Examination,
    timeout: Duration,
    counts: &'a Counts,
}

impl<'a> Examiner<'a> {
    /// Loads the networks, which use `threads` threads each unless a setting says otherwise. Examined frames are counted in `counts`.
    pub fn new(command: &'a CommandLine, threads: u32, counts: &'a Counts) -> Result<Self, Error> {
        let examination = &command.examination;
        let analyser = Analyser::new(&examination.settings(), examination.geometry, threads)?;
        Ok(Self { analyser, examination, timeout: command.timeout, counts })
    }

    pub fn models(&self) -> Models {
        self.analyser.models()
    }

    /// Opens a file that is on this machine.
    pub fn open(&self, path: Result<PathBuf, Unavailable>) -> Result<Frames, Failure> {
        Frames::open(&path?, Limits::time(self.timeout), self.examination.schedule().first())
    }

    /// Finds out what a file is, and where it is cut into slices. The decoder is `None` if the file has no pictures.
    pub fn inspect(&self, opened: Result<Frames, Failure>) -> (FileFacts, Option<Frames>) {
        plan::inspect(opened, !self.examination.has_baseline())
    }

    /// Examines slice number `index` of a file whose slices begin at `starts`. An error is part of the result.
    pub fn examine(&mut self, input: &Input, index: usize, starts: &[u64], opened: Result<Frames, Failure>) -> SliceResult {
        let (part, schedule, is_only) = (plan::slice(starts, index), self.examination.schedule(), starts.len() <= 1);
        let keeps_times = matches!(schedule.sampling, Sampling::Nearest(_));
        let mut work = Work { input, part, is_only, examiner: self, schedule, keeps_times };
        let mut result = opened.and_then(|frames| work.run(frames)).unwrap_or_else(|failure| SliceResult {
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
}

/// A slice to examine, and with what.
struct Work<'a, 'b> {
    input: &'a Input,
    part: Part,
    /// Set if the file has no other slice.
    is_only: bool,
    examiner: &'a mut Examiner<'b>,
    schedule: Schedule,
    keeps_times: bool,
}

/// The result of a slice, which may be incomplete, and how its examination ended.
type Examined = (SliceResult, Result<(), Failure>);

impl Work<'_, '_> {
    /// Examines the slice. If the marks of keyframes are wrong, all its frames are decoded instead. Fails if the file cannot be
    /// decoded at the slice.
    fn run(&mut self, mut frames: Frames) -> Result<SliceResult, Failure> {
        let (mut result, mut ended) = self.examine(&mut frames)?;
        if let Err(reason @ (Failure::Unsampled(_) | Failure::NoSeek(_))) = &ended {
            let start_ns = self.part.start_ns;
            gst::warning!(CATEGORY, "{}: {reason}; all frames of the slice at {start_ns} ns are decoded", self.input.key.name);
            // A file that cannot seek is examined from one end to the other.
            self.schedule.look = self.schedule.look.filter(|_| matches!(reason, Failure::Unsampled(_)));
            self.schedule.sampling = self.schedule.sampling.exact();
            frames.reopen()?;
            (result, ended) = self.examine(&mut frames)?;
        }
        Ok(with_error(result, ended))
    }

    fn examine(&mut self, frames: &mut Frames) -> Result<Examined, Failure> {
        let direction = self.examiner.examination.turn.direction();
        let is_video = frames.kind() == Kind::Video;
        let look = self.schedule.look.filter(|_| is_video && frames.is_stream());
        match look {
            None if !self.is_only => frames.continue_at(self.part)?,
            // Slices are made only where seeks keep times.
            Some(_) if self.is_only => frames.check_seeks()?,
            _ => {}
        }
        let mut examination = SliceExamination::new(self.part, self.schedule.sampling, self.keeps_times);
        let Examiner { analyser, counts, .. } = &mut *self.examiner;
        let mut view = View { frames, analyser, direction: direction.unwrap_or_default(), counts };
        let ended = match look {
            Some(every) => examination.run_spans(&mut view, every, self.is_only),
            None if direction.is_none() && !is_video => examination.run_in_all_directions(&mut view),
            None => examination.run(&mut view),
        };
        let SliceExamination { mut result, times, .. } = examination;
        if is_video && frames.is_stream() && ended.is_ok() {
            times::complete(&mut result, times, self.part);
        }
        Ok((result, ended))
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

/// The examination of a slice, up to the first error.
struct SliceExamination {
    /// The slice, or the span of it that is being examined.
    part: Part,
    keeps_times: bool,
    sampling: Sampling,
    sampler: Sampler,
    /// Times of the frames of the part so far.
    times: Vec<u64>,
    /// Times of the frames of the slice, if a first look has found them. Those of the part may be fewer, because of damage.
    known: Option<Vec<u64>>,
    /// Number of each track within the slice.
    tracks: HashMap<u32, u32>,
    result: SliceResult,
}

impl SliceExamination {
    fn new(part: Part, sampling: Sampling, keeps_times: bool) -> Self {
        let (sampler, result) = (Sampler::new(sampling.every()), SliceResult::default());
        Self { part, keeps_times, sampling, sampler, times: Vec::new(), known: None, tracks: HashMap::new(), result }
    }

    /// Examines the whole slice.
    fn run(&mut self, view: &mut View<'_>) -> Result<(), Failure> {
        let ended = self.examine_part(view);
        self.result.frames = self.times.len() as u64;
        ended
    }

    /// Takes a first look at the slice, and examines the spans with faces.
    fn run_spans(&mut self, view: &mut View<'_>, every: Duration, is_only: bool) -> Result<(), Failure> {
        let (mut found, looked) = look(view, every, (!is_only).then_some(self.part))?;
        let spans = found.spans(self.part);
        found.times.sort_unstable();
        (self.known, self.result) = (Some(found.times), SliceResult { spans_ns: Some(Vec::new()), ..found.result });
        view.frames.set_sampling(self.sampling);
        let ended = spans.into_iter().try_for_each(|span| self.run_span(span, view));
        self.times = self.known.take().unwrap_or_default();
        looked.and(ended)
    }

    /// Examines a span of the slice, whose frames have been counted.
    fn run_span(&mut self, span: Span, view: &mut View<'_>) -> Result<(), Failure> {
        self.part = plan::part(span.start_ns, span.end_ns);
        view.frames.continue_at(self.part)?;
        (self.times, self.sampler) = (Vec::new(), Sampler::new(self.sampling.every()));
        let ended = self.examine_part(view);
        let end_ns = span.end_ns.unwrap_or(u64::MAX);
        self.result.spans_ns.get_or_insert_default().push((span.start_ns, end_ns));
        // No face is known behind the span.
        self.result.times_ns.extend(self.keeps_times.then_some(end_ns));
        ended
    }

    fn examine_part(&mut self, view: &mut View<'_>) -> Result<(), Failure> {
        self.result.turn = view.direction.degrees();
        view.restart()?;
        while let Some(frame) = view.frames.next_frame()? {
            self.result.decoded += 1;
            if self.part.end_ns.is_some_and(|end| frame.time_ns >= end) {
                break;
            }
            self.take(frame, view)?;
        }
        if let Some(times) = view.frames.times()? {
            self.times = times;
        }
        Ok(())
    }

    /// Searches a photo, and if it has few faces, in all directions. Reports the faces of the best one.
    fn run_in_all_directions(&mut self, view: &mut View<'_>) -> Result<(), Failure> {
        let tags = view.frames.tags();
        while let Some(frame) = view.frames.next_frame()? {
            let (direction, faces) = best_direction(&frame, &tags, view.analyser)?;
            view.counts.add_frame(faces.records.len());
            self.result.turn = direction.degrees();
            self.report(&faces, frame.time_ns, self.result.frames);
            self.result.decoded += 1;
            self.result.frames += 1;
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame, view: &mut View<'_>) -> Result<(), Error> {
        let time_ns = frame.time_ns;
        let is_run_up = time_ns < self.part.start_ns;
        if let Some(number) = self.sampler.number(&frame, self.times.len() as u64) {
            let faces = view.analyser.analyse(frame.sample)?;
            if !is_run_up {
                view.counts.add_frame(faces.records.len());
                self.report(&faces, time_ns, self.known.as_ref().map_or(number, |times| frames_before(times, time_ns)));
            }
        }
        self.times.extend((!is_run_up).then_some(time_ns));
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

/// Number of frames before `time_ns` among those at these times.
fn frames_before(times: &[u64], time_ns: u64) -> u64 {
    times.partition_point(|time| time.saturating_add(ROUNDING_NS) < time_ns) as u64
}

/// The direction in which a photo is upright, with the faces that are found there.
pub fn best_direction(frame: &Frame, tags: &[gst::Event], analyser: &mut Analyser) -> Result<(Direction, Faces), Error> {
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
