// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file to frames: `filesrc ! decodebin ! appsink`.
//!
//! The pipeline decodes on threads of its own. Each wait for it has a time limit.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emotion_supervise::decoding::forbid_direct_rendering;
use gst::prelude::*;
use parking_lot::Mutex;

use super::orientation;
use crate::findings::Kind;
use crate::inputs::Unavailable;

/// Times after which a file is opened again. decodebin loses an error that a demuxer posts while it starts (GStreamer 1.22;
/// one of 40 times for an MP4 file without an index, more often under load), and then waits forever.
const TRIES: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(20)];
/// Frames that are decoded ahead.
const QUEUED_FRAMES: u32 = 4;
/// Time between two checks of the bus while waiting for a frame.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(200);
const MILLISECOND_NS: u64 = 1_000_000;
/// Name of the message that a pipeline without video posts.
const NO_VIDEO: &str = "emotion-scan-no-video";
/// Extensions of files that are expected to be pictures or videos, though nothing recognises their contents.
const VISUAL_EXTENSIONS: [&str; 21] = [
    "avi", "avif", "bmp", "gif", "heic", "jpeg", "jpg", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "png", "tif", "tiff", "ts",
    "webm", "webp", "wmv",
];
/// Media types of videos whose name does not begin with `video/` or `image/`.
const VISUAL_TYPES: [&str; 3] = ["application/ogg", "application/mxf", "application/vnd.rn-realmedia"];

type Result<T> = std::result::Result<T, Failure>;

/// Why there are no frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The file has no pictures: it is sound, text or something else.
    #[error("expected a photo or a video, found a file without pictures")]
    Other,
    /// Nothing recognises the contents.
    #[error("expected a photo or a video, found contents of no known kind")]
    Unknown,
    /// There is no decoder for this media type.
    #[error("no decoder for {0} is installed")]
    NoDecoder(String),
    /// There was no progress for this time.
    #[error("no frame within {} s", .0.as_secs_f64())]
    Stuck(Duration),
    /// The file cannot seek to this time, in nanoseconds.
    #[error("cannot seek to {} s", .0 / 1_000_000_000)]
    NoSeek(u64),
    /// GStreamer's reason why pictures cannot be decoded.
    #[error("{0}")]
    Decoding(String),
    /// Why a frame could not be analysed.
    #[error("{0}")]
    Analysis(String),
    /// Why a remote file could not be downloaded.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A decoded frame.
#[derive(Debug)]
pub struct Frame {
    /// The frame with its caps and segment.
    pub sample: gst::Sample,
    /// Position in the file, in nanoseconds; 0 if the frame has no time.
    pub time_ns: u64,
}

/// What decodebin finds while it builds the pipeline.
#[derive(Debug, Default)]
struct Found {
    /// Media type of the file.
    media_type: Option<String>,
    /// Media type of a video without a decoder.
    undecodable: Option<String>,
}

/// The pipeline of one file, opened up to its first frame.
#[derive(Debug)]
pub struct Decoder {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    found: Arc<Mutex<Found>>,
    /// How a photo is turned upright.
    orientation: Option<gst::TagList>,
    limit: Duration,
    /// Set once a seek has led away from the first frame.
    has_moved: bool,
    is_stuck: bool,
}

impl Decoder {
    /// Opens a file. It is given up after `limit` without progress.
    ///
    /// # Errors
    /// If the file has no pictures or cannot be decoded.
    pub fn open(path: &Path, limit: Duration) -> Result<Self> {
        let start = |limit| {
            let source = gst::ElementFactory::make("filesrc").property("location", path).build().map_err(broken)?;
            Self::start(&source, limit)
        };
        let is_stuck = |opened: &Result<Self>| TRIES.iter().any(|&short| opened.as_ref().err() == Some(&Failure::Stuck(short)));
        let tries = TRIES.into_iter().filter(|&short| short < limit);
        let opened = tries.map(start).find(|opened| !is_stuck(opened)).unwrap_or_else(|| start(limit));
        let oriented = opened.map(|mut opened| {
            opened.orientation = orientation::of_photo(path);
            opened
        });
        oriented.map_err(|failure| {
            let is_unknown = failure == Failure::Unknown;
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if is_unknown && !VISUAL_EXTENSIONS.contains(&extension.as_str()) { Failure::Other } else { failure }
        })
    }

    /// Opens what `source` outputs.
    pub(crate) fn start(source: &gst::Element, limit: Duration) -> Result<Self> {
        let pipeline = gst::Pipeline::new();
        let decode = gst::ElementFactory::make("decodebin").build().map_err(broken)?;
        let sink = gst_app::AppSink::builder().caps(&gst::Caps::new_empty_simple("video/x-raw")).sync(false).build();
        sink.set_max_buffers(QUEUED_FRAMES);
        accept_any_stride(&sink);
        pipeline.add_many([source, &decode, sink.upcast_ref()]).map_err(broken)?;
        source.link(&decode).map_err(broken)?;
        forbid_direct_rendering(&decode);
        let found = watch(&decode, &sink);
        let mut decoder = Self { pipeline, sink, found, orientation: None, limit, has_moved: false, is_stuck: false };
        let started = decoder.pipeline.set_state(gst::State::Paused);
        decoder.wait_for_frame()?;
        started.map_err(broken)?;
        Ok(decoder)
    }

    /// Photo or video.
    pub fn kind(&self) -> Kind {
        let found = self.found.lock();
        if found.media_type.as_deref().is_some_and(|name| name.starts_with("image/")) { Kind::Photo } else { Kind::Video }
    }

    /// Length of the file, in whole milliseconds; `None` if its container does not have it.
    pub fn length_ns(&self) -> Option<u64> {
        self.pipeline.query_duration::<gst::ClockTime>().map(whole_milliseconds).filter(|&length| length > 0)
    }

    /// The keyframe at or before `time_ns`; `None` if the file cannot seek there.
    ///
    /// # Errors
    /// If the file cannot be decoded there.
    pub fn keyframe_before(&mut self, time_ns: u64) -> Result<Option<u64>> {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE;
        if !self.seek(flags, time_ns)? {
            return Ok(None);
        }
        Ok(self.sink.try_pull_preroll(clock_time(self.limit)).and_then(|sample| position(&sample)))
    }

    /// Returns to the beginning, unless the decoder is there.
    ///
    /// # Errors
    /// If the file cannot be decoded there.
    pub fn rewind(&mut self) -> Result<()> {
        if self.has_moved { self.continue_at(0) } else { Ok(()) }
    }

    /// Continues at `time_ns`, exactly.
    ///
    /// # Errors
    /// If the file cannot be decoded there.
    pub fn continue_at(&mut self, time_ns: u64) -> Result<()> {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        if self.seek(flags, time_ns)? { Ok(()) } else { Err(Failure::NoSeek(time_ns)) }
    }

    /// Seeks and waits for a frame. Returns false if seeking is not possible.
    fn seek(&mut self, flags: gst::SeekFlags, time_ns: u64) -> Result<bool> {
        if self.pipeline.seek_simple(flags, gst::ClockTime::from_nseconds(time_ns)).is_err() {
            return Ok(false);
        }
        self.has_moved = true;
        self.wait_for_frame()?;
        Ok(true)
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// If decoding fails or makes no progress.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        let end = Instant::now() + self.limit;
        self.pipeline.set_state(gst::State::Playing).map_err(broken)?;
        loop {
            if let Some(sample) = self.sink.try_pull_sample(POLL) {
                let time_ns = position(&sample).unwrap_or(0);
                return Ok(Some(Frame { sample, time_ns }));
            }
            if let Some(message) = self.pop(gst::ClockTime::ZERO, &[gst::MessageType::Error]) {
                return Err(self.failure(&message));
            }
            if self.sink.is_eos() {
                return Ok(None);
            }
            if Instant::now() > end {
                return Err(self.stuck());
            }
        }
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
        match self.pop(clock_time(self.limit), &types) {
            Some(message) if message.type_() == gst::MessageType::AsyncDone => Ok(()),
            Some(message) => Err(self.failure(&message)),
            None => Err(self.stuck()),
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
        if let Some(media_type) = &found.undecodable {
            return Failure::NoDecoder(media_type.clone());
        }
        match (message.view(), &found.media_type) {
            (_, Some(media_type)) if !is_visual(media_type) => Failure::Other,
            (gst::MessageView::Error(error), Some(_)) => broken(error.error()),
            (gst::MessageView::Error(error), None) if error.error().matches(gst::StreamError::TypeNotFound) => Failure::Unknown,
            (gst::MessageView::Error(error), None) => broken(error.error()),
            _ => Failure::Other,
        }
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

/// Links the first video of `decode` to `sink` and records what is found. Sound and text stay encoded.
fn watch(decode: &gst::Element, sink: &gst_app::AppSink) -> Arc<Mutex<Found>> {
    let found = Arc::new(Mutex::new(Found::default()));
    decode.connect("autoplug-continue", false, |arguments| {
        let caps = arguments[2].get::<gst::Caps>().ok()?;
        Some(media_type(&caps).is_none_or(|name| !name.starts_with("audio/") && !name.starts_with("text/")).to_value())
    });
    let entry = sink.static_pad("sink").expect("a sink has a pad");
    decode.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        if media_type(&caps).as_deref() == Some("video/x-raw") && !entry.is_linked() {
            // Without a link, the pipeline fails with an error of its own.
            let _ = pad.link(&entry);
        }
    });
    let entry = sink.static_pad("sink").expect("a sink has a pad");
    decode.connect_no_more_pads(move |decode| {
        if !entry.is_linked() {
            let message = gst::message::Application::builder(gst::Structure::new_empty(NO_VIDEO)).src(decode).build();
            let _ = decode.post_message(message);
        }
    });
    let seen = found.clone();
    decode.connect("unknown-type", false, move |arguments| {
        let name = arguments[2].get::<gst::Caps>().ok().and_then(|caps| media_type(&caps)).filter(|name| is_visual(name));
        if name.is_some() {
            seen.lock().undecodable = name;
        }
        None
    });
    let typefind = decode.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("typefind"));
    let seen = found.clone();
    typefind.inspect(|typefind| {
        typefind.connect("have-type", false, move |arguments| {
            seen.lock().media_type = arguments[2].get::<gst::Caps>().ok().and_then(|caps| media_type(&caps));
            None
        });
    });
    found
}

fn media_type(caps: &gst::Caps) -> Option<String> {
    caps.structure(0).map(|first| first.name().to_string())
}

/// True if files of this type have pictures.
fn is_visual(media_type: &str) -> bool {
    media_type.starts_with("video/") || media_type.starts_with("image/") || VISUAL_TYPES.contains(&media_type)
}

/// Position of a frame in the file, in nanoseconds.
fn position(sample: &gst::Sample) -> Option<u64> {
    let pts = sample.buffer()?.pts()?;
    let in_stream = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>()?.to_stream_time(pts));
    Some(in_stream.unwrap_or(pts).nseconds())
}

/// `length` in nanoseconds, rounded to milliseconds. GStreamer's demuxer for Matroska replaces the length of the header by that
/// of the frames that it has read so far, if this is longer. It is longer by some nanoseconds, because of rounding.
fn whole_milliseconds(length: gst::ClockTime) -> u64 {
    (length.nseconds() + MILLISECOND_NS / 2) / MILLISECOND_NS * MILLISECOND_NS
}

fn clock_time(duration: Duration) -> gst::ClockTime {
    gst::ClockTime::try_from(duration).unwrap_or(gst::ClockTime::MAX)
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
        let failure = Decoder::start(silent.upcast_ref(), Duration::from_millis(300)).unwrap_err();
        assert_eq!(failure, Failure::Stuck(Duration::from_millis(300)));
        assert_eq!(failure.to_string(), "no frame within 0.3 s");
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
