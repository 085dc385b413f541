// SPDX-License-Identifier: MIT OR Apache-2.0
//! Examines one slice of one file: its frames to faces.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use gstemotion::record::FaceRecord;

use super::look::look;
use super::plan::{self, Sampler};
use super::spans::Span;
use crate::analysis::{Analyser, Faces};
use crate::decode::{Chosen, Failure, Frame, Frames, Part};
use crate::error::Error;
use crate::findings::{Face, Kind, SliceResult};
use crate::inputs::Input;
use crate::options::Options;
use crate::progress::Counts;
use crate::sampling::{Sampling, Schedule};
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
    let (part, schedule, is_only) = (plan::slice(starts, index), options.schedule(), starts.len() <= 1);
    let keeps_times = matches!(schedule.sampling, Sampling::Nearest(_));
    let mut work = Work { input, part, is_only, analyser, schedule, keeps_times, turn: options.turn, counts };
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
    part: Part,
    /// Set if the file has no other slice.
    is_only: bool,
    analyser: &'a mut Analyser,
    schedule: Schedule,
    keeps_times: bool,
    turn: Turn,
    counts: &'a Counts,
}

/// The result of a slice, which may be incomplete, and how its examination ended.
type Examined = (SliceResult, Result<(), Failure>);

impl Work<'_> {
    /// Examines the slice. If the marks of keyframes are wrong, all its frames are decoded instead.
    ///
    /// # Errors
    /// If the file cannot be decoded at the slice.
    fn run(&mut self, mut decoder: Frames) -> Result<SliceResult, Failure> {
        let (mut result, mut ended) = self.examine(&mut decoder)?;
        if let Err(reason @ (Failure::Unsampled(_) | Failure::NoSeek(_))) = &ended {
            let start_ns = self.part.start_ns;
            gst::warning!(CATEGORY, "{}: {reason}; all frames of the slice at {start_ns} ns are decoded", self.input.key.name);
            // A file that cannot seek is examined from one end to the other.
            self.schedule.look = self.schedule.look.filter(|_| matches!(reason, Failure::Unsampled(_)));
            self.schedule.sampling = self.schedule.sampling.exact();
            (result, ended) = self.examine(&mut decoder.reopened()?)?;
        }
        Ok(with_error(result, ended))
    }

    fn examine(&mut self, decoder: &mut Frames) -> Result<Examined, Failure> {
        match self.schedule.look {
            Some(every) if decoder.kind() == Kind::Video && decoder.may_seek() => self.examine_spans(decoder, every),
            _ => {
                if !self.is_only {
                    decoder.continue_at(self.part)?;
                }
                Ok(self.examine_all(decoder))
            }
        }
    }

    /// Examines the frames of the slice, at which `decoder` is, until the first error.
    fn examine_all(&mut self, decoder: &mut Frames) -> Examined {
        let mut examination = Examination::new(self.part, self.schedule.sampling, self.keeps_times);
        let direction = self.turn.direction();
        let ended = match direction {
            None if decoder.kind() == Kind::Photo => examination.run_in_all_directions(decoder, self.analyser, self.counts),
            _ => examination.run(decoder, self.analyser, direction.unwrap_or_default(), self.counts),
        };
        (examination.result, ended)
    }

    /// Takes a first look at the slice, and examines the spans with faces.
    fn examine_spans(&mut self, decoder: &mut Frames, every: Duration) -> Result<Examined, Failure> {
        let (from, direction) = (if self.is_only { None } else { Some(self.part) }, self.turn.direction().unwrap_or_default());
        let found = match look(decoder, self.analyser, direction, every, from, self.counts) {
            Ok(found) => found,
            Err(failure) => return Ok((SliceResult::default(), Err(failure))),
        };
        let spans = found.spans(self.part);
        let mut examination = Examination::new(self.part, self.schedule.sampling, self.keeps_times);
        examination.result = SliceResult { spans_ns: Some(Vec::new()), ..found.result };
        decoder.set_sampling(self.schedule.sampling);
        let ended = spans.into_iter().try_for_each(|span| {
            decoder.continue_at(plan::part(span.start_ns, span.end_ns))?;
            examination.run_span(span, decoder, self.analyser, direction, self.counts)
        });
        Ok((examination.result, ended))
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
    part: Part,
    keeps_times: bool,
    sampling: Sampling,
    sampler: Sampler,
    /// Frames of the part so far, and those of the slice before it.
    frames: u64,
    frames_before: u64,
    /// Number of each track within the slice.
    tracks: HashMap<u32, u32>,
    result: SliceResult,
}

impl Examination {
    fn new(part: Part, sampling: Sampling, keeps_times: bool) -> Self {
        Self {
            part,
            keeps_times,
            sampling,
            sampler: Sampler::new(sampling.every()),
            frames: 0,
            frames_before: 0,
            tracks: HashMap::new(),
            result: SliceResult::default(),
        }
    }

    /// Examines the whole slice.
    fn run(&mut self, decoder: &mut Frames, analyser: &mut Analyser, direction: Direction, counts: &Counts) -> Result<(), Failure> {
        let ended = self.examine_part(decoder, analyser, direction, counts);
        self.result.frames = self.frames;
        ended
    }

    /// Examines a span of the slice, whose frames have been counted.
    fn run_span(
        &mut self,
        span: Span,
        decoder: &mut Frames,
        analyser: &mut Analyser,
        direction: Direction,
        counts: &Counts,
    ) -> Result<(), Failure> {
        self.part = plan::part(span.start_ns, span.end_ns);
        (self.frames, self.frames_before, self.sampler) = (0, span.number, Sampler::new(self.sampling.every()));
        let ended = self.examine_part(decoder, analyser, direction, counts);
        let end_ns = span.end_ns.unwrap_or(u64::MAX);
        self.result.spans_ns.get_or_insert_default().push((span.start_ns, end_ns));
        // No face is known behind the span.
        self.result.times_ns.extend(self.keeps_times.then_some(end_ns));
        ended
    }

    fn examine_part(
        &mut self,
        decoder: &mut Frames,
        analyser: &mut Analyser,
        direction: Direction,
        counts: &Counts,
    ) -> Result<(), Failure> {
        self.result.turn = direction.degrees();
        analyser.restart(&decoder.tags(), direction).map_err(unanalysed)?;
        while let Some(frame) = decoder.next_frame()? {
            self.result.decoded += 1;
            if self.part.end_ns.is_some_and(|end| frame.time_ns >= end) {
                break;
            }
            self.take(frame, analyser, counts).map_err(unanalysed)?;
        }
        self.frames = decoder.frames()?.unwrap_or(self.frames);
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
        let is_run_up = time_ns < self.part.start_ns;
        let number = match frame.chosen {
            Chosen::Undecided => self.sampler.wants(time_ns).then_some(self.frames),
            Chosen::No => None,
            Chosen::Yes(number) => Some(number),
        };
        if let Some(number) = number {
            let faces = analyser.analyse(frame.sample)?;
            if !is_run_up {
                counts.add_frame(faces.records.len());
                self.report(&faces, time_ns, self.frames_before + number);
            }
        }
        self.frames += u64::from(!is_run_up);
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
pub(super) fn unanalysed(error: Error) -> Failure {
    Failure::Analysis(error.to_string())
}
