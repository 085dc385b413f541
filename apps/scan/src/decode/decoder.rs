// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file to frames: `filesrc ! decodebin ! appsink`.
//!
//! The pipeline decodes on threads of its own. Each wait for it has a time limit.

mod seeking;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use emotion_photo_reader::{Format, Stream};
use emotion_supervise::decoding::limit_pixels;
use emotion_supervise::run::reason;
use gst::prelude::*;
use parking_lot::Mutex;

use super::failure::Failure;
use super::frame::{Chosen, Frame};
use super::gate::Gate;
use super::groups::Distrust;
use super::limits::Limits;
use super::missing;
use super::streams::{Found, watch};
use super::structure::{Defect, defect, last_frame_of_flv};
use super::timeline::{Timeline, position};
use crate::findings::Kind;
use crate::sampling::{SILENT_NS, Sampling};

/// Times after which a file is opened again. decodebin loses an error that a demuxer posts while it starts (GStreamer 1.22;
/// one of 40 times for an MP4 file without an index, more often under load), and then waits forever.
const TRIES: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(20)];
const MXF: &str = "application/mxf";
/// Frames that are decoded ahead.
const QUEUED_FRAMES: u32 = 4;
/// Time between two checks of the bus while waiting for a frame.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(200);
const MILLISECOND_NS: u64 = 1_000_000;
/// Extensions of files that are expected to be pictures or videos, though nothing recognises their contents.
const VISUAL_EXTENSIONS: [&str; 40] = [
    "3gp", "asf", "avi", "avif", "bmp", "dv", "f4v", "flv", "gif", "h264", "h265", "heic", "hevc", "ivf", "jpeg", "jpg", "m2t", "m2ts",
    "m2v", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "nut", "ogv", "png", "rm", "rmvb", "tif", "tiff", "ts", "vob", "webm",
    "webp", "wmv", "y4m",
];

type Result<T> = std::result::Result<T, Failure>;

/// The pipeline of one file, opened up to its first frame.
#[derive(Debug)]
pub struct Decoder {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    found: Arc<Mutex<Found>>,
    sampling: Sampling,
    /// The file, if it is one, and how it is read.
    file: Option<(PathBuf, Stream)>,
    /// How a photo is turned upright.
    orientation: Option<gst::TagList>,
    limit: Duration,
    max_pixels: Option<u64>,
    /// Number of bytes that are missing at the end of the file.
    missing_bytes: Option<u64>,
    timeline: Timeline,
    /// Position in the stream of time 0.
    origin_ns: Option<u64>,
    /// False if seeks would change the times of frames. Then frames are skipped instead.
    may_seek: bool,
    /// Earlier frames are skipped.
    skip_ns: u64,
    /// False if it ends at a part that is not the last one of the file.
    goes_to_end: bool,
    /// Time of the last frame.
    last_ns: Option<u64>,
    /// Set once a seek has led away from the first frame.
    has_moved: bool,
    is_stuck: bool,
}

impl Decoder {
    /// Opens a file, which GStreamer reads as `stream` says and of which the frames of `sampling` are examined.
    pub fn open(path: &Path, stream: &Stream, limits: Limits, sampling: Sampling) -> Result<Self> {
        let limit = limits.time;
        let missing_bytes = match defect(path) {
            Some(Defect::NoIndex) => return Err(Failure::NoIndex),
            Some(Defect::DeepY4m) => return Err(Failure::DeepRawVideo),
            Some(Defect::CutOff(bytes)) => Some(bytes),
            None => None,
        };
        let source = || stream.source(path).map_err(broken);
        let start = |time| Self::start(&source()?, Limits { time, ..limits }, sampling);
        let is_stuck = |opened: &Result<Self>| TRIES.iter().any(|&short| opened.as_ref().err() == Some(&Failure::Stuck(short)));
        let tries = TRIES.into_iter().filter(|&short| short < limit);
        let photo = (stream.format == Some(Format::Jpeg)).then(|| Self::start_jpeg(&source()?, limit)).and_then(Result::ok);
        let by_decodebin = || tries.map(start).find(|opened| !is_stuck(opened)).unwrap_or_else(|| start(limit));
        let opened = photo.map_or_else(by_decodebin, Ok);
        let oriented = opened.map(|mut opened| {
            // It may have been opened within less.
            opened.limit = limit;
            opened.orientation = stream.tag();
            opened.missing_bytes = missing_bytes;
            opened.file = Some((path.to_owned(), stream.clone()));
            opened
        });
        if sampling.pace().is_some() && matches!(&oriented, Err(Failure::Decoding(_) | Failure::Other | Failure::Unsampled(_))) {
            // Perhaps its first keyframe is none, or frames have no times.
            return Self::open(path, stream, limits, sampling.exact());
        }
        oriented.map_err(|failure| {
            let is_unknown = failure == Failure::Unknown;
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if is_unknown && !VISUAL_EXTENSIONS.contains(&extension.as_str()) { Failure::Other } else { failure }
        })
    }

    /// Opens the same file again, of which the frames of `sampling` are examined.
    pub fn reopen(&mut self, sampling: Sampling) -> Result<()> {
        let Some((path, stream)) = &self.file else { return Err(Failure::Other) };
        let may_seek = self.may_seek;
        *self = Self::open(path, stream, Limits { time: self.limit, pixels: self.max_pixels }, sampling)?;
        self.may_seek = may_seek;
        Ok(())
    }

    /// Opens what `source` outputs.
    pub(crate) fn start(source: &gst::Element, limits: Limits, sampling: Sampling) -> Result<Self> {
        let (pipeline, decode, sink) = linked(source, "decodebin")?;
        limits.pixels.into_iter().for_each(|max| limit_pixels(&decode, max));
        let found = watch(&decode, &sink, sampling);
        let mut decoder = Self::started(pipeline, sink, found, limits.time, sampling)?;
        decoder.max_pixels = limits.pixels;
        Ok(decoder)
    }

    /// Opens an ordinary JPEG photo, whose decoder is known. decodebin needs more time to find it than the photo to be decoded. If
    /// this fails, decodebin says why.
    fn start_jpeg(source: &gst::Element, limit: Duration) -> Result<Self> {
        let (pipeline, decode, sink) = linked(source, "jpegdec")?;
        decode.link(&sink).map_err(broken)?;
        let found = Found { media_type: Some("image/jpeg".into()), videos: 1, ..Found::default() };
        Self::started(pipeline, sink, Arc::new(Mutex::new(found)), limit, Sampling::All)
    }

    fn started(
        pipeline: gst::Pipeline,
        sink: gst_app::AppSink,
        found: Arc<Mutex<Found>>,
        limit: Duration,
        sampling: Sampling,
    ) -> Result<Self> {
        let mut decoder = Self {
            pipeline,
            sink,
            found,
            sampling,
            file: None,
            orientation: None,
            limit,
            max_pixels: None,
            missing_bytes: None,
            timeline: Timeline::default(),
            origin_ns: None,
            may_seek: true,
            skip_ns: 0,
            goes_to_end: true,
            last_ns: None,
            has_moved: false,
            is_stuck: false,
        };
        let started = decoder.pipeline.set_state(gst::State::Paused);
        decoder.wait_for_frame()?;
        started.map_err(broken)?;
        if decoder.found.lock().lacks_times() {
            if decoder.gate().is_some() {
                return Err(Distrust::NoOrder.into());
            }
            decoder.timeline = Timeline::rough();
        }
        let is_seekable = decoder.found.lock().is_seekable();
        decoder.may_seek = is_seekable;
        decoder.origin_ns = if is_seekable { Some(0) } else { decoder.preroll_position() };
        Ok(decoder)
    }

    /// True if there are no more frames.
    pub fn is_at_end(&self) -> bool {
        self.sink.is_eos()
    }

    /// Photo or video.
    pub fn kind(&self) -> Kind {
        if self.found.lock().is_photo() { Kind::Photo } else { Kind::Video }
    }

    /// Number of videos in the file, of which one is decoded.
    pub fn videos(&self) -> u32 {
        self.found.lock().videos
    }

    /// Length of the file, in whole milliseconds; `None` if its container does not have it.
    pub fn length_ns(&self) -> Option<u64> {
        self.pipeline.query_duration::<gst::ClockTime>().map(whole_milliseconds).filter(|&length| length > 0)
    }

    /// Which frames are examined.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Other frames are examined after the next seek.
    pub fn set_sampling(&mut self, sampling: Sampling) {
        self.sampling = sampling;
    }

    fn gate(&self) -> Option<Arc<Gate>> {
        self.found.lock().gate.clone()
    }

    /// The next frame; `None` at the end.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        let gate = self.gate();
        let arrived = || gate.as_ref().map_or(0, |gate| gate.arrived());
        let (mut end, mut before) = (Instant::now() + self.limit, arrived());
        self.pipeline.set_state(gst::State::Playing).map_err(broken)?;
        loop {
            if let Some(sample) = self.sink.try_pull_sample(POLL) {
                let (sample, time_ns) = self.timed(sample, gate.as_ref().is_some_and(|gate| gate.is_choosing()));
                if time_ns < self.skip_ns {
                    (end, before) = (Instant::now() + self.limit, arrived());
                    continue;
                }
                return Ok(Some(match &gate {
                    Some(gate) => gate.frame(sample, time_ns)?,
                    None => Frame { sample, time_ns, chosen: Chosen::Undecided },
                }));
            }
            if let Some(message) = self.pop(gst::ClockTime::ZERO, &[gst::MessageType::Error]) {
                self.times()?;
                return Err(self.failure(&message));
            }
            if self.sink.is_eos() {
                let times = self.times()?;
                return self.incomplete(times).map_or(Ok(None), Err);
            }
            if arrived() > before {
                (end, before) = (Instant::now() + self.limit, arrived());
            } else if Instant::now() > end {
                return Err(self.stuck());
            }
        }
    }

    /// What is missing behind the last frame, of those at `times` if only few were decoded.
    fn incomplete(&self, times: Option<Vec<u64>>) -> Option<Failure> {
        let last_ns = times.map_or(self.last_ns, |times| times.into_iter().max());
        // The demuxers for FLV and MXF may go no further than damage, and say that the file has ended.
        let is_mxf = self.found.lock().media_type.as_deref() == Some(MXF);
        let has_stopped = || {
            let at_ns = last_ns?;
            let in_header = || if is_mxf { self.length_ns() } else { None };
            let length_ns = last_frame_of_flv(&self.file.as_ref()?.0).or_else(in_header)?.saturating_sub(self.origin_ns?);
            (length_ns > at_ns + SILENT_NS).then_some(Failure::Ended { at_ns, length_ns })
        };
        self.missing_bytes.map(Failure::CutOff).or_else(|| self.goes_to_end.then(has_stopped).flatten())
    }

    /// Times of the frames of the slice, at its end; `None` if all of them were decoded.
    pub fn times(&self) -> Result<Option<Vec<u64>>> {
        Ok(self.gate().map_or(Ok(None), |gate| gate.times_at_end())?)
    }

    /// The sample and its time. Its buffer gets a timestamp if its own is missing or not after that of the last frame. A gate that
    /// chooses frames has a decoder output the first one twice, and trusts timestamps only.
    fn timed(&mut self, sample: gst::Sample, is_chosen: bool) -> (gst::Sample, u64) {
        let Some(mut buffer) = sample.buffer_owned() else { return (sample, self.timeline.next(None, None)) };
        let pts = buffer.pts();
        let own = if is_chosen { position(&buffer, sample.segment()) } else { None };
        let position_ns = own.unwrap_or_else(|| self.timeline.stamp(&mut buffer, sample.caps(), sample.segment()));
        let time_ns = position_ns.saturating_sub(*self.origin_ns.get_or_insert(position_ns));
        self.last_ns = Some(time_ns);
        if buffer.pts() == pts {
            return (sample, time_ns);
        }
        let caps = sample.caps_owned();
        let stamped = gst::Sample::builder().buffer(&buffer).caps_if_some(caps.as_ref());
        (stamped.segment_if_some(sample.segment()).build(), time_ns)
    }

    /// The tags of the photo or video, such as the orientation.
    pub fn tags(&self) -> Vec<gst::Event> {
        let pad = self.sink.static_pad("sink");
        let decoded = (0..).map_while(|index| pad.as_ref()?.sticky_event::<gst::event::Tag>(index)).map(Into::into);
        decoded.chain(self.orientation.clone().map(gst::event::Tag::new)).collect()
    }

    /// Waits until the pipeline has its first frame, or the first one after a seek.
    fn wait_for_frame(&mut self) -> Result<()> {
        let types = [gst::MessageType::AsyncDone, gst::MessageType::Error, gst::MessageType::Application, gst::MessageType::Eos];
        loop {
            match self.pop(clock_time(self.limit), &types) {
                Some(message) if message.type_() == gst::MessageType::AsyncDone => return Ok(()),
                // The end was reached before the seek.
                Some(message) if message.type_() == gst::MessageType::Eos && self.has_moved && !self.sink.is_eos() => {}
                // Perhaps no frame is to be examined there.
                Some(message) if message.type_() == gst::MessageType::Eos && self.has_moved && self.gate().is_some() => return Ok(()),
                Some(message) => return Err(self.failure(&message)),
                None => return Err(self.stuck()),
            }
        }
    }

    fn pop(&self, wait: gst::ClockTime, types: &[gst::MessageType]) -> Option<gst::Message> {
        self.pipeline.bus()?.timed_pop_filtered(wait, types)
    }

    fn stuck(&mut self) -> Failure {
        self.is_stuck = true;
        Failure::Stuck(self.limit)
    }

    fn failure(&self, message: &gst::Message) -> Failure {
        let found = self.found.lock();
        if let Some(description) = &found.undecodable {
            return Failure::NoDecoder(description.clone());
        }
        let error = match message.view() {
            _ if found.is_other() => return Failure::Other,
            gst::MessageView::Error(error) => error,
            // Nobody records sound alone in this format.
            _ if found.media_type.as_deref() == Some(MXF) => return Failure::NoMxfVideo,
            _ => return Failure::Other,
        };
        if found.media_type.is_none() && error.error().matches(gst::StreamError::TypeNotFound) {
            return Failure::Unknown;
        }
        let is_refused = error.debug().is_some_and(|details| details.contains("not-negotiated"));
        if is_refused { Failure::PixelFormat } else { undecodable(error, &found) }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let pipeline = self.pipeline.clone();
        let stop = move || {
            let _ = pipeline.set_state(gst::State::Null);
        };
        // A decoder that hangs would hold up the worker.
        if self.is_stuck {
            std::thread::spawn(stop);
        } else {
            stop();
        }
    }
}

/// A pipeline of `source`, an element of the factory `decode` behind it, and a sink.
fn linked(source: &gst::Element, decode: &str) -> Result<(gst::Pipeline, gst::Element, gst_app::AppSink)> {
    let pipeline = gst::Pipeline::new();
    let decode = gst::ElementFactory::make(decode).build().map_err(broken)?;
    let sink = gst_app::AppSink::builder().caps(&gst::Caps::new_empty_simple("video/x-raw")).sync(false).build();
    sink.set_max_buffers(QUEUED_FRAMES);
    accept_any_stride(&sink);
    pipeline.add_many([source, &decode, sink.upcast_ref()]).map_err(broken)?;
    source.link(&decode).map_err(broken)?;
    Ok((pipeline, decode, sink))
}

/// Lets decoders pass on pictures with padding, as the elements of the plugin do, instead of copying them.
fn accept_any_stride(sink: &gst_app::AppSink) {
    let pad = sink.static_pad("sink").expect("a sink has a pad");
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| match info.query_mut().map(gst::QueryRef::view_mut) {
        Some(gst::QueryViewMut::Allocation(query)) => {
            query.add_allocation_meta::<gst_video::VideoMeta>(None);
            gst::PadProbeReturn::Handled
        }
        _ => gst::PadProbeReturn::Ok,
    });
}

/// `length` in nanoseconds, rounded to milliseconds. GStreamer's demuxer for Matroska replaces the length of the header by that
/// of the frames that it has read so far, if this is longer. It is longer by some nanoseconds, because of rounding.
fn whole_milliseconds(length: gst::ClockTime) -> u64 {
    (length.nseconds() + MILLISECOND_NS / 2) / MILLISECOND_NS * MILLISECOND_NS
}

fn clock_time(duration: Duration) -> gst::ClockTime {
    gst::ClockTime::try_from(duration).unwrap_or(gst::ClockTime::MAX)
}

/// The reason of an element; for a video, with what may help.
fn undecodable(error: &gst::message::Error, found: &Found) -> Failure {
    let is_video = found.media_type.as_deref().is_some_and(|name| !name.starts_with("image/"));
    let help = if is_video { format!("; {}", missing::help()) } else { String::new() };
    Failure::Decoding(reason(error) + &help)
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Decoding(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_does_not_depend_on_how_much_was_read() {
        let lengths = [266_666_664, 266_666_666, 267_000_000].map(gst::ClockTime::from_nseconds);
        assert_eq!(lengths.map(whole_milliseconds), [267_000_000; 3]);
    }

    #[test]
    fn a_source_without_progress_is_given_up() {
        gst::init().unwrap();
        let silent = gst_app::AppSrc::builder().build();
        let start = Instant::now();
        let failure = Decoder::start(silent.upcast_ref(), Limits::time(Duration::from_millis(300)), Sampling::All).unwrap_err();
        assert_eq!(failure, Failure::Stuck(Duration::from_millis(300)));
        assert_eq!(failure.to_string(), "no frame within 0.3 s");
        assert!(start.elapsed() < Duration::from_secs(30));
    }
    #[test]
    fn a_video_is_decoded_on_one_thread_so_that_one_that_lacks_packets_is_the_same_each_time() {
        gst::init().unwrap();
        let line = "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=64,height=64 ! x264enc ! h264parse";
        let source = gst::parse::bin_from_description(line, true).unwrap();
        let decoder = Decoder::start(source.upcast_ref(), Limits::time(Duration::from_secs(30)), Sampling::All).unwrap();
        let threads =
            |element: &gst::Element| Some(element.property::<i32>("max-threads")).filter(|_| element.name().starts_with("avdec_"));
        let all = decoder.pipeline.iterate_recurse().into_iter().flatten().filter(|element| element.has_property("max-threads"));
        assert_eq!(all.filter_map(|element| threads(&element)).collect::<Vec<_>>(), [1]);
    }
}
