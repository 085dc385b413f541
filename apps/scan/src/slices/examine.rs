// SPDX-License-Identifier: MIT OR Apache-2.0
//! The unit of work: one slice of one file.

use std::collections::HashMap;
use std::time::Duration;

use gstemotion::record::FaceRecord;

use super::plan::{self, Sampler, Slice};
use crate::analysis::{Analyser, Faces};
use crate::decode::{Decoder, Failure, Frame};
use crate::findings::{Face, FileFacts, Kind, SliceResult};
use crate::inputs::{self, Input};
use crate::progress::Counts;

/// Finds out what a file is. Without pictures there is no decoder.
pub fn inspect(opened: Result<Decoder, Failure>) -> (FileFacts, Option<Decoder>) {
    match opened.and_then(|mut decoder| Ok((facts_of(&mut decoder)?, decoder))) {
        Ok((facts, decoder)) => (facts, Some(decoder)),
        Err(failure) => (unreadable(failure), None),
    }
}

/// Finds out what a file is and where it is cut into slices.
fn facts_of(decoder: &mut Decoder) -> Result<FileFacts, Failure> {
    let kind = decoder.kind();
    let length_ns = decoder.length_ns().filter(|_| kind == Kind::Video);
    let mut slices = vec![0];
    for cut in length_ns.into_iter().flat_map(plan::cuts) {
        let Some(keyframe) = decoder.keyframe_before(cut)? else { break };
        plan::add_slice(&mut slices, keyframe, cut);
    }
    // Back from the last keyframe. A file that cannot seek is a single slice, and is still at its beginning.
    decoder.rewind()?;
    Ok(FileFacts { kind: Some(kind), length_ns, slices, error: None })
}

/// The facts of a file that could not be opened.
fn unreadable(failure: Failure) -> FileFacts {
    match failure {
        Failure::Other => FileFacts { kind: Some(Kind::Other), ..FileFacts::default() },
        broken => FileFacts { error: Some(broken.to_string()), ..FileFacts::default() },
    }
}

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
    if inputs::is_changed(input) {
        result.error = Some("the file was changed while it was examined".into());
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
        analyser.restart(&decoder.tags()).map_err(Failure::Analysis)?;
        while let Some(frame) = decoder.next_frame()? {
            if self.slice.end_ns.is_some_and(|end| frame.time_ns >= end) {
                break;
            }
            self.take(frame, analyser, counts).map_err(Failure::Analysis)?;
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame, analyser: &mut Analyser, counts: &Counts) -> Result<(), String> {
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

    /// The elements count tracks on from file to file. Within a slice they are numbered from 1.
    fn track(&mut self, record: &FaceRecord) -> Option<u32> {
        let next = self.tracks.len() as u32 + 1;
        (record.id != 0).then(|| *self.tracks.entry(record.id).or_insert(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst::prelude::*;

    /// A video of 100 frames, one for each second.
    fn video() -> gst::Buffer {
        let line =
            "videotestsrc num-buffers=100 ! video/x-raw,width=32,height=32,framerate=1/1 ! jpegenc ! matroskamux ! filesink name=out";
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let file = std::env::temp_dir().join(format!("emotion-scan-unit-{}.mkv", std::process::id()));
        pipeline.by_name("out").unwrap().set_property("location", &file);
        pipeline.set_state(gst::State::Playing).unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
        assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
        pipeline.set_state(gst::State::Null).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        gst::Buffer::from_slice(bytes)
    }

    #[test]
    fn a_long_video_that_cannot_seek_is_one_slice() {
        gst::init().unwrap();
        let source = gst_app::AppSrc::builder().stream_type(gst_app::AppStreamType::Stream).build();
        source.push_buffer(video()).unwrap();
        source.end_of_stream().unwrap();
        let mut decoder = Decoder::start(source.upcast_ref(), Duration::from_secs(30)).unwrap();
        let facts = facts_of(&mut decoder).unwrap();
        assert_eq!((facts.length_ns, facts.slices, facts.error), (Some(100_000_000_000), vec![0], None));
        assert!(std::iter::from_fn(|| decoder.next_frame().unwrap()).count() == 100, "its first frame is still there");
    }
}
