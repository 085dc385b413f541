// SPDX-License-Identifier: MIT OR Apache-2.0
//! Examines one slice of one file: its frames to faces.

use std::collections::HashMap;
use std::time::Duration;

use gstemotion::record::FaceRecord;

use super::plan::{Sampler, Slice};
use crate::analysis::{Analyser, Faces};
use crate::decode::{Decoder, Failure, Frame};
use crate::error::Error;
use crate::findings::{Face, SliceResult};
use crate::inputs::Input;
use crate::progress::Counts;

/// Examines slice number `index` of a file whose slices begin at `starts`. An error is part of the result.
pub fn examine_at(
    input: &Input,
    index: usize,
    starts: &[u64],
    decoder: Result<Decoder, Failure>,
    analyser: &mut Analyser,
    every: Option<Duration>,
    counts: &Counts,
) -> SliceResult {
    let slice = Slice::of(starts, index);
    let at_slice = decoder.and_then(|mut decoder| {
        if starts.len() > 1 {
            decoder.continue_at(slice.run_up_ns)?;
        }
        Ok(decoder)
    });
    let mut result = match at_slice {
        Ok(mut decoder) => examine(&mut decoder, analyser, slice, every, counts),
        Err(Failure::Other) => SliceResult { error: Some("expected a video, found none".into()), ..SliceResult::default() },
        Err(broken) => SliceResult { error: Some(broken.to_string()), ..SliceResult::default() },
    };
    if input.is_changed() {
        result.error = Some("the file was changed while it was examined; scan it again when nothing writes to it".into());
    }
    result
}

/// Examines the frames of `slice`, at which `decoder` is. An error ends the slice and is part of the result.
fn examine(decoder: &mut Decoder, analyser: &mut Analyser, slice: Slice, every: Option<Duration>, counts: &Counts) -> SliceResult {
    let mut examination = Examination { slice, sampler: Sampler::new(every), tracks: HashMap::new(), result: SliceResult::default() };
    let ended = examination.run(decoder, analyser, counts);
    let mut result = examination.result;
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
    sampler: Sampler,
    /// Number of each track within the slice.
    tracks: HashMap<u32, u32>,
    result: SliceResult,
}

impl Examination {
    fn run(&mut self, decoder: &mut Decoder, analyser: &mut Analyser, counts: &Counts) -> Result<(), Failure> {
        analyser.restart(&decoder.tags()).map_err(unanalysed)?;
        while let Some(frame) = decoder.next_frame()? {
            if self.slice.end_ns.is_some_and(|end| frame.time_ns >= end) {
                break;
            }
            self.take(frame, analyser, counts).map_err(unanalysed)?;
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame, analyser: &mut Analyser, counts: &Counts) -> Result<(), Error> {
        let (time_ns, is_wanted) = (frame.time_ns, self.sampler.wants(frame.time_ns));
        let is_run_up = time_ns < self.slice.start_ns;
        if is_wanted {
            let faces = analyser.analyse(frame.sample)?;
            if !is_run_up {
                counts.add_frame(faces.records.len());
                self.report(&faces, time_ns);
            }
        }
        self.result.frames += u64::from(!is_run_up);
        Ok(())
    }

    fn report(&mut self, faces: &Faces, time_ns: u64) {
        self.result.examined += 1;
        self.result.size = Some((faces.size.width, faces.size.height));
        let frame = self.result.frames;
        for record in &faces.records {
            if let (true, Some(emotion)) = (self.result.labels.is_empty(), &record.emotion) {
                self.result.labels = emotion.labels.as_slice().to_vec();
            }
            let track = self.track(record);
            self.result.faces.push(Face::new(record, frame, time_ns, track));
        }
    }

    /// The elements number tracks across files. Within a slice, numbers begin at 1.
    fn track(&mut self, record: &FaceRecord) -> Option<u32> {
        let next = self.tracks.len() as u32 + 1;
        (record.id != 0).then(|| *self.tracks.entry(record.id).or_insert(next))
    }
}

/// Turns an error of the elements into one of the slice, since the analysis of other files may succeed.
fn unanalysed(error: Error) -> Failure {
    Failure::Analysis(error.to_string())
}
