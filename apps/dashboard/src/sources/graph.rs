// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pipeline of one source, built in code, and the pad probe that reads the faces.
//!
//! ```text
//! input ! queue ! videoconvert ! emotionfacedetect ! facelandmarks ! emotionclassify ! tee
//!   tee. ! queue ! videoscale ! emotionoverlay ! videoconvert ! jpegenc ! appsink       pictures
//!   tee. ! queue ! tee
//!     tee. ! valve ! emotionexport ! appsink                       individual faces, NDJSON and CSV
//!     tee. ! emotionexport aggregate-only=true ! appsink           totals, NDJSON and CSV
//! ```
//!
//! `facelandmarks` is there if the switch `geometry` is on. Every queue drops old buffers and no sink syncs to the clock, so that no branch delays the frames. Files would be read
//! as fast as possible; a clocksync before the queue plays them at their own speed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use emotion_photo_reader::{Reading as Reader, source};
use emotion_supervise::decoding::{file_decoder, link_video_later};
use emotion_supervise::input::{self, FileLoop, Reading};
use emotion_supervise::place::Place;
use gst::glib;
use gst::prelude::*;
use gstemotion::geometry::Size;
use gstemotion::meta;
use parking_lot::Mutex;

use crate::sources::input::Input;
use crate::sources::source::{RECORDS, Source};
use crate::sources::switches::{Prior, Switches};
use crate::sources::upload::is_photo;

/// Maximum size of the pictures for viewers.
const MAX_WIDTH: i32 = 1280;
const MAX_HEIGHT: i32 = 720;
/// 0..100.
const JPEG_QUALITY: i32 = 80;
/// Time between two pictures without viewers, and so the maximum age of a snapshot.
const UNWATCHED_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two frames in the records of individual faces.
const FACES_INTERVAL: gst::ClockTime = gst::ClockTime::from_mseconds(200);
/// Time that one record of totals covers.
const ROOM_INTERVAL: gst::ClockTime = gst::ClockTime::from_seconds(1);
/// Frames per second of a photo: enough for totals that are up to date.
const PHOTO_FRAME_RATE: i32 = 2;
/// Length of the jitter buffer for network cameras.
const JITTER_BUFFER: Duration = Duration::from_millis(100);

type Result<T> = std::result::Result<T, glib::BoolError>;

/// A pipeline and the elements of it that are accessed later.
#[derive(Debug)]
pub struct Graph {
    /// The whole pipeline.
    pub pipeline: gst::Pipeline,
    /// The entry for a browser's pictures.
    pub feed: Option<gst_app::AppSrc>,
    detect: gst::Element,
    classify: gst::Element,
    has_geometry: bool,
    valves: Vec<gst::Element>,
    file_loop: Option<FileLoop>,
}

impl Graph {
    /// Builds the pipeline of `source`, which receives its pictures, faces and records. `labels` is the text of labels in the
    /// pictures.
    ///
    /// # Errors
    /// If an element is missing.
    pub fn build(source: &Arc<Source>, labels: &str) -> Result<Self> {
        let pipeline = gst::Pipeline::new();
        let builder = Builder(&pipeline);
        let entry = builder.queue(1)?;
        // The lateness of the last frame when it leaves the clocksync of a file, in nanoseconds.
        let file_lateness = Arc::new(AtomicI64::new(0));
        let (feed, file_loop) = builder.input(&source.input, &entry, &file_lateness)?;
        number_frames(&pad(&entry, "sink")?, source.clone());

        // Frames of a camera do not wait for the networks. Frames of a file, and the few of a browser, wait for their faces.
        let asynchronous = matches!(source.input, Input::Place(Place::Device(_) | Place::Rtsp(_)));
        let convert = builder.make("videoconvert")?;
        // Under the name `facedetect` GStreamer may pick the element of its OpenCV plugin.
        let detect = builder.built(gst::ElementFactory::make("emotionfacedetect").property("async", asynchronous))?;
        let classify = builder.built(gst::ElementFactory::make("emotionclassify").property("async", asynchronous))?;
        let tee = builder.make("tee")?;
        let has_geometry = source.switches().geometry;
        let landmarks = has_geometry.then(|| builder.built(gst::ElementFactory::make("facelandmarks").property("async", asynchronous)));
        let landmarks = landmarks.transpose()?;
        gst::Element::link_many([&entry, &convert, &detect].into_iter().chain(&landmarks).chain([&classify, &tee]))?;
        read_faces(&pad(&classify, "src")?, source.clone());

        builder.pictures(&tee, source, labels, &file_lateness)?;
        let valves = builder.records(&tee, source)?;
        let graph = Self { pipeline, feed, detect, classify, has_geometry, valves, file_loop };
        graph.switch(source.switches());
        Ok(graph)
    }

    /// Applies the switches to the elements, except the overlay, which follows them by itself.
    pub fn switch(&self, switches: Switches) {
        // Below 0 is the threshold of the model.
        self.detect.set_property("score-threshold", switches.threshold.unwrap_or(-1.0));
        self.detect.set_property("detect-interval", switches.interval);
        let prior = match switches.prior {
            Prior::Natural => "natural",
            Prior::Balanced => "balanced",
        };
        self.classify.set_property_from_str("prior", prior);
        self.valves.iter().for_each(|valve| valve.set_property("drop", switches.aggregate_only));
    }

    /// True if the pipeline has the elements that the switches need.
    pub fn suits(&self, switches: &Switches) -> bool {
        self.has_geometry == switches.geometry
    }

    /// Seeks a file that has ended to its start. Returns false if the seek fails.
    pub fn rewind_if_ended(&self) -> bool {
        self.file_loop.as_ref().is_none_or(FileLoop::rewind_if_ended)
    }
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

/// Adds elements to a pipeline.
struct Builder<'a>(&'a gst::Pipeline);

impl Builder<'_> {
    fn make(&self, factory: &str) -> Result<gst::Element> {
        self.built(gst::ElementFactory::make(factory))
    }

    fn built(&self, builder: gst::element_factory::ElementBuilder<'_>) -> Result<gst::Element> {
        let element = builder.build()?;
        self.0.add(&element)?;
        Ok(element)
    }

    /// A queue for this many frames that drops the oldest.
    fn queue(&self, frames: u32) -> Result<gst::Element> {
        let queue = gst::ElementFactory::make("queue").property("max-size-buffers", frames).property("max-size-bytes", 0_u32);
        self.built(queue.property("max-size-time", 0_u64).property_from_str("leaky", "downstream"))
    }

    /// A sink that passes each sample to `take` at once.
    fn sink(
        &self,
        take: impl FnMut(&gst_app::AppSink) -> std::result::Result<gst::FlowSuccess, gst::FlowError> + Send + 'static,
    ) -> Result<gst::Element> {
        let sink = gst_app::AppSink::builder().sync(false).async_(false).max_buffers(1).drop(true).build();
        sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(take).build());
        let sink = sink.upcast::<gst::Element>();
        self.0.add(&sink)?;
        Ok(sink)
    }

    /// The elements before `entry`.
    fn input(
        &self,
        input: &Input,
        entry: &gst::Element,
        file_lateness: &Arc<AtomicI64>,
    ) -> Result<(Option<gst_app::AppSrc>, Option<FileLoop>)> {
        match input {
            Input::Place(Place::File(path)) if is_photo(path) => {
                self.photo(path, entry)?;
                Ok((None, None))
            }
            Input::Place(place) => {
                let reading = Reading { max_size: (MAX_WIDTH, MAX_HEIGHT), latency: JITTER_BUFFER, protocols: None, timeout: None };
                let file_loop = input::add(self.0, place, &reading, entry)?;
                if let Some(file_loop) = &file_loop {
                    file_loop.hold_end()?;
                    measure_lateness(&file_loop.clock, file_lateness)?;
                }
                Ok((None, file_loop))
            }
            Input::Browser => {
                let caps = gst::Caps::builder("image/jpeg").field("framerate", gst::Fraction::new(0, 1)).build();
                let feed = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).is_live(true).do_timestamp(true);
                // Keeps the newest picture.
                let feed = feed.max_buffers(1).leaky_type(gst_app::AppLeakyType::Downstream).build();
                self.0.add(&feed)?;
                let decode = self.make("jpegdec")?;
                gst::Element::link_many([feed.upcast_ref(), &decode, entry])?;
                Ok((Some(feed), None))
            }
        }
    }

    /// A photo as a video that does not move.
    fn photo(&self, path: &Path, entry: &gst::Element) -> Result<()> {
        // Cameras store the orientation as a tag.
        let convert = self.make("videoconvert")?;
        let flip = self.built(gst::ElementFactory::make("videoflip").property_from_str("video-direction", "auto"))?;
        let freeze = self.built(gst::ElementFactory::make("imagefreeze").property("is-live", true))?;
        let rate = gst::Caps::builder("video/x-raw").field("framerate", gst::Fraction::new(PHOTO_FRAME_RATE, 1)).build();
        let rate = self.built(gst::ElementFactory::make("capsfilter").property("caps", rate))?;
        gst::Element::link_many([&convert, &flip, &freeze, &rate, entry])?;
        match Reader::of(path).map_err(|error| glib::bool_error!("{error}"))? {
            Reader::Photo(_) => {
                let pictures = source::of_file(path);
                self.0.add(&pictures)?;
                pictures.link(&convert)
            }
            Reader::Stream(stream) => {
                if let Some(direction) = stream.tag().and_then(|tags| gst_video::VideoOrientationMethod::from_tag(&tags)) {
                    flip.set_property("video-direction", direction);
                }
                let (file, decode) = (stream.source(path)?, file_decoder()?);
                self.0.add_many([&file, &decode])?;
                file.link(&decode)?;
                link_video_later(&decode, &convert);
                Ok(())
            }
        }
    }

    /// The branch of pictures for viewers.
    fn pictures(&self, tee: &gst::Element, source: &Arc<Source>, labels: &str, file_lateness: &Arc<AtomicI64>) -> Result<()> {
        let queue = self.queue(1)?;
        skip_unwatched(&pad(&queue, "sink")?, source.clone());
        let scale = self.make("videoscale")?;
        let size = gst::Caps::builder("video/x-raw").field("width", gst::IntRange::new(1, MAX_WIDTH));
        let size = size.field("height", gst::IntRange::new(1, MAX_HEIGHT)).field("pixel-aspect-ratio", gst::Fraction::new(1, 1)).build();
        let size = self.built(gst::ElementFactory::make("capsfilter").property("caps", size))?;
        // The page shows the scores.
        let overlay = self.built(gst::ElementFactory::make("emotionoverlay").property("draw-scores", false).property("labels", labels))?;
        let convert = self.make("videoconvert")?;
        let encode = self.built(gst::ElementFactory::make("jpegenc").property("quality", JPEG_QUALITY))?;
        let made = follow_switches(&pad(&overlay, "sink")?, source.clone());
        let (source, file_lateness) = (source.clone(), file_lateness.clone());
        let sink = self.sink(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let age = age(sink, &sample, file_lateness.load(Ordering::Relaxed));
            let buffer = sample.buffer_owned().ok_or(gst::FlowError::Error)?;
            let jpeg = buffer.into_mapped_buffer_readable().map_err(|_| gst::FlowError::Error)?;
            let made = *made.lock();
            source.show(Bytes::from_owner(jpeg), age, &made);
            Ok(gst::FlowSuccess::Ok)
        })?;
        gst::Element::link_many([tee, &queue, &scale, &size, &overlay, &convert, &encode, &sink])
    }

    /// The branch of records. Returns the valves before the records of individual faces.
    fn records(&self, tee: &gst::Element, source: &Arc<Source>) -> Result<Vec<gst::Element>> {
        let queue = self.queue(30)?;
        let records = self.make("tee")?;
        gst::Element::link_many([tee, &queue, &records])?;
        let mut valves = Vec::new();
        for (index, name) in RECORDS.into_iter().enumerate() {
            let aggregate = name.starts_with("room");
            let interval = if aggregate { ROOM_INTERVAL } else { FACES_INTERVAL };
            let format = name.split_once('.').map_or("ndjson", |(_, extension)| extension);
            let export = gst::ElementFactory::make("emotionexport").property("interval", interval.nseconds());
            let export = self.built(export.property("aggregate-only", aggregate).property_from_str("format", format))?;
            if source.switches().geometry && format == "csv" {
                // A table whose first face is too small for a geometry has the columns too.
                export.set_property_from_str("geometry", "always");
            }
            let source = source.clone();
            let sink = self.sink(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
                let text = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
                source.record(index, &text, buffer.flags().contains(gst::BufferFlags::HEADER));
                Ok(gst::FlowSuccess::Ok)
            })?;
            // No line may be dropped.
            sink.set_property("drop", false);
            if aggregate {
                gst::Element::link_many([&records, &export, &sink])?;
            } else {
                // A closed valve must still pass the end of the stream.
                let valve = self.built(gst::ElementFactory::make("valve").property_from_str("drop-mode", "forward-sticky-events"))?;
                gst::Element::link_many([&records, &valve, &export, &sink])?;
                valves.push(valve);
            }
        }
        Ok(valves)
    }
}

fn pad(element: &gst::Element, name: &str) -> Result<gst::Pad> {
    element.static_pad(name).ok_or_else(|| glib::bool_error!("{} has no pad {name}", element.name()))
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
    overlay.set_property_from_str("blur-faces", if switches.blur { "pixelate" } else { "none" });
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
fn age(sink: &gst_app::AppSink, sample: &gst::Sample, file_lateness_ns: i64) -> Option<Duration> {
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
