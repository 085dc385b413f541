// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a file is, which part of it is a unit of work, and which of its frames are examined.
//!
//! The rules depend only on the file and the options. So the tables do not depend on the number of workers, or on whether a
//! scan was interrupted.

use std::time::Duration;

use crate::decode::{Chosen, Failure, Frame, Frames, Part};
use crate::findings::{FileFacts, Kind};
use crate::sampling::interval;

/// Usual length of a slice.
const SLICE_NS: u64 = 60_000_000_000;
/// Minimum length of a slice. A file of up to `SLICE_NS + MIN_SLICE_NS` is a single one.
const MIN_SLICE_NS: u64 = SLICE_NS / 2;
/// Time before a slice that is analysed but not reported, so that faces have tracks and smoothed scores at the start of the slice.
const RUN_UP_NS: u64 = 1_000_000_000;

/// Finds out what a file is, and where it is cut into slices if `is_cut`. The decoder is `None` if the file has no pictures.
pub fn inspect(opened: Result<Frames, Failure>, is_cut: bool) -> (FileFacts, Option<Frames>) {
    match opened.and_then(|mut decoder| Ok((facts_of(&mut decoder, is_cut)?, decoder))) {
        Ok((facts, decoder)) => (facts, Some(decoder)),
        Err(failure) => (unreadable(failure), None),
    }
}

fn facts_of(decoder: &mut Frames, is_cut: bool) -> Result<FileFacts, Failure> {
    let kind = decoder.kind();
    let length_ns = decoder.length_ns().filter(|_| kind == Kind::Video);
    let number = length_ns.filter(|_| is_cut).map_or(0, cuts);
    if number > 0 {
        decoder.check_seeks()?;
    }
    let slices = starts(number, |cut_ns| decoder.keyframe_before(cut_ns))?;
    // The decoder is at the last keyframe; if it cannot seek, it is still at the beginning of a single slice.
    decoder.rewind()?;
    let origin_ns = decoder.origin_ns().filter(|_| kind == Kind::Video);
    let video_tracks = (kind == Kind::Video).then(|| decoder.videos());
    Ok(FileFacts { kind: Some(kind), length_ns, origin_ns, video_tracks, slices, error: None })
}

/// The facts of a file that could not be opened.
fn unreadable(failure: Failure) -> FileFacts {
    match failure {
        Failure::Other => FileFacts { kind: Some(Kind::Other), ..FileFacts::default() },
        broken => FileFacts { error: Some(broken.to_string()), ..FileFacts::default() },
    }
}

/// Number of times near which a file of this length is cut: one for each [`SLICE_NS`].
fn cuts(length_ns: u64) -> u64 {
    length_ns.saturating_sub(MIN_SLICE_NS + 1) / SLICE_NS
}

/// Starts of the slices of a file that is cut near so many times. `keyframe_before` is the keyframe at or before a time; `None` if it
/// cannot be found.
fn starts(number: u64, mut keyframe_before: impl FnMut(u64) -> Result<Option<u64>, Failure>) -> Result<Vec<u64>, Failure> {
    let (mut starts, mut cut, mut last) = (vec![0], 1, None);
    while cut <= number {
        let Some(keyframe_ns) = keyframe_before(cut * SLICE_NS)? else { break };
        add_slice(&mut starts, keyframe_ns, cut * SLICE_NS);
        cut = if last == Some(keyframe_ns) { behind(cut, number, |cut| Ok(keyframe_before(cut * SLICE_NS)? == last))? } else { cut + 1 };
        last = Some(keyframe_ns);
    }
    Ok(starts)
}

/// The first cut behind `cut` that is not the same, in a number of seeks that grows with the logarithm of their distance: a header may
/// say that a file lasts for years. It is above `number` if all are the same.
fn behind(cut: u64, number: u64, mut is_same: impl FnMut(u64) -> Result<bool, Failure>) -> Result<u64, Failure> {
    let (mut same, mut step) = (cut, 1);
    let mut other = loop {
        let next = same.saturating_add(step).min(number);
        match same < number && is_same(next)? {
            true => (same, step) = (next, step.saturating_mul(2)),
            false if same < number => break next,
            false => return Ok(number + 1),
        }
    };
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if is_same(middle)? { same = middle } else { other = middle }
    }
    Ok(other)
}

/// Adds the start of a slice, at the keyframe at or before a cut. A keyframe that is too close to the last start is skipped,
/// because keyframes may be further apart than slices are long.
fn add_slice(slices: &mut Vec<u64>, keyframe_ns: u64, cut_ns: u64) {
    let last = slices.last().copied().unwrap_or(0);
    if keyframe_ns <= cut_ns && keyframe_ns >= last + MIN_SLICE_NS {
        slices.push(keyframe_ns);
    }
}

/// Slice number `index` of a file whose slices begin at `starts`.
pub fn slice(starts: &[u64], index: usize) -> Part {
    part(starts.get(index).copied().unwrap_or(0), starts.get(index + 1).copied())
}

/// The part of a file from `start_ns` to `end_ns`, with its run-up.
pub fn part(start_ns: u64, end_ns: Option<u64>) -> Part {
    Part { run_up_ns: start_ns.saturating_sub(RUN_UP_NS), start_ns, end_ns, beyond_ns: 0 }
}

/// Chooses the frames to examine: the first one of each interval.
#[derive(Clone, Debug)]
pub struct Sampler {
    every: Option<Duration>,
    last: Option<u64>,
}

impl Sampler {
    /// Examines a frame each `every`, or all frames.
    pub fn new(every: Option<Duration>) -> Self {
        Self { every, last: None }
    }

    /// The number of a frame that is examined; `None` for others. `before` frames of the part are before it, if all are decoded.
    pub fn number(&mut self, frame: &Frame, before: u64) -> Option<u64> {
        match frame.chosen {
            Chosen::Undecided => self.wants(frame.time_ns).then_some(before),
            Chosen::No => None,
            Chosen::Yes(number) => Some(number),
        }
    }

    /// True if the frame at `time_ns` is examined.
    fn wants(&mut self, time_ns: u64) -> bool {
        let Some(every) = self.every else { return true };
        let interval = Some(interval(time_ns, every));
        std::mem::replace(&mut self.last, interval) != interval
    }
}

#[cfg(test)]
mod tests {
    use gst::prelude::*;

    use super::*;
    use crate::decode::{Decoder, Limits};
    use crate::sampling::Sampling;

    const S: u64 = 1_000_000_000;

    #[test]
    fn files_of_up_to_90_seconds_are_one_slice() {
        assert_eq!([0, 90 * S, 90 * S + 1, 150 * S, 151 * S, 3600 * S].map(cuts), [0, 0, 1, 1, 2, 59]);
    }

    /// The starts in a file with these keyframes, in seconds, and the number of seeks that find them.
    fn found(keyframes: &[u64], number: u64) -> (Vec<u64>, u32) {
        let mut seeks = 0;
        let keyframe_before = |cut: u64| {
            seeks += 1;
            Ok(keyframes.iter().map(|keyframe| keyframe * S).rfind(|keyframe| *keyframe <= cut))
        };
        let starts = starts(number, keyframe_before).unwrap();
        (starts.iter().map(|start| start / S).collect(), seeks)
    }

    #[test]
    fn a_header_that_lies_costs_few_seeks() {
        let (starts, seeks) = found(&[0, 5, 58, 59, 119], 16_000_000);
        assert!(starts == [0, 59, 119] && seeks < 40, "{starts:?}: {seeks} seeks");
        // Nothing for half a year, and then two minutes.
        let (starts, seeks) = found(&[0, 58, 15_000_030, 15_000_060, 15_000_119], 250_002);
        assert_eq!(starts, [0, 58, 15_000_060, 15_000_119]);
        assert!(seeks < 60, "{seeks} seeks");
        assert_eq!(found(&(0..100).map(|keyframe| 10 * keyframe).collect::<Vec<_>>(), 15).1, 15, "one for each cut");
    }

    #[test]
    fn slices_begin_at_keyframes_and_distant_keyframes_make_longer_slices() {
        let mut slices = vec![0];
        for (keyframe, cut) in [(58, 60), (118, 120), (118, 180), (233, 240), (301, 300)] {
            add_slice(&mut slices, keyframe * S, cut * S);
        }
        assert_eq!(slices, [0, 58 * S, 118 * S, 233 * S]);
    }

    #[test]
    fn a_slice_has_a_run_up_and_ends_where_the_next_begins() {
        let starts = [0, 58 * S];
        assert_eq!(slice(&starts, 0), Part { run_up_ns: 0, start_ns: 0, end_ns: Some(58 * S), beyond_ns: 0 });
        assert_eq!(slice(&starts, 1), Part { run_up_ns: 57 * S, start_ns: 58 * S, end_ns: None, beyond_ns: 0 });
    }

    #[test]
    fn one_frame_of_each_interval_is_examined() {
        let mut sampler = Sampler::new(Some(Duration::from_millis(200)));
        let examined: Vec<u64> = (0..30).filter(|frame| sampler.wants(frame * S / 30)).collect();
        assert_eq!(examined, [0, 6, 12, 18, 24]);
        let mut all = Sampler::new(None);
        assert!((0..3).all(|_| all.wants(0)), "photos have no time");
    }

    /// A video of 100 frames, one for each second.
    fn video() -> gst::Buffer {
        let line =
            "videotestsrc num-buffers=100 ! video/x-raw,width=32,height=32,framerate=1/1 ! jpegenc ! matroskamux ! filesink name=out";
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let file = std::env::temp_dir().join(format!("emotion-scan-inspect-{}.mkv", std::process::id()));
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
        let opened = Decoder::start(source.upcast_ref(), Limits::time(Duration::from_secs(30)), Sampling::All).unwrap();
        let mut decoder = Frames::Stream(Box::new(opened));
        let facts = facts_of(&mut decoder, true).unwrap();
        assert_eq!((facts.length_ns, facts.slices, facts.error), (Some(100_000_000_000), vec![0], None));
        assert!(std::iter::from_fn(|| decoder.next_frame().unwrap()).count() == 100, "its first frame is still there");
    }
}
