// SPDX-License-Identifier: MIT OR Apache-2.0
//! A live pipeline, the thread that feeds it, and what comes out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoInfo;
use gstemotion::geometry::Size;
use gstemotion::meta::read_faces;
use gstemotion::statistics::Histogram;

use crate::FRAMES_PER_SECOND;
use crate::footage::Footage;

/// As video sinks have it by default.
const MAX_LATENESS: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// What came out of one stream since the last report.
#[derive(Default)]
pub struct Seen {
    pub frames: u64,
    /// Frames that went in before one that came out, and did not.
    pub lost: u64,
    /// Frames that came out so late that a window would not have shown them.
    pub late: u64,
    pub faces: u64,
    /// From a frame's way into the pipeline to its arrival at the sink, the sink's own waiting not counted.
    pub held: Histogram,
    pub of_face: HashMap<u32, OfFace>,
    /// Number of the next frame.
    next: u64,
}

/// Frames on which a face was there, was found, and was classified.
#[derive(Default)]
pub struct OfFace {
    pub there: u64,
    pub found: u64,
    pub classified: u64,
}

impl Seen {
    /// What was seen until now; counting starts anew.
    pub fn take(&mut self) -> Self {
        let next = self.next;
        std::mem::replace(self, Self { next, ..Self::default() })
    }

    fn observe(&mut self, pad: &gst::Pad, buffer: &gst::BufferRef) {
        self.frames += 1;
        self.lost += buffer.offset() - self.next;
        self.next = buffer.offset() + 1;
        let sink = pad.parent_element().and_then(|sink| sink.downcast::<gst_base::BaseSink>().ok());
        if let Some((sink, pts)) = sink.zip(buffer.pts())
            && let Some(now) = sink.current_running_time()
        {
            self.held.record(now.saturating_sub(pts).into());
            self.late += u64::from(now > pts + sink.latency() + MAX_LATENESS);
        }
        let info = pad.current_caps().and_then(|caps| VideoInfo::from_caps(&caps).ok());
        let size = info.map_or(Size::default(), |info| Size::new(info.width(), info.height()));
        for face in read_faces(buffer, size) {
            self.faces += 1;
            let of_face = self.of_face.entry(face.id).or_default();
            of_face.there += 1;
            of_face.found += u64::from(face.detection.is_some_and(|detection| detection.age.is_zero()));
            of_face.classified += u64::from(face.emotion.is_some_and(|emotion| emotion.age.is_zero() && emotion.label_id.is_some()));
        }
    }
}

/// Frames in turn from one of several footages.
pub struct Feed {
    footages: Vec<Arc<Footage>>,
    /// Time after which the next footage is shown.
    each: Duration,
}

impl Feed {
    /// Shows `footages` in turn, each for the time `each`.
    pub fn new(footages: Vec<Arc<Footage>>, each: Duration) -> Self {
        Self { footages, each }
    }

    fn run(&self, source: &gst_app::AppSrc, stop: &AtomicBool) {
        let start = Instant::now();
        let mut shown = None;
        for index in 0u32.. {
            let elapsed = Duration::from_secs(1) * index / FRAMES_PER_SECOND;
            std::thread::sleep((start + elapsed).saturating_duration_since(Instant::now()));
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let turn = (elapsed.as_secs_f64() / self.each.as_secs_f64()) as usize % self.footages.len();
            let footage = &self.footages[turn];
            if shown.replace(turn) != Some(turn) {
                source.set_caps(Some(&footage.caps));
            }
            let mut numbered = footage.frames[index as usize % footage.frames.len()].clone();
            numbered.make_mut().set_offset(index.into());
            // A full queue answers with an error; the frame is lost, and is missed at the sink.
            let _ = source.push_buffer(numbered);
        }
    }
}

/// A pipeline that plays a feed.
pub struct Stream {
    pipeline: gst::Pipeline,
    pub seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    feeder: std::thread::JoinHandle<()>,
}

impl Stream {
    /// Builds the pipeline and plays it.
    pub fn start(feed: Arc<Feed>, chain: &str) -> Self {
        let line = format!(
            "appsrc name=source is-live=true format=time do-timestamp=true max-buffers=10 max-bytes=0 max-time=0 leaky-type=upstream ! {chain} ! \
             fakesink name=sink sync=true qos=true"
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        let source = pipeline.by_name("source").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
        let pad = pipeline.by_name("sink").and_then(|sink| sink.static_pad("sink")).expect("a pad");
        let (seen, stop) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        let log = seen.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(buffer) = info.buffer() {
                log.lock().expect("a log").observe(pad, buffer);
            }
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).expect("a pipeline plays");
        let stopped = stop.clone();
        let feeder = std::thread::spawn(move || feed.run(&source, &stopped));
        Self { pipeline, seen, stop, feeder }
    }

    /// Ends the program where the stream has failed; has latencies asked for where they changed.
    pub fn check(&self) {
        let bus = self.pipeline.bus().expect("a bus");
        while let Some(message) = bus.pop() {
            match message.view() {
                gst::MessageView::Error(error) => panic!("{}: {:?}", error.error(), error.debug()),
                gst::MessageView::Latency(_) => self.pipeline.recalculate_latency().expect("latencies"),
                _ => {}
            }
        }
    }

    /// The statistics of the element `name`.
    pub fn statistics(&self, name: &str) -> Option<gst::Structure> {
        self.pipeline.by_name(name).map(|element| element.property("stats"))
    }

    /// Takes the pipeline down and waits for its feeder.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.feeder.join().expect("a feeder ends");
        self.pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    }
}
