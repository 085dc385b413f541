// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pipeline of one source, and the pad probe that reads the faces.
//!
//! ```text
//! input ! queue ! videoconvert ! emotionfacedetect ! facelandmarks ! emotionclassify ! tee
//!   tee. ! queue ! videoscale ! emotionoverlay ! videoconvert ! jpegenc ! appsink       pictures
//!   tee. ! queue ! tee
//!     tee. ! valve ! emotionexport ! appsink                       individual faces, NDJSON and CSV
//!     tee. ! emotionexport aggregate-only=true ! appsink           totals, NDJSON and CSV
//! ```
//!
//! `facelandmarks` is there if the switch `geometry` is on. Every queue drops old buffers and no sink syncs to the clock, so that
//! no branch delays the frames. Files would be read as fast as possible; a clocksync before the queue plays them at their own
//! speed.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use emotion_core::geometry::Size;
use emotion_photo_reader::{Reading as Reader, source};
use emotion_supervise::chain::{self, Chain, Recall};
use emotion_supervise::decoding::{file_decoder, link_video_later};
use emotion_supervise::input::{self, FileLoop, Reading, pad};
use emotion_supervise::log::Log;
use emotion_supervise::place::Place;
use emotion_supervise::samples;
use emotion_supervise::setting::{Setting, SettingError};
use emotion_supervise::time_of_day::Clock;
use gst::prelude::*;
use gst_app::{AppLeakyType, AppSink, AppSrc};
use gstemotion::meta;
use parking_lot::Mutex;

use crate::sources::input::Input;
use crate::sources::source::{RECORDS, Source};
use crate::sources::switches::Switches;
use crate::sources::upload::is_photo;

/// Maximum size of the pictures for viewers.
const MAX_WIDTH: i32 = 1280;
const MAX_HEIGHT: i32 = 720;
/// Maximum number of pixels of a frame that is decoded. A file of a viewer has few bytes for any number of them.
const MAX_PIXELS: u64 = 20_000_000;
/// 0..100.
const JPEG_QUALITY: i32 = 80;
/// Time between two pictures without viewers, and so the maximum age of a snapshot.
const UNWATCHED_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two frames in the records of individual faces, in nanoseconds.
const FACES_INTERVAL_NS: u64 = 200_000_000;
/// Time that one record of totals covers, in nanoseconds.
const ROOM_INTERVAL_NS: u64 = 1_000_000_000;
/// Frames per second of a photo: enough for totals that are up to date.
const PHOTO_FRAME_RATE: i32 = 2;
/// How long frames may wait for those before them, in nanoseconds.
const MAX_DELAY_NS: u64 = 1_000_000_000;
/// Length of the jitter buffer for network cameras.
const JITTER_BUFFER: Duration = Duration::from_millis(100);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A pipeline and the elements of it that are accessed later.
#[derive(Debug)]
pub struct Graph {
    /// The whole pipeline.
    pub pipeline: gst::Pipeline,
    /// The entry for a browser's pictures.
    pub feed: Option<AppSrc>,
    /// The elements that analyse.
    pub chain: Chain,
    valves: Vec<gst::Element>,
    file_loop: Option<FileLoop>,
}

/// Settings of the elements that are the same for all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constant {
    /// Text of labels, in the format of the `labels` property of `emotionoverlay`.
    pub labels: String,
    /// How long pictures with hidden faces are held back, in milliseconds.
    pub blur_delay_ms: u32,
    /// How many faces may be missed.
    pub recall: Recall,
}

impl Graph {
    /// Builds the pipeline of `source`, which receives its pictures, faces and records.
    ///
    /// # Errors
    /// If an element is missing.
    pub fn build(source: &Arc<Source>, constant: &Constant) -> Result<Self> {
        let has_geometry = source.switches().geometry;
        let pipeline = gst::parse::launch(&line(has_geometry))?.downcast::<gst::Pipeline>().map_err(|_| "expected a pipeline")?;
        let named = |name: &str| pipeline.by_name(name).ok_or_else(|| format!("the pipeline has no {name}"));
        // The lateness of the last frame when it leaves the clocksync of a file, in nanoseconds.
        let file_lateness = Arc::new(AtomicI64::new(0));
        let entry = named("entry")?;
        let (feed, file_loop) = add_input(&pipeline, source, &entry, &file_lateness)?;
        number_frames(&pad(&entry, "sink")?, source.clone());

        // Frames of a camera do not wait for the networks. Frames of a file, and the few of a browser, wait for their faces.
        let asynchronous = matches!(&source.input, Input::Place(place) if !place.is_file());
        let chain = Chain::new(has_geometry, &[Setting::new("*", "async", asynchronous), chain::recall(constant.recall)])?;
        chain.link(&pipeline, &named("converted")?, &named("faces")?)?;
        read_faces(&pad(chain.classifier(), "src")?, source.clone());

        skip_unwatched(&pad(&named("shown")?, "sink")?, source.clone());
        let overlay = named("overlay")?;
        overlay.set_property("labels", &constant.labels);
        overlay.set_property("blur-delay", gst::ClockTime::from_mseconds(constant.blur_delay_ms.into()).nseconds());
        let made = follow_switches(&pad(&overlay, "sink")?, source.clone());
        show(named("pictures")?, source.clone(), made, file_lateness)?;
        for (index, name) in RECORDS.into_iter().enumerate() {
            named(&exporter(name))?.set_property("source", &source.name);
            record(named(name)?, source.clone(), index)?;
        }
        let valves = RECORDS.iter().filter_map(|name| pipeline.by_name(&valve(name))).collect();
        let graph = Self { pipeline, feed, chain, valves, file_loop };
        graph.switch(&source.switches())?;
        Ok(graph)
    }

    /// Applies the switches to the elements, except the overlay, which follows them by itself.
    ///
    /// # Errors
    /// If an element does not take one of them.
    pub fn switch(&self, switches: &Switches) -> std::result::Result<(), SettingError> {
        self.valves.iter().for_each(|valve| valve.set_property("drop", switches.aggregate_only));
        self.chain.apply(&switches.settings())
    }

    /// True if the pipeline has the elements that the switches need.
    pub fn suits(&self, switches: &Switches) -> bool {
        self.chain.geometry().is_some() == switches.geometry
    }

    /// Seeks a file that has ended to its start. Returns false if the seek fails.
    pub fn rewind_if_ended(&self) -> bool {
        self.file_loop.as_ref().is_none_or(FileLoop::rewind_if_ended)
    }
}

/// The elements before the chain, and those after it.
fn line(has_geometry: bool) -> String {
    let queue = |frames: u32| format!("queue leaky=downstream max-size-buffers={frames} max-size-bytes=0 max-size-time=0");
    // Takes what cameras send at once.
    let entry = format!("queue leaky=downstream max-size-buffers=0 max-size-bytes=0 max-size-time={MAX_DELAY_NS}");
    // Takes each sample at once.
    let sink = "appsink sync=false async=false max-buffers=1";
    // The page shows the scores.
    let mut line = format!(
        "{entry} name=entry ! videoconvert name=converted tee name=faces \
         faces. ! {} name=shown ! videoscale ! video/x-raw,width=[1,{MAX_WIDTH}],height=[1,{MAX_HEIGHT}],pixel-aspect-ratio=1/1 \
         ! emotionoverlay name=overlay draw-scores=false ! videoconvert ! jpegenc quality={JPEG_QUALITY} \
         ! {sink} drop=true name=pictures faces. ! {} ! tee name=records ",
        queue(1),
        queue(30)
    );
    for name in RECORDS {
        let format = name.split_once('.').map_or("ndjson", |(_, format)| format);
        let export = if name.starts_with("room") {
            format!("emotionexport name={} aggregate-only=true interval={ROOM_INTERVAL_NS}", exporter(name))
        } else {
            // A closed valve must still pass the end of the stream.
            format!(
                "valve name={} drop-mode=forward-sticky-events ! emotionexport name={} interval={FACES_INTERVAL_NS}",
                valve(name),
                exporter(name)
            )
        };
        // A table whose first face is too small for a geometry has the columns too.
        let geometry = if has_geometry && format == "csv" { "geometry=always" } else { "" };
        // No line may be dropped.
        line += &format!("records. ! {export} format={format} {geometry} ! {sink} name={name} ");
    }
    line
}

/// The name of the element that writes a record.
fn exporter(record: &str) -> String {
    format!("export-{record}")
}

/// The name of the valve before a record of individual faces.
fn valve(record: &str) -> String {
    format!("valve-{record}")
}

/// Adds the elements before `entry`.
fn add_input(
    pipeline: &gst::Pipeline,
    source: &Source,
    entry: &gst::Element,
    file_lateness: &Arc<AtomicI64>,
) -> Result<(Option<AppSrc>, Option<FileLoop>)> {
    match &source.input {
        Input::Place(Place::File(path)) if is_photo(path) => add_photo(pipeline, path, entry).map(|()| (None, None)),
        Input::Place(place) => {
            let reading = Reading {
                max_size: (MAX_WIDTH, MAX_HEIGHT),
                latency: JITTER_BUFFER,
                protocols: None,
                timeout: None,
                max_pixels: Some(MAX_PIXELS),
                clock: Clock::Camera,
                video: 1,
                sound: None,
                progress: source.progress.clone(),
                log: log(source),
            };
            let file_loop = input::add(pipeline, place, &reading, entry)?;
            if let Some(file_loop) = &file_loop {
                file_loop.hold_end()?;
                measure_lateness(&file_loop.clock, file_lateness)?;
            }
            Ok((None, file_loop))
        }
        Input::Browser => {
            let caps = gst::Caps::builder("image/jpeg").field("framerate", gst::Fraction::new(0, 1)).build();
            let feed = AppSrc::builder().caps(&caps).format(gst::Format::Time).is_live(true).do_timestamp(true);
            // Keeps the newest picture.
            let feed = feed.max_buffers(1).leaky_type(AppLeakyType::Downstream).build();
            let decode = gst::ElementFactory::make("jpegdec").build()?;
            pipeline.add_many([feed.upcast_ref(), &decode])?;
            gst::Element::link_many([feed.upcast_ref(), &decode, entry])?;
            Ok((Some(feed), None))
        }
    }
}

/// Adds a photo as a video that does not move.
fn add_photo(pipeline: &gst::Pipeline, path: &Path, entry: &gst::Element) -> Result<()> {
    // Cameras store the orientation as a tag.
    let line = "videoconvert ! videoflip name=flip video-direction=auto ! imagefreeze is-live=true";
    let still = gst::parse::bin_from_description(&format!("{line} ! capsfilter caps=video/x-raw,framerate={PHOTO_FRAME_RATE}/1"), true)?;
    pipeline.add(&still)?;
    still.link(entry)?;
    match Reader::of(path)? {
        Reader::Photo(_) => {
            let pictures = source::of_file(path);
            pipeline.add(&pictures)?;
            pictures.link(&still)?;
        }
        Reader::Stream(stream) => {
            let direction = stream.tag().and_then(|tags| gst_video::VideoOrientationMethod::from_tag(&tags));
            if let Some((direction, flip)) = direction.zip(still.by_name("flip")) {
                flip.set_property("video-direction", direction);
            }
            let (file, decode) = (stream.source(path)?, file_decoder()?);
            pipeline.add_many([&file, &decode])?;
            file.link(&decode)?;
            link_video_later(&decode, still.upcast_ref());
        }
    }
    Ok(())
}

/// Calls `take` with each sample of `sink`.
fn take(sink: gst::Element, mut take: impl FnMut(&AppSink, &gst::Sample) -> Option<()> + Send + 'static) -> Result<()> {
    let sink = sink.downcast::<AppSink>().map_err(|_| "expected an appsink")?;
    samples::take(&sink, move |sink, sample| take(sink, &sample).map(|()| gst::FlowSuccess::Ok).ok_or(gst::FlowError::Error));
    Ok(())
}

/// Passes the pictures of `sink` on to viewers. `made` has the switches under which the last one was drawn.
fn show(sink: gst::Element, source: Arc<Source>, made: Arc<Mutex<Switches>>, file_lateness: Arc<AtomicI64>) -> Result<()> {
    take(sink, move |sink, sample| {
        let age = age(sink, sample, file_lateness.load(Ordering::Relaxed));
        let jpeg = sample.buffer_owned()?.into_mapped_buffer_readable().ok()?;
        let made = *made.lock();
        source.show(Bytes::from_owner(jpeg), age, &made);
        Some(())
    })
}

/// Writes the lines of `sink` to a record.
fn record(sink: gst::Element, source: Arc<Source>, index: usize) -> Result<()> {
    take(sink, move |_, sample| {
        let buffer = sample.buffer()?;
        source.record(index, &buffer.map_readable().ok()?, buffer.flags().contains(gst::BufferFlags::HEADER));
        Some(())
    })
}

/// Numbers the frames, to count those that are skipped.
fn number_frames(pad: &gst::Pad, source: Arc<Source>) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            source.progress.received(buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
}

/// Reads the faces of every frame on `pad`. Embedding needs no more than a probe and `meta::read_faces`.
fn read_faces(pad: &gst::Pad, source: Arc<Source>) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let video = pad.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        if let (Some(video), Some(buffer)) = (video, info.buffer()) {
            let size = Size { width: video.width(), height: video.height() };
            let mut faces = meta::read_faces(buffer, size);
            faces.retain(|face| face.confirmed);
            source.progress.analysed(buffer, faces.len());
            source.observe(buffer.pts().map(gst::ClockTime::nseconds), size, &faces);
        }
        gst::PadProbeReturn::Ok
    });
}

/// Sets the overlay with the sink pad `pad` before each frame. Returns the switches under which the last frame was drawn: no
/// queue follows, so that the sink takes a frame before the next one is drawn.
fn follow_switches(pad: &gst::Pad, source: Arc<Source>) -> Arc<Mutex<Switches>> {
    let set = |pad: &gst::Pad, switches: Switches| pad.parent_element().map(|overlay| set_overlay(&overlay, switches));
    let switches = source.switches();
    set(pad, switches);
    let made = Arc::new(Mutex::new(switches));
    let last = made.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        let (now, mut last) = (source.switches(), last.lock());
        if *last != now && set(pad, now).is_some() {
            *last = now;
        }
        gst::PadProbeReturn::Ok
    });
    made
}

fn set_overlay(overlay: &gst::Element, switches: Switches) {
    for name in ["draw-boxes", "draw-labels", "draw-emoji", "draw-ids"] {
        overlay.set_property(name, !switches.aggregate_only);
    }
    overlay.set_property("draw-pose", switches.geometry && !switches.aggregate_only);
    overlay.set_property_from_str("blur-faces", if switches.blur { "solid" } else { "none" });
}

/// Measures the lateness of the frames of a file when they leave its clocksync.
fn measure_lateness(clock: &gst::Element, file_lateness: &Arc<AtomicI64>) -> Result<()> {
    let clock_pad = pad(clock, "src")?;
    let (file_lateness, clock) = (file_lateness.clone(), clock.downgrade());
    clock_pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        let times = segment.zip(info.buffer()).zip(clock.upgrade());
        let late = times.and_then(|((segment, buffer), clock)| lateness(&clock, segment.segment(), buffer));
        if let Some(late) = late {
            file_lateness.store(late, Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Nanoseconds between the running time of `buffer` and now.
fn lateness(element: &gst::Element, segment: &gst::Segment, buffer: &gst::BufferRef) -> Option<i64> {
    let now = element.current_running_time()?;
    let due = segment.downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts()?)?;
    i64::try_from(i128::from(now.nseconds()) - i128::from(due.nseconds())).ok()
}

/// The age of a finished picture, without the lateness that its frame had when it left a file.
fn age(sink: &AppSink, sample: &gst::Sample, file_lateness_ns: i64) -> Option<Duration> {
    let late = lateness(sink.upcast_ref(), sample.segment()?, sample.buffer()?)?;
    Some(Duration::from_nanos(u64::try_from(late - file_lateness_ns).unwrap_or(0)))
}

/// Skips drawing and encoding while there are no viewers.
fn skip_unwatched(pad: &gst::Pad, source: Arc<Source>) {
    let last: Mutex<Option<Instant>> = Mutex::default();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let mut last = last.lock();
        if source.pictures.receiver_count() == 0 && last.is_some_and(|last| last.elapsed() < UNWATCHED_INTERVAL) {
            // Not `Drop`: the bindings have already taken the buffer out, and GStreamer would free it a second time.
            return gst::PadProbeReturn::Handled;
        }
        *last = Some(Instant::now());
        gst::PadProbeReturn::Ok
    });
}

/// What is said about a source, to those who run the program.
pub fn log(source: &Source) -> Log {
    Log::new(format!("emotion-dashboard: {}", source.name))
}
